//! RFC 6120 §4.8: second pass. Builds the tree of bytes that are known to be complete and within limits,
//! and checks what takes namespaces to check.

use std::collections::BTreeMap;

use minidom::Element;
use minidom::tree_builder::TreeBuilder;
use rxml::{Namespace, Parse, RawEvent, RawParser};

use super::Header;
use super::guard::is_declaration;
use super::scan::parser;
use crate::xmpp::error::StreamError;
use crate::xmpp::ns;

/// The prefix of the streams namespace. RFC 6120 §4.8.5 lets a receiver insist on it.
const STREAM_PREFIX: &str = "stream";

/// Namespaces by prefix; the default namespace has none.
pub(super) type Declared = BTreeMap<Option<String>, String>;

/// Reads the header at the end of `bytes`. What it declares is returned unless it is the usual.
pub(super) fn header(mut bytes: &[u8]) -> Result<(Header, Option<Box<Declared>>), StreamError> {
    let mut parser = parser();
    let mut prefix = None;
    let mut tree = Tree::new(Declared::from([(None, String::new())]));
    loop {
        let event = next(&mut parser, &mut bytes)?;
        if let RawEvent::ElementHeadOpen(_, (found, _)) = &event {
            prefix.clone_from(found);
        }
        tree.grow(event)?;
        if let Some(root) = tree.builder.top() {
            let prefix = prefix.as_ref().map(|prefix| prefix.as_str());
            let declared = check_root(root, prefix)?;
            return Ok((read_header(root), declared));
        }
    }
}

/// RFC 6120 §4.8: the root element's name and the content namespace.
fn check_root(root: &Element, prefix: Option<&str>) -> Result<Option<Box<Declared>>, StreamError> {
    let declared = root.prefixes.declared_prefixes();
    if !root.has_ns(ns::STREAM) {
        return Err(StreamError::InvalidNamespace);
    }
    if prefix != Some(STREAM_PREFIX) {
        return Err(StreamError::BadNamespacePrefix);
    }
    if root.name() != "stream" {
        return Err(StreamError::BadFormat);
    }
    if declared
        .get(&None)
        .is_none_or(|default| default != ns::CLIENT)
    {
        return Err(StreamError::InvalidNamespace);
    }
    Ok((*declared != usual()).then(|| Box::new(declared.clone())))
}

fn read_header(root: &Element) -> Header {
    Header {
        to: root.attr("to").map(str::to_owned),
        from: root.attr("from").map(str::to_owned),
        lang: root.attr_ns(Namespace::xml(), "lang").map(str::to_owned),
        version: root.attr("version").map(str::to_owned),
    }
}

/// Reads the one element of `bytes`. `parser` has to be inside the stream, and is afterwards.
pub(super) fn stanza(
    parser: &mut RawParser,
    mut bytes: &[u8],
    declared: Option<&Declared>,
) -> Result<Element, StreamError> {
    let mut tree = Tree::new(declared.cloned().unwrap_or_else(usual));
    loop {
        tree.grow(next(parser, &mut bytes)?)?;
        if let Some(mut root) = tree.builder.root.take() {
            forget_prefixes(&mut root);
            return Ok(root);
        }
    }
}

/// What nearly every header declares, so that a stream need not remember it.
fn usual() -> Declared {
    Declared::from([
        (None, ns::CLIENT.to_owned()),
        (Some(STREAM_PREFIX.to_owned()), ns::STREAM.to_owned()),
    ])
}

fn next(parser: &mut RawParser, bytes: &mut &[u8]) -> Result<RawEvent, StreamError> {
    match parser.parse(bytes, false) {
        Ok(Some(event)) => Ok(event),
        // The first pass has read the same bytes to their end.
        _ => Err(StreamError::InternalServerError),
    }
}

/// minidom writes declarations it remembers under an assertion, and `xmlns:xml`, which anyone may send,
/// fails it. Without them it declares what it needs.
fn forget_prefixes(element: &mut Element) {
    element.prefixes = Default::default();
    element.children_mut().for_each(forget_prefixes);
}

/// A tree that notices attributes which are two in the text but one in their namespace.
struct Tree {
    builder: TreeBuilder,
    /// Attributes of the open head, declarations aside.
    attributes: usize,
}

impl Tree {
    fn new(declared: Declared) -> Self {
        let builder = TreeBuilder::new().with_prefixes_stack(vec![declared.into()]);
        Self {
            builder,
            attributes: 0,
        }
    }

    fn grow(&mut self, event: RawEvent) -> Result<(), StreamError> {
        let ends_head = matches!(event, RawEvent::ElementHeadClose(_));
        match &event {
            RawEvent::ElementHeadOpen(..) => self.attributes = 0,
            RawEvent::Attribute(_, name, _) if !is_declaration(name) => self.attributes += 1,
            _ => {}
        }
        let undeclared = StreamError::BadNamespacePrefix;
        self.builder.process_event(event).map_err(|_| undeclared)?;
        let element = self.builder.top().filter(|_| ends_head);
        if element.is_some_and(|element| element.attrs().len() != self.attributes) {
            return Err(StreamError::NotWellFormed);
        }
        Ok(())
    }
}
