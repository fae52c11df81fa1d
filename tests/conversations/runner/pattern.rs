//! What a script says a phone receives, and whether what came is that.
//!
//! Names, namespaces, attributes in any order and text count; prefixes, quotes and white space between
//! elements do not.

use std::collections::BTreeMap;

use super::template::{Scope, Template};
use super::xml::{Child, Item, Node, StreamReader};

/// Stands for further attributes inside a tag, and for further content between tags.
const MORE: &str = "...";
/// What [`MORE`] becomes inside a tag, where XML wants an attribute.
const MORE_ATTRIBUTE: &str = "script-more";
const OPENING: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// One thing a script expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Header(NodePattern),
    Stanza(NodePattern),
    End,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodePattern {
    namespace: String,
    name: String,
    attributes: BTreeMap<(String, String), Template>,
    more_attributes: bool,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(Template),
    Children(Vec<ChildPattern>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ChildPattern {
    Node(NodePattern),
    More,
}

impl Pattern {
    /// Everything `text` expects, in order: stanzas, a stream header alone, or the end of the stream.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let xml = more_as_attribute(text.trim());
        let mut reader = StreamReader::new();
        let opens = xml.starts_with("<stream:stream") || xml.starts_with("<?xml");
        let mut items = if opens {
            Vec::new()
        } else {
            reader.feed(OPENING.as_bytes())?;
            Vec::new()
        };
        items.extend(reader.feed(xml.as_bytes())?);
        if reader.is_inside() {
            return Err(format!("this XML is not complete: {text}"));
        }
        if items.is_empty() {
            return Err("there is no XML here".to_owned());
        }
        items
            .into_iter()
            .map(|(item, _)| match item {
                Item::Header(node) => Ok(Self::Header(NodePattern::new(&node)?)),
                Item::Stanza(node) => Ok(Self::Stanza(NodePattern::new(&node)?)),
                Item::End => Ok(Self::End),
                Item::Closed => Ok(Self::Closed),
            })
            .collect()
    }

    /// Compares; names used for the first time get their value in `scope`.
    ///
    /// The error says where the first difference is.
    pub(crate) fn compare(&self, item: &Item, scope: &mut Scope) -> Result<(), String> {
        let mut trial = scope.clone();
        match (self, item) {
            (Self::Header(pattern), Item::Header(node))
            | (Self::Stanza(pattern), Item::Stanza(node)) => pattern.compare(node, &mut trial)?,
            (Self::End, Item::End) | (Self::Closed, Item::Closed) => {}
            _ => return Err("that is something else".to_owned()),
        }
        *scope = trial;
        Ok(())
    }
}

impl NodePattern {
    fn new(node: &Node) -> Result<Self, String> {
        let mut attributes = node
            .attributes
            .iter()
            .map(|(name, value)| Ok((name.clone(), Template::parse(value)?)))
            .collect::<Result<BTreeMap<_, _>, String>>()?;
        let more = (String::new(), MORE_ATTRIBUTE.to_owned());
        Ok(Self {
            namespace: node.namespace.clone(),
            name: node.name.clone(),
            more_attributes: attributes.remove(&more).is_some(),
            attributes,
            content: Content::new(node)?,
        })
    }

    fn compare(&self, node: &Node, scope: &mut Scope) -> Result<(), String> {
        if self.name != node.name {
            return Err(format!("wanted <{}>, not <{}>", self.name, node.name));
        }
        if self.namespace != node.namespace {
            return Err(format!(
                "<{}> wants the namespace {:?}, not {:?}",
                self.name, self.namespace, node.namespace
            ));
        }
        self.compare_attributes(node, scope)?;
        match &self.content {
            Content::Text(text) => {
                if let Some(child) = node.nodes().first() {
                    return Err(format!("<{}> has a child too many: {child}", self.name));
                }
                if !text.fits(node.text().as_bytes(), scope) {
                    return Err(format!(
                        "<{}> wants the text {:?}, not {:?}",
                        self.name,
                        text.describe(scope),
                        node.text()
                    ));
                }
                Ok(())
            }
            Content::Children(children) => {
                let open = children.contains(&ChildPattern::More);
                if !open && !node.text().trim().is_empty() {
                    return Err(format!("<{}> has the text {:?}", self.name, node.text()));
                }
                compare_children(children, &node.nodes(), scope)
                    .map_err(|why| format!("in <{}>: {why}", self.name))
            }
        }
    }

    fn compare_attributes(&self, node: &Node, scope: &mut Scope) -> Result<(), String> {
        for (key @ (_, name), template) in &self.attributes {
            let value = node
                .attributes
                .get(key)
                .ok_or_else(|| format!("<{}> wants an attribute {name}", self.name))?;
            if !template.fits(value.as_bytes(), scope) {
                return Err(format!(
                    "<{}> wants {name}={:?}, not {value:?}",
                    self.name,
                    template.describe(scope)
                ));
            }
        }
        let extra = node
            .attributes
            .iter()
            .find(|(key, _)| !self.attributes.contains_key(key));
        match extra {
            Some(((_, name), value)) if !self.more_attributes => Err(format!(
                "<{}> has an attribute too many: {name}={value:?}",
                self.name
            )),
            _ => Ok(()),
        }
    }
}

impl Content {
    fn new(node: &Node) -> Result<Self, String> {
        let open = node
            .children
            .iter()
            .any(|child| matches!(child, Child::Text(text) if text.trim() == MORE));
        if node.nodes().is_empty() && !open {
            return Ok(Self::Text(Template::parse(&node.text())?));
        }
        let mut children = Vec::new();
        for child in &node.children {
            match child {
                Child::Node(node) => children.push(ChildPattern::Node(NodePattern::new(node)?)),
                Child::Text(text) if text.trim() == MORE => children.push(ChildPattern::More),
                Child::Text(text) if text.trim().is_empty() => {}
                Child::Text(text) => {
                    return Err(format!("text between elements: {:?}", text.trim()));
                }
            }
        }
        Ok(Self::Children(children))
    }
}

fn compare_children(
    wanted: &[ChildPattern],
    got: &[&Node],
    scope: &mut Scope,
) -> Result<(), String> {
    match (wanted.split_first(), got.split_first()) {
        (None, None) => Ok(()),
        (None, Some((extra, _))) => Err(format!("a child too many: {extra}")),
        (Some((ChildPattern::Node(pattern), _)), None) => {
            Err(format!("<{}> is missing", pattern.name))
        }
        (Some((ChildPattern::Node(pattern), wanted)), Some((node, got))) => {
            pattern.compare(node, scope)?;
            compare_children(wanted, got, scope)
        }
        (Some((ChildPattern::More, wanted)), _) => {
            let mut why = None;
            for skipped in 0..=got.len() {
                let mut trial = scope.clone();
                match compare_children(wanted, &got[skipped..], &mut trial) {
                    Ok(()) => {
                        *scope = trial;
                        return Ok(());
                    }
                    // The child of the right name is the one that was meant.
                    Err(reason) if begins_with(wanted, got.get(skipped)) => why = Some(reason),
                    Err(reason) => {
                        why.get_or_insert(reason);
                    }
                }
            }
            Err(why.unwrap_or_default())
        }
    }
}

fn begins_with(wanted: &[ChildPattern], got: Option<&&Node>) -> bool {
    match (wanted.first(), got) {
        (Some(ChildPattern::Node(pattern)), Some(node)) => pattern.name == node.name,
        _ => false,
    }
}

/// Turns `...` inside tags into an attribute, so that an XML parser reads the pattern.
fn more_as_attribute(text: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    let mut quote = None;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if in_tag && quote.is_none() && rest.starts_with(MORE) {
            out.push_str(&format!("{MORE_ATTRIBUTE}=''"));
            rest = &rest[MORE.len()..];
            continue;
        }
        match (letter, quote) {
            ('<', None) => in_tag = true,
            ('>', None) => in_tag = false,
            ('\'' | '"', None) if in_tag => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            _ => {}
        }
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        pattern: &'static str,
        came: &'static str,
        /// Part of the reason, or `None` if it fits.
        why: Option<&'static str>,
    }

    const IQ: &str =
        "<iq type='result' id='1' to='sam@push.lan'><q xmlns='x'><a>1</a><b/></q></iq>";

    const CASES: &[Case] = &[
        Case {
            name: "the same",
            pattern: IQ,
            came: IQ,
            why: None,
        },
        Case {
            name: "other quotes, order, prefix and indentation",
            pattern: IQ,
            came: "<iq to=\"sam@push.lan\" id='1' type='result'>\n <p:q xmlns:p='x'><p:a>1</p:a> <p:b></p:b></p:q></iq>",
            why: None,
        },
        Case {
            name: "missing attribute",
            pattern: IQ,
            came: "<iq type='result' id='1'><q xmlns='x'><a>1</a><b/></q></iq>",
            why: Some("<iq> wants an attribute to"),
        },
        Case {
            name: "extra attribute",
            pattern: "<iq id='1'/>",
            came: "<iq id='1' type='get'/>",
            why: Some("an attribute too many: type"),
        },
        Case {
            name: "extra attribute allowed",
            pattern: "<iq id='1' .../>",
            came: "<iq id='1' type='get'/>",
            why: None,
        },
        Case {
            name: "wrong attribute",
            pattern: "<iq id='1'/>",
            came: "<iq id='2'/>",
            why: Some("<iq> wants id=\"1\", not \"2\""),
        },
        Case {
            name: "empty attribute is not a missing one",
            pattern: "<iq id='{any}'/>",
            came: "<iq/>",
            why: Some("wants an attribute id"),
        },
        Case {
            name: "missing child",
            pattern: IQ,
            came: "<iq type='result' id='1' to='sam@push.lan'><q xmlns='x'><a>1</a></q></iq>",
            why: Some("in <iq>: in <q>: <b> is missing"),
        },
        Case {
            name: "extra child",
            pattern: "<iq><q xmlns='x'><a>1</a></q></iq>",
            came: "<iq><q xmlns='x'><a>1</a><b/></q></iq>",
            why: Some("a child too many: <b"),
        },
        Case {
            name: "child of a leaf",
            pattern: "<iq/>",
            came: "<iq><b/></iq>",
            why: Some("<iq> has a child too many"),
        },
        Case {
            name: "further children allowed",
            pattern: "<q xmlns='x'><a/>...</q>",
            came: "<q xmlns='x'><a/><b/><c/></q>",
            why: None,
        },
        Case {
            name: "further children allowed in the middle only",
            pattern: "<q xmlns='x'>...<b/></q>",
            came: "<q xmlns='x'><a/><b/><c/></q>",
            why: Some("in <q>:"),
        },
        Case {
            name: "wrong order",
            pattern: "<q xmlns='x'><a/><b/></q>",
            came: "<q xmlns='x'><b/><a/></q>",
            why: Some("wanted <a>, not <b>"),
        },
        Case {
            name: "wrong text",
            pattern: "<a>1</a>",
            came: "<a>1 </a>",
            why: Some("<a> wants the text \"1\", not \"1 \""),
        },
        Case {
            name: "text where children should be",
            pattern: "<iq><a/></iq>",
            came: "<iq>oops<a/></iq>",
            why: Some("<iq> has the text \"oops\""),
        },
        Case {
            name: "anything inside",
            pattern: "<a>...</a>",
            came: "<a>text<b/></a>",
            why: None,
        },
        Case {
            name: "wrong namespace",
            pattern: "<iq><q xmlns='x'/></iq>",
            came: "<iq><q xmlns='y'/></iq>",
            why: Some("namespace \"x\", not \"y\""),
        },
        Case {
            name: "namespace of the stream",
            pattern: "<stream:error><conflict xmlns='s'/></stream:error>",
            came: "<error><conflict xmlns='s'/></error>",
            why: Some("namespace \"http://etherx"),
        },
        Case {
            name: "a name must mean the same everywhere",
            pattern: "<iq id='{id}'><a>{id}</a></iq>",
            came: "<iq id='1'><a>2</a></iq>",
            why: Some("wants the text \"1\""),
        },
        Case {
            name: "escapes mean the same",
            pattern: "<a>&lt;&amp; 😀</a>",
            came: "<a>&#60;&#x26; &#128512;</a>",
            why: None,
        },
        Case {
            name: "another kind of thing",
            pattern: "</stream:stream>",
            came: "<iq/>",
            why: Some("something else"),
        },
    ];

    fn read(text: &str) -> Item {
        let mut reader = StreamReader::new();
        reader.feed(OPENING.as_bytes()).unwrap();
        reader.feed(text.as_bytes()).unwrap().remove(0).0
    }

    #[test]
    fn compared() {
        for case in CASES {
            let pattern = Pattern::parse(case.pattern).unwrap().remove(0);
            let got = pattern.compare(&read(case.came), &mut Scope::default());
            match (case.why, got) {
                (None, Ok(())) => {}
                (Some(part), Err(why)) if why.contains(part) => {}
                (_, got) => panic!("{}: {got:?}", case.name),
            }
        }
    }

    #[test]
    fn a_name_is_kept_only_if_everything_fits() {
        let mut scope = Scope::default();
        let pattern = &Pattern::parse("<iq id='{id}'><a/></iq>").unwrap()[0];
        assert!(pattern.compare(&read("<iq id='1'/>"), &mut scope).is_err());
        assert_eq!(scope.get("id"), None);
        pattern
            .compare(&read("<iq id='1'><a/></iq>"), &mut scope)
            .unwrap();
        assert_eq!(scope.get("id"), Some("1"));
    }

    #[test]
    fn several_at_once() {
        let patterns = Pattern::parse("<stream:error>...</stream:error></stream:stream>").unwrap();
        assert!(matches!(patterns[..], [Pattern::Stanza(_), Pattern::End]));
        let header = Pattern::parse(
            "<stream:stream xmlns='jabber:client' \
            xmlns:stream='http://etherx.jabber.org/streams' ...>",
        );
        assert!(matches!(header.unwrap()[..], [Pattern::Header(_)]));
    }

    #[test]
    fn not_a_pattern() {
        for text in [
            "",
            "  ",
            "<iq>",
            "<iq></presence>",
            "<iq id='{a b}'/>",
            "<a>x<b/></a>",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
