//! What a phone reads: the server's bytes, cut into stream header, stanzas and stream end as they come.

use std::collections::BTreeMap;
use std::fmt;

use rxml::error::EndOrError;
use rxml::{AttrMap, Event, Parse, Parser};

/// The namespace of attributes such as `xml:lang`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace a stanza has without saying so.
const CLIENT: &str = "jabber:client";

/// An element with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// By (namespace, name); namespace declarations are not among them.
    pub(crate) attributes: BTreeMap<(String, String), String>,
    pub(crate) children: Vec<Child>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    Node(Node),
    Text(String),
}

/// One thing that came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The opening tag of the stream.
    Header(Node),
    /// An element at the top level of the stream.
    Stanza(Node),
    /// The closing tag of the stream.
    End,
    /// The server has closed the connection.
    Closed,
}

/// Reads a stream, however it is split.
pub(crate) struct StreamReader {
    parser: Parser,
    /// Open elements, the stream itself not among them.
    open: Vec<Node>,
    began: bool,
    /// Bytes of what is not yet an item.
    raw: Vec<u8>,
    /// How many of them the parser has turned into events.
    parsed: usize,
}

impl StreamReader {
    pub(crate) fn new() -> Self {
        Self {
            parser: Parser::new(),
            open: Vec::new(),
            began: false,
            raw: Vec::new(),
            parsed: 0,
        }
    }

    /// Whether something has begun that is not complete.
    pub(crate) fn is_inside(&self) -> bool {
        !self.raw.iter().all(u8::is_ascii_whitespace)
    }

    /// Reads on; each item comes with its bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<(Item, Vec<u8>)>, String> {
        let mut items = Vec::new();
        self.raw.extend(bytes);
        let mut rest = bytes;
        loop {
            match self.parser.parse(&mut rest, false) {
                Ok(Some(event)) => {
                    self.parsed += event.metrics().len();
                    if let Some(item) = self.take(event)? {
                        let raw = self.raw.drain(..self.parsed).collect();
                        self.parsed = 0;
                        items.push((item, raw));
                    }
                }
                Ok(None) | Err(EndOrError::NeedMoreData) => return Ok(items),
                Err(EndOrError::Error(error)) => {
                    let raw = String::from_utf8_lossy(&self.raw);
                    return Err(format!("what came is not XML: {error}\n{raw}"));
                }
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<Option<Item>, String> {
        match event {
            Event::XmlDeclaration(..) => Ok(None),
            Event::StartElement(_, (namespace, name), attributes) => {
                let node = Node {
                    namespace: namespace.as_str().to_owned(),
                    name: name.to_string(),
                    attributes: by_name(attributes),
                    children: Vec::new(),
                };
                if self.began {
                    self.open.push(node);
                    return Ok(None);
                }
                self.began = true;
                Ok(Some(Item::Header(node)))
            }
            Event::Text(_, text) => match self.open.last_mut() {
                Some(node) => {
                    node.append(text);
                    Ok(None)
                }
                None if text.trim().is_empty() => Ok(None),
                None => Err(format!("text between stanzas: {text:?}")),
            },
            Event::EndElement(_) => {
                let Some(node) = self.open.pop() else {
                    return Ok(Some(Item::End));
                };
                match self.open.last_mut() {
                    Some(parent) => {
                        parent.children.push(Child::Node(node));
                        Ok(None)
                    }
                    None => Ok(Some(Item::Stanza(node))),
                }
            }
        }
    }
}

fn by_name(attributes: AttrMap) -> BTreeMap<(String, String), String> {
    attributes
        .iter()
        .map(|((namespace, name), value)| {
            (
                (namespace.as_str().to_owned(), name.to_string()),
                value.clone(),
            )
        })
        .collect()
}

impl Node {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .get(&(String::new(), name.to_owned()))
            .map(String::as_str)
    }

    /// The text directly in the element.
    pub(crate) fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|child| match child {
                Child::Text(text) => Some(text.as_str()),
                Child::Node(_) => None,
            })
            .collect()
    }

    /// The elements directly in the element.
    pub(crate) fn nodes(&self) -> Vec<&Node> {
        self.children
            .iter()
            .filter_map(|child| match child {
                Child::Node(node) => Some(node),
                Child::Text(_) => None,
            })
            .collect()
    }

    /// The opening tag without its closing bracket; the namespace is said where it differs from the parent's.
    fn tag(&self, parent: &str) -> String {
        let mut tag = format!("<{}", self.name);
        if self.namespace != parent {
            tag.push_str(&format!(" xmlns='{}'", self.namespace));
        }
        for ((namespace, name), value) in &self.attributes {
            let prefix = match namespace.as_str() {
                "" => String::new(),
                XML => "xml:".to_owned(),
                other => format!("{{{other}}}"),
            };
            tag.push_str(&format!(" {prefix}{name}='{}'", escaped(value)));
        }
        tag
    }

    fn append(&mut self, text: String) {
        match self.children.last_mut() {
            Some(Child::Text(before)) => before.push_str(&text),
            _ => self.children.push(Child::Text(text)),
        }
    }

    fn write(&self, parent: &str, out: &mut String) {
        out.push_str(&self.tag(parent));
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Child::Node(node) => node.write(&self.namespace, out),
                Child::Text(text) => out.push_str(&escaped(text)),
            }
        }
        out.push_str(&format!("</{}>", self.name));
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(CLIENT, &mut text);
        f.write_str(&text)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(node) => write!(f, "{}>", node.tag("")),
            Self::Stanza(node) => node.fmt(f),
            Self::End => f.write_str("</stream:stream>"),
            Self::Closed => f.write_str("(closed by the server)"),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\'', "&apos;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?>\n<stream:stream xmlns='jabber:client' \
        xmlns:stream='http://etherx.jabber.org/streams' id='7'><stream:features/> \
        <iq id='1' type='result'><q xmlns='u:r:n'>5 &lt; 6 😀</q></iq></stream:stream>";
    const READ: [&str; 4] = [
        "<stream xmlns='http://etherx.jabber.org/streams' id='7'>",
        "<features xmlns='http://etherx.jabber.org/streams'/>",
        "<iq id='1' type='result'><q xmlns='u:r:n'>5 &lt; 6 😀</q></iq>",
        "</stream:stream>",
    ];

    #[test]
    fn read_however_it_is_split() {
        for cut in 0..=STREAM.len() {
            let mut reader = StreamReader::new();
            let mut items = reader.feed(&STREAM.as_bytes()[..cut]).unwrap();
            items.extend(reader.feed(&STREAM.as_bytes()[cut..]).unwrap());
            let read: Vec<_> = items.iter().map(|(item, _)| item.to_string()).collect();
            assert_eq!(read, READ, "cut at {cut}");
            let raw: Vec<u8> = items.into_iter().flat_map(|(_, raw)| raw).collect();
            assert_eq!(raw, STREAM.as_bytes(), "cut at {cut}");
            assert!(!reader.is_inside());
        }
    }

    #[test]
    fn what_is_no_stream_is_told() {
        for text in [
            "<stream:stream>",
            "HTTP/1.1 400 <html>",
            "<s xmlns='a'>text</s>",
            "<s xmlns='a'><b></c>",
        ] {
            assert!(StreamReader::new().feed(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_half_stanza_is_inside() {
        let mut reader = StreamReader::new();
        reader.feed(b"<s xmlns='a'><iq id='1'><q/>").unwrap();
        assert!(reader.is_inside());
        reader.feed(b"</iq>\n").unwrap();
        assert!(!reader.is_inside());
    }
}
