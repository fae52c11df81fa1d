//! RFC 6120 §4.7: how a stream of ours begins, and §4.9: how it ends with an error.

use minidom::element::escape;

use super::error::StreamError;
use super::ns;

/// A stream's id as it is written.
pub(super) fn id(id: u64) -> String {
    format!("{id:016x}")
}

/// Writes the header of a stream.
pub(super) fn write(domain: &str, id: u64, lang: &str, out: &mut Vec<u8>) {
    let quoted = |text: &str| String::from_utf8_lossy(&escape(text.as_bytes())).into_owned();
    let header = format!(
        "<?xml version='1.0' encoding='UTF-8'?><stream:stream xmlns:stream='{}' xmlns='{}' \
         from='{}' id='{}' xml:lang='{}' version='1.0'>",
        ns::STREAM,
        ns::CLIENT,
        quoted(domain),
        self::id(id),
        quoted(lang),
    );
    out.extend_from_slice(header.as_bytes());
}

/// A whole stream that tells a newcomer why it cannot be served: header, error, end.
#[must_use]
pub fn refusal(domain: &str, error: StreamError) -> Vec<u8> {
    let mut out = Vec::new();
    write(domain, 0, "en", &mut out);
    write_end(error, &mut out);
    out
}

/// Writes a stream error and the end of the stream (§4.9).
pub(super) fn write_end(error: StreamError, out: &mut Vec<u8>) {
    let condition = error.condition();
    let end = format!(
        "<stream:error><{condition} xmlns='{}'/>{}</stream:error></stream:stream>",
        ns::STREAMS,
        error.specific()
    );
    out.extend_from_slice(end.as_bytes());
}
