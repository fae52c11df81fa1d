//! XEP-0115 Entity Capabilities: what a client can do, asked once for all clients of its kind.

use base64ct::{Base64, Encoding as _};
use minidom::Element;
use rxml::Namespace;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::limits;
use crate::xmpp::ns;
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, attr, name};

/// This feature's namespace.
pub const NS: &str = "http://jabber.org/protocol/caps";
/// XEP-0004, by which clients say more of themselves.
const FORMS: &str = "jabber:x:data";
/// Our questions have ids of their own; numbered pings and notifications look different.
const QUESTION: &str = "caps-";

/// What a client says about itself with its presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    node: String,
    ver: String,
    hash: String,
}

impl Caps {
    /// What a presence announces, or `None` if it is nothing that can be asked about.
    #[must_use]
    pub fn of(presence: &Element) -> Option<Self> {
        let caps = presence.get_child("c", NS)?;
        let part = |name| attr(caps, name).filter(|text| text.len() <= limits::CAPS_PART);
        let some = |text: &&str| !text.is_empty();
        Some(Self {
            node: part("node").filter(some)?.to_owned(),
            ver: part("ver").filter(some)?.to_owned(),
            hash: part("hash").unwrap_or_default().to_owned(),
        })
    }

    /// Names these capabilities in a table.
    #[must_use]
    pub fn key(&self) -> [u8; 20] {
        let mut digest = Sha1::new();
        for part in [&self.hash, &self.node, &self.ver] {
            digest.update(part);
            digest.update([0]);
        }
        digest.finalize().into()
    }

    /// §5.4: whether an answer is what the client has promised, so that it counts for others too.
    #[must_use]
    pub fn fits(&self, info: &Element) -> bool {
        let Some(text) = verification(info) else {
            return false;
        };
        let digest = match self.hash.as_str() {
            "sha-1" => Base64::encode_string(&Sha1::digest(text)),
            "sha-256" => Base64::encode_string(&Sha256::digest(text)),
            _ => return false,
        };
        digest == self.ver
    }

    /// §6.2: asks a client what the hash stands for.
    pub fn write_question(&self, number: u32, bound: &Bound, out: &mut Vec<u8>) {
        let query = Element::builder("query", ns::DISCO_INFO)
            .attr(name("node"), format!("{}#{}", self.node, self.ver))
            .build();
        let question = Element::builder("iq", ns::CLIENT)
            .attr(name("type"), "get")
            .attr(name("id"), format!("{QUESTION}{number}"))
            .attr(name("from"), &*bound.domain)
            .attr(name("to"), bound.to_string())
            .append(query)
            .build();
        stanza::write(question, out);
    }
}

/// The number of the question that an answer or an error belongs to, if it was one of ours.
#[must_use]
pub fn question(id: &str) -> Option<u32> {
    id.strip_prefix(QUESTION)?.parse().ok()
}

/// §5.1: the `ver` of what an entity says about itself, by SHA-1; `None` if it cannot be hashed.
#[must_use]
pub fn hash(info: &Element) -> Option<String> {
    verification(info).map(|text| Base64::encode_string(&Sha1::digest(text)))
}

/// §5.1: the text that is hashed. `None` if a client may have said one thing and meant another (§5.4, rule 3):
/// something is there twice, or holds the sign that separates parts.
fn verification(info: &Element) -> Option<String> {
    let mut identities = Vec::new();
    let mut features = Vec::new();
    let mut forms = Vec::new();
    for child in info.children() {
        let part = |name| attr(child, name).unwrap_or_default();
        if child.is("identity", ns::DISCO_INFO) {
            let lang = child.attr_ns(&Namespace::XML, "lang").unwrap_or_default();
            let (category, kind, name) = (part("category"), part("type"), part("name"));
            identities.push(separable(format!("{category}/{kind}/{lang}/{name}"))?);
        } else if child.is("feature", ns::DISCO_INFO) {
            features.push(separable(part("var").to_owned())?);
        } else if child.is("x", FORMS) {
            forms.extend(form(child)?);
        }
    }
    let mut text = String::new();
    for parts in [&mut identities, &mut features, &mut forms] {
        parts.sort_unstable();
        if parts.windows(2).any(|pair| pair.first() == pair.last()) {
            return None;
        }
        for part in parts {
            text.push_str(part);
            text.push('<');
        }
    }
    Some(text)
}

/// §5.4, rule 3.6: a form counts if its kind is hidden in it. Its own parts are in order.
#[expect(
    clippy::option_option,
    reason = "a form that does not count is no fault"
)]
fn form(form: &Element) -> Option<Option<String>> {
    let values = |field: &Element| -> Option<Vec<String>> {
        let values = field.children().filter(|child| child.is("value", FORMS));
        let mut values: Vec<String> = values
            .map(|value| separable(value.text()))
            .collect::<Option<_>>()?;
        values.sort_unstable();
        Some(values)
    };
    let mut kind = None;
    let mut fields = Vec::new();
    for field in form.children().filter(|child| child.is("field", FORMS)) {
        let var = separable(attr(field, "var").unwrap_or_default().to_owned())?;
        let values = values(field)?;
        if var == "FORM_TYPE" {
            if attr(field, "type") != Some("hidden") || kind.is_some() || values.len() != 1 {
                return Some(None);
            }
            kind = values.into_iter().next();
        } else {
            fields.push((var, values));
        }
    }
    fields.sort_unstable();
    let parts = fields
        .into_iter()
        .flat_map(|(var, values)| std::iter::once(var).chain(values));
    Some(kind.map(|kind| {
        let all: Vec<String> = std::iter::once(kind).chain(parts).collect();
        all.join("<")
    }))
}

fn separable(part: String) -> Option<String> {
    (!part.contains('<')).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §5.2, a client that says little.
    const SIMPLE: &str = "<query xmlns='http://jabber.org/protocol/disco#info' \
         node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>\
         <identity category='client' type='pc' name='Exodus 0.9.1'/>\
         <feature var='http://jabber.org/protocol/caps'/>\
         <feature var='http://jabber.org/protocol/muc'/>\
         <feature var='http://jabber.org/protocol/disco#items'/>\
         <feature var='http://jabber.org/protocol/disco#info'/></query>";
    /// §5.3, one that has two languages and a form.
    const COMPLEX: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
         <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
         <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
         <feature var='http://jabber.org/protocol/caps'/>\
         <feature var='http://jabber.org/protocol/disco#info'/>\
         <feature var='http://jabber.org/protocol/disco#items'/>\
         <feature var='http://jabber.org/protocol/muc'/>\
         <x xmlns='jabber:x:data' type='result'>\
         <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
         <field var='ip_version'><value>ipv4</value><value>ipv6</value></field>\
         <field var='os'><value>Mac</value></field>\
         <field var='os_version'><value>10.5.1</value></field>\
         <field var='software'><value>Psi</value></field>\
         <field var='software_version'><value>0.11</value></field></x></query>";

    fn caps(ver: &str) -> Caps {
        let presence = format!(
            "<presence xmlns='jabber:client'><c xmlns='{NS}' hash='sha-1' node='n' ver='{ver}'/></presence>"
        );
        Caps::of(&presence.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_hashes_of_the_specification() {
        let [simple, complex]: [Element; 2] = [SIMPLE, COMPLEX].map(|text| text.parse().unwrap());
        assert_eq!(
            hash(&simple).as_deref(),
            Some("QgayPKawpkPSDYmwT/WM94uAlu0=")
        );
        assert!(caps("QgayPKawpkPSDYmwT/WM94uAlu0=").fits(&simple));
        assert!(caps("q07IKJEyjvHSyhy//CH0CxmKi8w=").fits(&complex));
        assert!(!caps("QgayPKawpkPSDYmwT/WM94uAlu0=").fits(&complex));
        assert!(!caps("q07IKJEyjvHSyhy//CH0CxmKi8w=").fits(&simple));
    }

    #[test]
    fn what_may_mean_two_things_fits_nothing() {
        let twice = "<feature var='http://jabber.org/protocol/muc'/>";
        for (name, text) in [
            ("a feature twice", SIMPLE.replace(twice, &twice.repeat(2))),
            ("a separator", SIMPLE.replace("Exodus", "Exo&lt;dus")),
            ("no hash of ours", SIMPLE.to_owned()),
        ] {
            let info: Element = text.parse().unwrap();
            let text = verification(&info);
            assert_eq!(text.is_none(), name != "no hash of ours", "{name}");
            let mut caps = caps("QgayPKawpkPSDYmwT/WM94uAlu0=");
            caps.hash = "md5".into();
            assert!(!caps.fits(&info), "{name}");
        }
    }

    #[test]
    fn what_can_be_asked_about() {
        let long = "v".repeat(limits::CAPS_PART + 1);
        for (caps, asked) in [
            (
                "<c xmlns='http://jabber.org/protocol/caps' node='n' ver='v'/>",
                true,
            ),
            (
                "<c xmlns='http://jabber.org/protocol/caps' node='n'/>",
                false,
            ),
            (
                "<c xmlns='http://jabber.org/protocol/caps' node='' ver='v'/>",
                false,
            ),
            (&format!("<c xmlns='{NS}' node='n' ver='{long}'/>"), false),
            ("<c xmlns='other' node='n' ver='v'/>", false),
            ("", false),
        ] {
            let presence = format!("<presence xmlns='jabber:client'>{caps}</presence>");
            let found = Caps::of(&presence.parse().unwrap());
            assert_eq!(found.is_some(), asked, "{caps}");
        }
    }
}
