//! RFC 9112 §4: answers, written by tiny_http's response writer into a buffer.

use serde::Serialize;
use tiny_http::{HTTPVersion, Header, StatusCode};

use super::date::http_date;
use crate::time::Wall;

/// What a page may do in a browser: be styled by itself and send its form here. No scripts, no frames, no
/// other servers.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
                           base-uri 'none'; frame-ancestors 'none'";

/// An answer before it is bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    status: u16,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Response {
    /// A page for people.
    pub(super) fn page(status: u16, html: String) -> Self {
        let mut headers = fixed_headers("text/html; charset=utf-8");
        headers.push(("Content-Security-Policy", PAGE_POLICY.to_owned()));
        // Not `no-referrer`: with that, browsers say `Origin: null` when they send our own form.
        headers.push(("Referrer-Policy", "same-origin".to_owned()));
        Self {
            status,
            body: html,
            headers,
        }
    }

    /// An answer for programs.
    pub(super) fn json(status: u16, value: &impl Serialize) -> Self {
        // Only maps with keys that are no strings fail to serialise, and there are none.
        let body = serde_json::to_string(value).unwrap_or_default();
        Self {
            status,
            body,
            headers: fixed_headers("application/json; charset=utf-8"),
        }
    }

    /// An answer that only sends the client to another page. `location` must not hold a peer's bytes.
    pub(super) fn redirect(status: u16, location: String) -> Self {
        Self::page(status, String::new()).with("Location", location)
    }

    /// The same answer with one header more. `value` must not hold a peer's bytes.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Its status.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The bytes for the client, without the body if `head_only`.
    pub(super) fn encode(self, head_only: bool, now: Wall) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 512);
        let date = ("Date", http_date(now.seconds()));
        let headers = self.headers.iter().chain([&date]);
        let headers = headers.filter_map(|(name, value)| header(name, value));
        let body = self.body.as_bytes();
        let written = tiny_http::Response::new(
            StatusCode(self.status),
            headers.collect(),
            body,
            Some(body.len()),
            None,
        )
        .with_chunked_threshold(usize::MAX)
        .raw_print(&mut bytes, HTTPVersion(1, 1), &[], head_only, None);
        if written.is_err() {
            log::error!("http: an answer could not be put into memory");
        }
        if !now.trusted {
            leave_out_date(&mut bytes);
        }
        announce_close(&mut bytes);
        bytes
    }
}

/// What every answer carries.
fn fixed_headers(content_type: &'static str) -> Vec<(&'static str, String)> {
    [
        ("Server", "lanpush"),
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// A header, or `None` if its value could end the line and begin another (CVE-2026-66753 of tiny_http).
fn header(name: &str, value: &str) -> Option<Header> {
    let printable = value.bytes().all(|b| (0x20..0x7f).contains(&b));
    printable
        .then(|| Header::from_bytes(name, value).ok())
        .flatten()
}

/// RFC 9110 §6.6.1: a server that does not know the time sends no date; tiny_http always does.
fn leave_out_date(bytes: &mut Vec<u8>) {
    const DATE: &[u8] = b"\r\nDate: ";
    let line_end = |window: &[u8]| window.starts_with(b"\r\n");
    // The first is in the head: before the body there is always one.
    if let Some(start) = bytes.windows(DATE.len()).position(|found| found == DATE)
        && let Some(rest) = bytes.get(start + 2..)
        && let Some(length) = rest.windows(2).position(line_end)
    {
        bytes.drain(start..start + 2 + length);
    }
}

/// Puts `Connection: close` behind the status line: tiny_http drops that header.
fn announce_close(bytes: &mut Vec<u8>) {
    if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        bytes.splice(end..end, *b"\r\nConnection: close");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Wall = Wall {
        millis: 784_111_777_000,
        trusted: true,
    };

    fn text(response: Response, head_only: bool) -> String {
        String::from_utf8(response.encode(head_only, NOON)).unwrap()
    }

    #[test]
    fn a_page_byte_for_byte() {
        let page = text(Response::page(200, "<p>😀".into()), false);
        let want = "HTTP/1.1 200 OK\r\nConnection: close\r\nServer: lanpush\r\n\
            Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\
            X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n\
            Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
            form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n\
            Referrer-Policy: same-origin\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
            Content-Length: 7\r\n\r\n<p>😀";
        assert_eq!(page, want);
    }

    #[test]
    fn a_head_has_the_length_but_not_the_body() {
        let whole = text(Response::json(202, &vec!["x"; 20_000]), false);
        let head = text(Response::json(202, &vec!["x"; 20_000]), true);
        let end = whole.find("\r\n\r\n").unwrap() + 4;
        assert_eq!(head, whole[..end]);
        assert!(head.contains("Content-Length: 80001\r\n"), "{head}");
        assert!(!head.contains("Transfer-Encoding"), "{head}");
    }

    #[test]
    fn header_values_cannot_end_their_line() {
        for value in ["/\r\nSet-Cookie: a=b", "/\n", "/\r", "/\0", "/é"] {
            let answer = Response::redirect(302, value.into());
            assert!(!text(answer, false).contains("Location"), "{value:?}");
        }
        let answer = text(Response::redirect(302, "/notification.do".into()), false);
        assert!(answer.starts_with("HTTP/1.1 302 Found\r\n"), "{answer}");
        assert!(
            answer.contains("\r\nLocation: /notification.do\r\n"),
            "{answer}"
        );
    }

    #[test]
    fn no_date_from_a_clock_that_is_not_trusted() {
        let unset = Wall {
            millis: 5000,
            trusted: false,
        };
        let body = "\r\nDate: stays\r\n";
        let answer = Response::page(200, body.into()).encode(false, unset);
        let answer = String::from_utf8(answer).unwrap();
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("Date"), "{head}");
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\n"),
            "{head}"
        );
        assert!(head.ends_with("\r\nContent-Length: 15"), "{head}");
        assert_eq!(rest, body);
    }
}
