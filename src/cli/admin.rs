//! One request to the running server over its local admin socket: HTTP/1.1 (RFC 9112) on a Unix socket.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lanpush::config::Config;
use lanpush::limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Failure, plain};

/// For a request that carries nothing.
pub(super) const NO_BODY: Option<&()> = None;

/// The running server, as far as we know.
pub(super) struct Admin {
    socket: PathBuf,
}

impl Admin {
    /// The server that uses this configuration's data directory.
    pub(super) fn of(config: &Config) -> Self {
        let socket = PathBuf::from(&config.server.data).join("admin.sock");
        Self { socket }
    }

    /// Sends one request and waits for a positive answer.
    pub(super) fn ask<T: Serialize>(
        &self,
        method: &str,
        path: &str,
        body: Option<&T>,
    ) -> Result<Answer, Failure> {
        self.ask_within(method, path, body, limits::ADMIN_WAIT)
    }

    /// Sends one request and waits for a positive answer, so long and not longer.
    pub(super) fn ask_within<T: Serialize>(
        &self,
        method: &str,
        path: &str,
        body: Option<&T>,
        wait: Duration,
    ) -> Result<Answer, Failure> {
        let body = match body {
            Some(body) => serde_json::to_vec(body)
                .map_err(|error| Failure::Run(format!("cannot write the request: {error}")))?,
            None => Vec::new(),
        };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let stream = UnixStream::connect(&self.socket).map_err(|error| self.unreachable(&error))?;
        let answer = converse(stream, &request, wait).map_err(|error| {
            Failure::Run(match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    let seconds = wait.as_secs();
                    format!("the server did not answer within {seconds} seconds")
                }
                _ => format!("the server broke off: {}", plain(&error)),
            })
        })?;
        answer.positive()
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let socket = self.socket.display();
        Failure::Run(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => format!(
                "no server runs on this data directory: nobody answers at {socket}; choose another with --data or --config"
            ),
            io::ErrorKind::PermissionDenied => {
                format!("only the server's own user and root may use {socket}")
            }
            _ => format!("cannot reach the server at {socket}: {}", plain(error)),
        })
    }
}

/// Writes the request and reads until the answer is complete.
fn converse(mut stream: UnixStream, request: &[u8], wait: Duration) -> io::Result<Answer> {
    let end = Instant::now() + wait;
    stream.set_write_timeout(Some(wait))?;
    // A server that says no before it has read everything closes early; its answer is worth reading.
    let written = stream.write_all(request);
    let mut received = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let count = match stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Reset by a server that has not read everything: the end of its answer.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            other => other?,
        };
        received.extend(chunk.iter().take(count));
        let refused = |text| io::Error::new(io::ErrorKind::InvalidData, text);
        if received.len() > limits::ADMIN_ANSWER {
            return Err(refused("its answer is too long"));
        }
        match Answer::parse(&received, count == 0) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) if count == 0 => {
                written?;
                return Err(refused("its answer is not complete"));
            }
            Ok(None) if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
            Ok(None) => {}
            Err(NotHttp) => return Err(refused("its answer is not HTTP")),
        }
    }
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// The bytes cannot be the beginning of an answer.
#[derive(Debug, PartialEq, Eq)]
struct NotHttp;

/// How an answer's body ends.
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

impl Answer {
    /// The body as the value it should be.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::Run(format!("the server's answer makes no sense: {error}")))
    }

    /// Itself, unless it is an error.
    fn positive(self) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(Failure::Run(
            match serde_json::from_slice::<Refusal>(&self.body) {
                Ok(refusal) => refusal.message,
                Err(_) => format!("the server answered {}", self.status),
            },
        ))
    }

    /// The answer in `bytes`, or `None` while it is not complete. `closed`: nothing more will come.
    fn parse(bytes: &[u8], closed: bool) -> Result<Option<Self>, NotHttp> {
        let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let Ok(parsed) = head.parse(bytes) else {
            return Err(NotHttp);
        };
        let httparse::Status::Complete(length) = parsed else {
            return Ok(None);
        };
        let rest = bytes.get(length..).unwrap_or_default();
        let status = head.code.unwrap_or_default();
        let body = match framing(status, head.headers)? {
            Framing::Length(length) => rest.get(..length).map(<[u8]>::to_vec),
            Framing::Chunked => unchunked(rest)?,
            Framing::Close => closed.then(|| rest.to_vec()),
        };
        Ok(body.map(|body| Self { status, body }))
    }
}

/// RFC 9112 §6.3.
fn framing(status: u16, headers: &[httparse::Header<'_>]) -> Result<Framing, NotHttp> {
    let value = |name: &str| {
        headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    if status == 204 {
        return Ok(Framing::Length(0));
    }
    if let Some(coding) = value("Transfer-Encoding") {
        let chunked = coding.eq_ignore_ascii_case(b"chunked");
        return chunked.then_some(Framing::Chunked).ok_or(NotHttp);
    }
    match value("Content-Length") {
        Some(digits) => std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .map(Framing::Length)
            .ok_or(NotHttp),
        None => Ok(Framing::Close),
    }
}

/// RFC 9112 §7.1: the body in the chunks of `bytes`, or `None` while the last one is missing.
fn unchunked(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, NotHttp> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete((start, size))) => (start, size),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(NotHttp),
        };
        if size == 0 {
            return Ok(Some(body));
        }
        let size = usize::try_from(size).map_err(|_| NotHttp)?;
        let Some((chunk, rest)) = bytes
            .get(start..)
            .and_then(|bytes| bytes.split_at_checked(size))
        else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        bytes = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(NotHttp),
        };
    }
}

/// RFC 3986 §2.1: text as one segment of a path.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // A String takes everything.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_path() {
        for (name, want) in [
            ("sam", "sam"),
            ("a-b_c~1", "a-b_c~1"),
            ("..", "%2E%2E"),
            ("a/b?c#d%e f", "a%2Fb%3Fc%23d%25e%20f"),
            ("ü", "%C3%BC"),
            ("a\r\nb", "a%0D%0Ab"),
        ] {
            assert_eq!(percent_encoded(name), want);
        }
    }

    #[test]
    fn answers_chopped_at_every_byte() {
        struct Case {
            name: &'static str,
            input: &'static str,
            status: u16,
            body: &'static str,
            /// Whether it is complete before the connection closes.
            delimited: bool,
        }
        for case in [
            Case {
                name: "length",
                input: "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}",
                status: 202,
                body: "{}",
                delimited: true,
            },
            Case {
                name: "no content",
                input: "HTTP/1.1 204 No Content\r\n\r\n",
                status: 204,
                body: "",
                delimited: true,
            },
            Case {
                name: "chunks",
                input: "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\n{\"\r\n3;x=y\r\na\":\r\n2\r\n1}\r\n0\r\n",
                status: 200,
                body: "{\"a\":1}",
                delimited: true,
            },
            Case {
                name: "until close",
                input: "HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\nno",
                status: 404,
                body: "no",
                delimited: false,
            },
        ] {
            let (name, input) = (case.name, case.input.as_bytes());
            let whole = Answer {
                status: case.status,
                body: case.body.into(),
            };
            for cut in 0..input.len() {
                assert_eq!(
                    Answer::parse(&input[..cut], false),
                    Ok(None),
                    "{name} cut at {cut}"
                );
            }
            let open = Answer::parse(input, false);
            assert_eq!(
                open,
                Ok(case
                    .delimited
                    .then(|| Answer::parse(input, true).unwrap().unwrap()))
            );
            assert_eq!(Answer::parse(input, true), Ok(Some(whole)), "{name}");
        }
    }

    #[test]
    fn what_is_no_answer() {
        for input in [
            "SSH-2.0-x\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            assert_eq!(
                Answer::parse(input.as_bytes(), true),
                Err(NotHttp),
                "{input:?}"
            );
        }
    }

    #[test]
    fn refusals_are_told_in_the_servers_words() {
        for (status, body, want) in [
            (
                404,
                r#"{"error":"unknown","message":"there is no user \"sam\""}"#,
                "there is no user \"sam\"",
            ),
            (500, "<html>", "the server answered 500"),
            (302, "", "the server answered 302"),
        ] {
            let answer = Answer {
                status,
                body: body.into(),
            };
            assert_eq!(answer.positive(), Err(Failure::Run(want.to_owned())));
        }
    }
}
