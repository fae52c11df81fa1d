//! RFC 6120 §13.12: limits on what a header or stanza may hold, and what the parser lets through but must
//! not.

use std::mem;

use rxml::parser::RawQName;
use rxml::{RawEvent, XMLNS_XMLNS};

use crate::limits::{NAMESPACE, STANZA_ATTRIBUTES, STANZA_DEPTH, STANZA_NODES};
use crate::xmpp::error::StreamError;

/// What has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The head of the root element.
    Header,
    /// An element of the top level.
    Stanza,
    /// The root element.
    Stream,
}

/// Watches the events of one header or stanza.
pub(super) struct Guard {
    in_header: bool,
    /// Elements open at this point; in a stanza, itself included.
    depth: usize,
    /// Elements and runs of text so far.
    nodes: usize,
    /// Text comes in pieces that belong to one run.
    in_text: bool,
    /// Names of the attributes of the element whose head is open.
    names: Vec<RawQName>,
}

impl Guard {
    /// For events from the start of a document.
    pub(super) fn header() -> Self {
        Self {
            in_header: true,
            depth: 0,
            nodes: 0,
            in_text: false,
            names: Vec::new(),
        }
    }

    /// For events from inside the root element.
    pub(super) fn stanza() -> Self {
        Self {
            in_header: false,
            ..Self::header()
        }
    }

    /// Judges the next event, and says whether it is the last.
    pub(super) fn check(&mut self, event: &RawEvent) -> Result<Option<End>, StreamError> {
        let is_text = matches!(event, RawEvent::Text(..));
        let was_text = mem::replace(&mut self.in_text, is_text);
        match event {
            RawEvent::XmlDeclaration(..) => {}
            RawEvent::ElementHeadOpen(_, name) => self.open(name)?,
            RawEvent::Attribute(_, name, value) => self.attribute(name, value)?,
            RawEvent::ElementHeadClose(_) => {
                self.names = Vec::new();
                if self.in_header {
                    return Ok(Some(End::Header));
                }
            }
            // Whitespace is gone before a scan begins, so this was a CDATA section.
            RawEvent::Text(..) if self.depth == 0 => return Err(StreamError::BadFormat),
            RawEvent::Text(..) if was_text => {}
            RawEvent::Text(..) => self.node()?,
            RawEvent::ElementFoot(_) => return Ok(self.close()),
        }
        Ok(None)
    }

    fn open(&mut self, (prefix, name): &RawQName) -> Result<(), StreamError> {
        let prefix = prefix.as_ref().map(|prefix| prefix.as_str());
        // Attributes may be called `xml:…`, elements have no business to.
        if matches!(prefix, Some("xml" | "xmlns")) {
            return Err(StreamError::BadNamespacePrefix);
        }
        // A second header would be a stanza that never ends.
        let is_header = prefix == Some("stream") && name.as_str() == "stream";
        if is_header && self.depth == 0 && !self.in_header {
            return Err(StreamError::UnsupportedStanzaType);
        }
        self.depth += 1;
        if self.depth > STANZA_DEPTH {
            return Err(StreamError::PolicyViolation);
        }
        self.node()
    }

    fn node(&mut self) -> Result<(), StreamError> {
        self.nodes += 1;
        if self.nodes > STANZA_NODES {
            return Err(StreamError::PolicyViolation);
        }
        Ok(())
    }

    fn attribute(&mut self, name: &RawQName, value: &str) -> Result<(), StreamError> {
        if self.names.contains(name) {
            return Err(StreamError::NotWellFormed);
        }
        if self.names.len() >= STANZA_ATTRIBUTES {
            return Err(StreamError::PolicyViolation);
        }
        self.names.push(name.clone());
        if !is_declaration(name) {
            return Ok(());
        }
        // Namespaces in XML 1.0 §3: it belongs to the prefix `xmlns` and must not be declared.
        if value == XMLNS_XMLNS {
            return Err(StreamError::NotWellFormed);
        }
        if value.len() > NAMESPACE {
            return Err(StreamError::PolicyViolation);
        }
        Ok(())
    }

    fn close(&mut self) -> Option<End> {
        let end = match self.depth {
            0 => Some(End::Stream),
            1 => Some(End::Stanza),
            _ => None,
        };
        self.depth = self.depth.saturating_sub(1);
        end
    }
}

/// Whether an attribute declares a namespace.
pub(super) fn is_declaration((prefix, name): &RawQName) -> bool {
    match prefix {
        Some(prefix) => prefix.as_str() == "xmlns",
        None => name.as_str() == "xmlns",
    }
}
