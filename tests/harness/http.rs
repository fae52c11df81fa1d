//! A sender: one HTTP request on a connection of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::DEADLINE;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends bytes, half-closes nothing, and reads to the end.
///
/// # Errors
/// The connection's.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(request)?;
    reply(stream)
}

/// Reads an answer to its end.
///
/// # Errors
/// The connection's, or [`io::ErrorKind::InvalidData`] if it is none.
pub(crate) fn reply(mut stream: impl Read) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("{text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(bad)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Reply {
        status: status.ok_or_else(bad)?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// GET.
pub(crate) fn get(address: SocketAddr, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    raw(address, request.as_bytes()).unwrap()
}

/// POST with a body of the given type.
///
/// # Errors
/// The connection's.
pub(crate) fn post(
    address: SocketAddr,
    path: &str,
    content_type: &str,
    body: &str,
) -> io::Result<Reply> {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    raw(address, request.as_bytes())
}

/// Pushes through the JSON API; the body is the caller's.
///
/// # Errors
/// The connection's.
pub(crate) fn notify(address: SocketAddr, json: &serde_json::Value) -> io::Result<Reply> {
    post(
        address,
        "/api/v1/notifications",
        "application/json",
        &json.to_string(),
    )
}
