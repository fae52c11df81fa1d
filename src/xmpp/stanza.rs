//! RFC 6120 §8: views of incoming stanzas, and the replies to them.

use std::borrow::Cow;

use minidom::Element;
use rxml::{Namespace, NcName};

use super::error::StanzaError;
use super::ns;
use crate::limits;

/// An IQ request that is well enough formed to be routed: it has an id and one child.
#[derive(Clone, Copy, Debug)]
pub struct Iq<'a> {
    /// The whole stanza.
    pub element: &'a Element,
    /// `set` rather than `get`.
    pub is_set: bool,
    /// Whom it is addressed to, if anybody.
    pub to: Option<&'a str>,
    /// Its only child.
    pub payload: &'a Element,
}

/// A child's text without surrounding white space; empty if there is no such child.
#[must_use]
pub fn child_text(parent: &Element, name: &str) -> String {
    parent
        .children()
        .find(|child| child.name() == name && child.ns() == parent.ns())
        .map(|child| child.text().trim().to_owned())
        .unwrap_or_default()
}

/// A child's text as it stands, or `None` if there is no such child.
#[must_use]
pub fn child_text_verbatim(parent: &Element, name: &str) -> Option<String> {
    parent
        .children()
        .find(|child| child.name() == name && child.ns() == parent.ns())
        .map(Element::text)
}

/// Whether a child of this name and the parent's namespace exists.
#[must_use]
pub fn has_child(parent: &Element, name: &str) -> bool {
    parent
        .children()
        .any(|child| child.name() == name && child.ns() == parent.ns())
}

/// An attribute in no namespace.
#[must_use]
pub fn attr<'a>(element: &'a Element, name: &'static str) -> Option<&'a str> {
    element.attr(name)
}

/// Sets an attribute in no namespace, replacing the one that is there.
pub fn set_attr(element: &mut Element, attribute: &'static str, value: &str) {
    element
        .attrs_mut()
        .insert(Namespace::NONE, name(attribute), value.to_owned());
}

/// One of this server's own attribute names, as minidom wants it.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "only literals of ours come here, and every one is tested"
)]
pub fn name(literal: &'static str) -> NcName {
    NcName::try_from(literal).expect("a literal attribute name")
}

/// Text without the characters XML 1.0 (§2.2) cannot carry, on which the writer would panic.
#[must_use]
pub fn xml_text(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml_char) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| is_xml_char(*c)).collect())
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Appends a stanza as it stands inside a stream whose default namespace is `jabber:client`.
pub fn write(stanza: Element, out: &mut Vec<u8>) {
    const HEAD: &[u8] = b"<s xmlns='jabber:client'>";
    const FOOT: &[u8] = b"</s>";
    // The wrapper declares the namespace, so that the stanza need not repeat it.
    let wrapped = Element::builder("s", ns::CLIENT).append(stanza).build();
    let start = out.len();
    let written = wrapped.write_to(out);
    let end = out.len();
    if written.is_err() || end - start < HEAD.len() + FOOT.len() {
        log::error!("a stanza could not be written: {written:?}");
        out.truncate(start);
        return;
    }
    out.truncate(end - FOOT.len());
    out.drain(start..start + HEAD.len());
}

/// A stanza as [`write`](fn@write) has written it.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(bytes).ok()?;
    let wrapped = format!("<s xmlns='{}'>{text}</s>", ns::CLIENT);
    let mut wrapped: Element = wrapped.parse().ok()?;
    wrapped.unshift_child()
}

/// An empty element that holds `text`.
#[must_use]
pub fn text_element(name: &str, namespace: &str, text: &str) -> Element {
    let mut element = Element::bare(name, namespace);
    if !text.is_empty() {
        element.append_text(text);
    }
    element
}

/// The positive answer to an IQ (RFC 6120 §8.2.3).
#[must_use]
pub fn result(request: &Element, to: &str, payload: Option<Element>) -> Element {
    let mut reply = answer("iq", request, "result", to);
    if let Some(payload) = payload {
        reply.append_child(payload);
    }
    reply
}

/// Appends the negative answer to any stanza: why it was refused, and what was sent unless that is long
/// (RFC 6120 §8.3.1).
pub fn write_error(request: &Element, to: &str, why: StanzaError, out: &mut Vec<u8>) {
    let start = out.len();
    write(error(request, to, why, true), out);
    if out.len() - start > limits::ECHO_BYTES {
        out.truncate(start);
        write(error(request, to, why, false), out);
    }
}

fn error(request: &Element, to: &str, error: StanzaError, echo: bool) -> Element {
    let mut reply = answer(request.name(), request, "error", to);
    for child in request.children().filter(|_| echo) {
        reply.append_child(child.clone());
    }
    let mut why = Element::builder("error", ns::CLIENT)
        .attr(name("code"), error.code())
        .attr(name("type"), error.kind())
        .append(Element::bare(error.condition(), ns::STANZAS));
    if let Some((name, namespace)) = error.specific() {
        why = why.append(Element::bare(name, namespace));
    }
    reply.append_child(why.build());
    reply
}

fn answer(kind: &str, request: &Element, answer_type: &str, to: &str) -> Element {
    let mut reply = Element::builder(kind, ns::CLIENT).attr(name("type"), answer_type);
    if let Some(id) = attr(request, "id") {
        reply = reply.attr(name("id"), id);
    }
    // An answer comes from whom the question was addressed to.
    if let Some(from) = attr(request, "to") {
        reply = reply.attr(name("from"), from);
    }
    reply.attr(name("to"), to).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Element {
        xml.parse().unwrap()
    }

    fn written(stanza: Element) -> String {
        let mut out = b"before".to_vec();
        write(stanza, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn stanzas_are_written_without_the_streams_namespace() {
        let stanza = Element::builder("iq", ns::CLIENT)
            .attr(name("id"), "1")
            .append(Element::bare("query", "jabber:iq:auth"))
            .build();
        assert_eq!(
            written(stanza),
            "before<iq id='1'><query xmlns='jabber:iq:auth'/></iq>"
        );
    }

    #[test]
    fn what_was_written_can_be_read() {
        let stanza = parse(
            "<message xmlns='jabber:client' id='1'><body>a&lt;b</body><x xmlns='x'/></message>",
        );
        let again = read(
            written(stanza.clone())
                .strip_prefix("before")
                .unwrap()
                .as_bytes(),
        );
        assert_eq!(again, Some(stanza));
        assert_eq!(read(b"<message"), None);
    }

    #[test]
    fn a_result_has_the_requests_id_and_comes_from_whom_it_was_sent_to() {
        let request =
            parse("<iq xmlns='jabber:client' type='get' id='7' to='lan'><q xmlns='x'/></iq>");
        let reply = result(&request, "sam@lan/phone", None);
        assert_eq!(attr(&reply, "id"), Some("7"));
        assert_eq!(attr(&reply, "type"), Some("result"));
        assert_eq!(attr(&reply, "from"), Some("lan"));
        assert_eq!(attr(&reply, "to"), Some("sam@lan/phone"));
    }

    #[test]
    fn every_error_has_its_condition_and_code_and_echoes_the_request() {
        let request =
            parse("<iq xmlns='jabber:client' type='get' id='7'><q xmlns='x'><a/></q></iq>");
        for (condition, code) in [
            (StanzaError::NotAuthorized, "401"),
            (StanzaError::Conflict, "409"),
            (StanzaError::NotAcceptable, "406"),
            (StanzaError::ServiceUnavailable, "503"),
        ] {
            let reply = error(&request, "lan/1", condition, true);
            assert!(reply.get_child("q", "x").unwrap().has_child("a", "x"));
            let error = reply.get_child("error", ns::CLIENT).unwrap();
            assert_eq!(attr(error, "code"), Some(code));
            assert!(error.has_child(condition.condition(), ns::STANZAS));
        }
    }

    #[test]
    fn characters_xml_cannot_carry_are_left_out() {
        assert_eq!(
            xml_text("a\u{0}b\u{b}c\u{fffe}d\te\n\u{1f600}"),
            "abcd\te\n\u{1f600}"
        );
        assert!(matches!(xml_text("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn a_long_request_is_not_sent_back() {
        let mut request = Element::bare("iq", ns::CLIENT);
        request.append_child(text_element(
            "q",
            "x",
            &"long ".repeat(limits::ECHO_BYTES / 5),
        ));
        let mut out = Vec::new();
        write_error(&request, "lan/1", StanzaError::BadRequest, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("bad-request") && !text.contains("long"),
            "{}",
            text.len()
        );
    }
}
