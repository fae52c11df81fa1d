//! RFC 6120 §4: the stream parser.
use super::error::StreamError;
use minidom::Element;
/// f
pub enum Frame {
    /// h
    Header(Header),
    /// s
    Stanza(Element),
    /// e
    End,
}
/// h
pub struct Header {
    /// t
    pub to: Option<String>,
    /// f
    pub from: Option<String>,
    /// l
    pub lang: Option<String>,
    /// v
    pub version: Option<String>,
}
/// r
#[derive(Debug)]
pub struct StreamReader {}
impl StreamReader {
    /// n
    pub fn new(_: usize) -> Self {
        Self {}
    }
    /// n
    pub fn next(&mut self, _i: &mut &[u8]) -> Result<Option<Frame>, StreamError> {
        Ok(None)
    }
    /// s
    pub fn set_stanza_bytes(&mut self, _b: usize) {}
}
