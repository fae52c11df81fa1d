//! RFC 6120 §11: first pass. Finds the end of a header or stanza in bytes that come in pieces.

use std::fmt;

use minidom::Element;
use rxml::error::EndOrError;
use rxml::{Options, Parse, RawEvent, RawParser, WithOptions};

use super::guard::{End, Guard};
use super::tree::{self, Declared};
use crate::limits::XML_TOKEN;
use crate::xmpp::error::StreamError;

/// A header or stanza under way.
pub(super) struct Scan {
    parser: RawParser,
    guard: Guard,
    /// All of it that has come.
    bytes: Vec<u8>,
    /// How many of `bytes` are known to be whole characters.
    decoded: usize,
}

impl Scan {
    /// Looks for the end of a stream header.
    pub(super) fn header() -> Self {
        Self::new(parser(), Guard::header())
    }

    /// Looks for the end of a stanza, or of the stream.
    pub(super) fn stanza() -> Self {
        let mut parser = parser();
        // A parser that believes to be inside the stream costs less than one kept between stanzas.
        let mut head = &b"<stream:stream>"[..];
        while parser.parse(&mut head, false).is_ok() {}
        Self::new(parser, Guard::stanza())
    }

    fn new(parser: RawParser, guard: Guard) -> Self {
        Self {
            parser,
            guard,
            bytes: Vec::new(),
            decoded: 0,
        }
    }

    /// Takes bytes off `input` up to the end, or all of it. The limit is reached when that many bytes
    /// have come without an end, whatever the parser makes of them.
    pub(super) fn run(
        &mut self,
        input: &mut &[u8],
        limit: usize,
    ) -> Result<Option<End>, StreamError> {
        let room = limit.saturating_sub(self.bytes.len()).min(input.len());
        let (mut unread, _) = input.split_at(room);
        let outcome = self.read(&mut unread);
        let (taken, rest) = input.split_at(room - unread.len());
        *input = rest;
        self.bytes.reserve_exact(taken.len());
        self.bytes.extend_from_slice(taken);
        self.check_encoding()?;
        match outcome? {
            None if self.bytes.len() >= limit => Err(StreamError::PolicyViolation),
            None => {
                self.parser.release_temporaries();
                Ok(None)
            }
            end => Ok(end),
        }
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<End>, StreamError> {
        loop {
            match self.parser.parse(input, false) {
                Ok(Some(event)) => {
                    if let Some(end) = self.guard.check(&event)? {
                        return Ok(Some(end));
                    }
                }
                Ok(None) | Err(EndOrError::NeedMoreData) => return Ok(None),
                Err(EndOrError::Error(error)) => return Err(condition(error)),
            }
        }
    }

    /// The parser notices bad UTF-8 only at the end of the text or name that holds it, which may never
    /// come.
    fn check_encoding(&mut self) -> Result<(), StreamError> {
        let new = self.bytes.get(self.decoded..).unwrap_or_default();
        self.decoded += match std::str::from_utf8(new) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(StreamError::UnsupportedEncoding),
        };
        Ok(())
    }

    /// The bytes of what [`Self::run`] has found the end of.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// After a header: whether it was an empty element.
    pub(super) fn was_empty(&mut self) -> bool {
        let next = self.parser.parse(&mut &b""[..], false);
        matches!(next, Ok(Some(RawEvent::ElementFoot(_))))
    }

    /// After a stanza: its tree. The parser stands where it stood before the stanza.
    pub(super) fn tree(&mut self, declared: Option<&Declared>) -> Result<Element, StreamError> {
        tree::stanza(&mut self.parser, &self.bytes, declared)
    }
}

/// Shows no byte of the peer's.
impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scan({} bytes)", self.bytes.len())
    }
}

/// A parser at the start of a document.
pub(super) fn parser() -> RawParser {
    let options = Options {
        max_token_length: XML_TOKEN,
        ..Options::default()
    };
    <RawParser as WithOptions>::with_options(options)
}

/// The parser's reasons as conditions of RFC 6120 §4.9.3. Its texts are all there is to tell some apart;
/// the table of refusals in the tests notices when they change.
fn condition(error: rxml::Error) -> StreamError {
    match error {
        rxml::Error::RestrictedXml("only utf-8 encoding is allowed")
        | rxml::Error::InvalidUtf8Byte(_) => StreamError::UnsupportedEncoding,
        rxml::Error::RestrictedXml("long name or reference") => StreamError::PolicyViolation,
        // The text is what `<!DOCTYPE` gets.
        rxml::Error::InvalidSyntax("malformed cdata or comment section start")
        | rxml::Error::UndeclaredEntity
        | rxml::Error::RestrictedXml(_) => StreamError::RestrictedXml,
        _ => StreamError::NotWellFormed,
    }
}
