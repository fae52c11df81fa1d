//! RFC 9112 §2, §3, §6: the head of a request, and how long its body is.
// Heads up! Read RFC 9112 §6.3 (message body length) before changing `framing`.

use tiny_http::Method;

use super::error::HttpError;
use crate::limits;

/// A request that has come in whole.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Its head.
    pub(super) head: Head,
    /// Its body, at most [`limits::HTTP_BODY`] bytes.
    pub(super) body: Vec<u8>,
}

/// Request line and headers.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The method; names nobody knows have been refused.
    pub(super) method: Method,
    /// The path as sent, percent signs and all; begins with a slash.
    pub(super) path: String,
    /// What follows the question mark, as sent.
    pub(super) query: String,
    /// Whether the client speaks 1.0.
    old: bool,
    /// Host and port of an absolute target, which take the place of the `Host` header.
    authority: Option<String>,
    headers: Vec<(String, String)>,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body, and none was announced.
    None,
    /// So many bytes, at most [`limits::HTTP_BODY`].
    Length(usize),
    /// Chunks.
    Chunked,
}

impl Head {
    /// The head at the start of `bytes` and its length, or `None` while its end has not come.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HttpError> {
        let mut slots = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS];
        let mut parsed = httparse::Request::new(&mut slots);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length <= limits::HTTP_HEAD => length,
            Ok(httparse::Status::Partial) if bytes.len() < limits::HTTP_HEAD => return Ok(None),
            Ok(_) => return Err(too_large(bytes)),
            Err(httparse::Error::TooManyHeaders) => return Err(too_large(bytes)),
            Err(httparse::Error::Version) => return Err(wrong_version(bytes)),
            Err(_) => return Err(HttpError::bad("not-http", "this is not an HTTP request")),
        };
        let (authority, path, query) = split_target(parsed.path.unwrap_or_default())?;
        let head = Self {
            method: known_method(parsed.method.unwrap_or_default())?,
            path,
            query,
            old: parsed.version == Some(0),
            authority,
            headers: (parsed.headers.iter())
                .map(|header| {
                    let value = String::from_utf8_lossy(header.value).trim().to_owned();
                    (header.name.to_ascii_lowercase(), value)
                })
                .collect(),
        };
        Ok(Some((head, length)))
    }

    /// The method without the difference between GET and HEAD.
    pub(super) fn verb(&self) -> &Method {
        match &self.method {
            Method::Head => &Method::Get,
            method => method,
        }
    }

    /// The first header of that name, which has to be in lower case.
    pub(super) fn header(&self, name: &'static str) -> Option<&str> {
        self.all(name).next()
    }

    /// Host and port the client asked for; only 1.0 may leave them out (RFC 9112 §3.2).
    pub(super) fn host(&self) -> Result<Option<&str>, HttpError> {
        let mut hosts = self.all("host");
        match (hosts.next(), hosts.next()) {
            (Some(_), Some(_)) => Err(HttpError::bad("host", "there is more than one Host header")),
            (None, _) if !self.old => Err(HttpError::bad("host", "the Host header is missing")),
            (host, _) => Ok(self.authority.as_deref().or(host)),
        }
    }

    /// How the end of the body is found (RFC 9112 §6.3). Whatever could be read in two ways is refused.
    pub(super) fn framing(&self) -> Result<Framing, HttpError> {
        let mut codings = self.all("transfer-encoding");
        let mut lengths = self.all("content-length");
        match (codings.next(), lengths.next()) {
            (None, None) => Ok(Framing::None),
            (Some(_), Some(_)) => Err(HttpError::bad(
                "framing",
                "there is a Content-Length beside a Transfer-Encoding",
            )),
            (Some(_), None) if self.old || codings.next().is_some() => {
                Err(HttpError::bad("framing", "the Transfer-Encoding cannot be"))
            }
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            (Some(_), None) => Err(HttpError::new(
                501,
                "transfer-encoding",
                "the only Transfer-Encoding known here is chunked",
            )),
            (None, Some(_)) if lengths.next().is_some() => Err(HttpError::bad(
                "framing",
                "there is more than one Content-Length",
            )),
            (None, Some(length)) => content_length(length),
        }
    }

    /// Whether the client waits for a word before it sends the body (RFC 9110 §10.1.1).
    pub(super) fn expects_continue(&self) -> Result<bool, HttpError> {
        match self.header("expect") {
            _ if self.old => Ok(false),
            None => Ok(false),
            Some(expect) if expect.eq_ignore_ascii_case("100-continue") => Ok(true),
            Some(_) => Err(HttpError::new(
                417,
                "expect",
                "cannot meet that expectation",
            )),
        }
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        let of_name = move |header: &&(String, String)| header.0 == name;
        self.headers
            .iter()
            .filter(of_name)
            .map(|(_, value)| value.as_str())
    }
}

/// 413: more body than is taken.
pub(super) fn body_too_long() -> HttpError {
    let message = format!("the body is longer than {} bytes", limits::HTTP_BODY);
    HttpError::new(413, "too-long", message)
}

fn too_large(bytes: &[u8]) -> HttpError {
    if bytes.contains(&b'\n') {
        HttpError::new(
            431,
            "head-too-long",
            "there are too many headers, or too long ones",
        )
    } else {
        HttpError::new(
            414,
            "uri-too-long",
            "the address is too long; send the text in the body",
        )
    }
}

/// What follows the address is not a version of HTTP we speak; often because the address has a space in it.
fn wrong_version(bytes: &[u8]) -> HttpError {
    let third_word = bytes.trim_ascii_start().split(|&b| b == b' ').nth(2);
    if third_word.is_some_and(|word| word.starts_with(b"HTTP/")) {
        HttpError::new(505, "version", "this is HTTP 1.1 and 1.0")
    } else {
        let message = "this is not an HTTP request; spaces in the address have to be written %20";
        HttpError::bad("not-http", message)
    }
}

fn known_method(name: &str) -> Result<Method, HttpError> {
    match name.parse() {
        Ok(Method::NonStandard(_)) | Err(()) => Err(HttpError::new(
            501,
            "method",
            "nobody here knows that method",
        )),
        Ok(method) => Ok(method),
    }
}

/// Authority, path and query of `/path?query` or of `http://authority/path?query` (RFC 9112 §3.2).
fn split_target(target: &str) -> Result<(Option<String>, String, String), HttpError> {
    let behind = |prefix: &str| {
        let (start, rest) = target.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    let rest = behind("http://").or_else(|| behind("https://"));
    let absolute = rest.is_some();
    let (authority, rest) = if let Some(rest) = rest {
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        (Some(authority.to_owned()), rest)
    } else {
        (None, target)
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = if absolute && path.is_empty() {
        "/"
    } else {
        path
    };
    if !path.starts_with('/') {
        return Err(HttpError::bad(
            "target",
            "the address does not begin with a slash",
        ));
    }
    Ok((authority, path.to_owned(), query.to_owned()))
}

fn content_length(value: &str) -> Result<Framing, HttpError> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(HttpError::bad(
            "framing",
            "the Content-Length is not a number",
        ));
    }
    match value.parse::<usize>() {
        Ok(length) if length <= limits::HTTP_BODY => Ok(Framing::Length(length)),
        _ => Err(body_too_long()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        head: &'static str,
        want: Result<Framing, u16>,
    }

    const fn case(name: &'static str, head: &'static str, want: Result<Framing, u16>) -> Case {
        Case { name, head, want }
    }

    /// Framing of each head, or the status of its refusal.
    const CASES: [Case; 44] = [
        case(
            "plain",
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            Ok(Framing::None),
        ),
        case(
            "1.0 without a host",
            "GET / HTTP/1.0\r\n\r\n",
            Ok(Framing::None),
        ),
        case(
            "bare line feeds",
            "GET / HTTP/1.1\nHost: h\n\n",
            Ok(Framing::None),
        ),
        case(
            "empty lines first",
            "\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            Ok(Framing::None),
        ),
        case(
            "length",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n",
            Ok(Framing::Length(12)),
        ),
        case(
            "leading zeros",
            "POST / HTTP/1.0\r\nContent-Length: 000012\r\n\r\n",
            Ok(Framing::Length(12)),
        ),
        case(
            "the longest",
            "POST / HTTP/1.0\r\nContent-Length: 65536\r\n\r\n",
            Ok(Framing::Length(65536)),
        ),
        case(
            "chunked",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n",
            Ok(Framing::Chunked),
        ),
        case(
            "raw UTF-8 in the address",
            "GET /?title=订单 HTTP/1.0\r\n\r\n",
            Ok(Framing::None),
        ),
        case(
            "absolute address",
            "GET http://h/ HTTP/1.1\r\nHost: x\r\n\r\n",
            Ok(Framing::None),
        ),
        case(
            "expecting to go on",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
            Ok(Framing::Length(1)),
        ),
        case("no host", "GET / HTTP/1.1\r\n\r\n", Err(400)),
        case(
            "two hosts",
            "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
            Err(400),
        ),
        case(
            "two hosts in 1.0",
            "GET / HTTP/1.0\r\nHost: h\r\nHost: i\r\n\r\n",
            Err(400),
        ),
        case(
            "one byte too long",
            "POST / HTTP/1.0\r\nContent-Length: 65537\r\n\r\n",
            Err(413),
        ),
        case(
            "huge",
            "POST / HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\n",
            Err(413),
        ),
        case(
            "beyond any number",
            "POST / HTTP/1.0\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
            Err(413),
        ),
        case(
            "minus",
            "POST / HTTP/1.0\r\nContent-Length: -1\r\n\r\n",
            Err(400),
        ),
        case(
            "plus",
            "POST / HTTP/1.0\r\nContent-Length: +1\r\n\r\n",
            Err(400),
        ),
        case(
            "no digits",
            "POST / HTTP/1.0\r\nContent-Length: \r\n\r\n",
            Err(400),
        ),
        case(
            "hex",
            "POST / HTTP/1.0\r\nContent-Length: 0x10\r\n\r\n",
            Err(400),
        ),
        case(
            "a list",
            "POST / HTTP/1.0\r\nContent-Length: 5, 5\r\n\r\n",
            Err(400),
        ),
        case(
            "two lengths",
            "POST / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            Err(400),
        ),
        case(
            "twice the same length",
            "POST / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            Err(400),
        ),
        case(
            "length and chunks",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            Err(400),
        ),
        case(
            "chunks in 1.0",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            Err(400),
        ),
        case(
            "chunked twice",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            Err(400),
        ),
        case(
            "gzip",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
            Err(501),
        ),
        case(
            "gzip in chunks",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            Err(501),
        ),
        case(
            "identity",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
            Err(501),
        ),
        case(
            "space before the colon",
            "POST / HTTP/1.0\r\nContent-Length : 5\r\n\r\n",
            Err(400),
        ),
        case(
            "folded header",
            "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
            Err(400),
        ),
        case(
            "carriage return in a value",
            "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
            Err(400),
        ),
        case("unknown method", "BREW / HTTP/1.0\r\n\r\n", Err(501)),
        case("lower-case method", "get / HTTP/1.0\r\n\r\n", Err(501)),
        case(
            "unknown expectation",
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n",
            Err(417),
        ),
        case("a star", "OPTIONS * HTTP/1.0\r\n\r\n", Err(400)),
        case("a tunnel", "CONNECT h:80 HTTP/1.0\r\n\r\n", Err(400)),
        case("another scheme", "GET ftp://h/ HTTP/1.0\r\n\r\n", Err(400)),
        case("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Err(505)),
        case("no version", "GET /\r\n\r\n", Err(400)),
        case(
            "space in the address",
            "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
            Err(400),
        ),
        case(
            "XMPP",
            "<?xml version='1.0'?><stream:stream to='h'>",
            Err(400),
        ),
        case(
            "TLS",
            "\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03",
            Err(400),
        ),
    ];

    fn framing(bytes: &[u8]) -> Result<Option<Framing>, u16> {
        let read = || {
            let Some((head, _)) = Head::parse(bytes)? else {
                return Ok(None);
            };
            head.host()?;
            head.expects_continue()?;
            head.framing().map(Some)
        };
        read().map_err(|error: HttpError| error.status)
    }

    #[test]
    fn heads() {
        for case in CASES {
            assert_eq!(
                framing(case.head.as_bytes()),
                case.want.map(Some),
                "{}",
                case.name
            );
        }
    }

    #[test]
    fn a_piece_of_a_head_is_never_mistaken_for_the_whole() {
        for case in CASES {
            for cut in 0..case.head.len() {
                let got = framing(&case.head.as_bytes()[..cut]);
                let early = got.is_err() && got.err() == case.want.err();
                assert!(
                    got == Ok(None) || early,
                    "{} cut at {cut}: {got:?}",
                    case.name
                );
            }
        }
    }

    #[test]
    fn junk_is_refused_at_its_first_bytes() {
        for junk in [
            "<",
            "<stream:stream",
            "\x16",
            "\x16\x03\x01",
            "\0",
            "GET\0",
            "{\"to\"",
            "é",
        ] {
            let status = Head::parse(junk.as_bytes()).map_err(|error| error.status);
            assert_eq!(status.err(), Some(400), "{junk:?}");
        }
    }

    #[test]
    fn heads_have_a_bound() {
        let filled = |start: &str, unit: &str| {
            let mut head = start.to_owned();
            while head.len() < limits::HTTP_HEAD {
                head.push_str(unit);
            }
            head
        };
        for (name, head, status) in [
            ("address", filled("GET /", "x"), 414),
            ("one header", filled("GET / HTTP/1.1\r\nA: ", "x"), 431),
            (
                "many headers",
                filled("GET / HTTP/1.1\r\n", "A: b\r\n"),
                431,
            ),
            ("empty lines", filled("", "\r\n"), 431),
            (
                "a complete but long one",
                filled("GET / HTTP/1.1\r\nA: ", "x") + "\r\n\r\n",
                431,
            ),
        ] {
            let got = Head::parse(head.as_bytes()).map_err(|error| error.status);
            assert_eq!(got.err(), Some(status), "{name}");
        }
    }

    #[test]
    fn targets() {
        for (target, path, query, host) in [
            ("/", "/", "", "h"),
            ("/a?b?c=d&e", "/a", "b?c=d&e", "h"),
            ("//evil/x", "//evil/x", "", "h"),
            ("http://other:7070/a?b", "/a", "b", "other:7070"),
            ("HTTP://other", "/", "", "other"),
            ("http://other?b", "/", "b", "other"),
            ("HTTPS://other/a", "/a", "", "other"),
        ] {
            let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let (head, length) = Head::parse(text.as_bytes()).unwrap().unwrap();
            let got = (
                head.path.as_str(),
                head.query.as_str(),
                head.host().unwrap(),
            );
            assert_eq!(got, (path, query, Some(host)), "{target}");
            assert_eq!(length, text.len());
        }
    }

    #[test]
    fn headers_by_name() {
        let text = "HEAD / HTTP/1.1\r\nHost:h\r\nX-A:  one \r\nx-a: two\r\n\r\n";
        let (head, _) = Head::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(head.header("x-a"), Some("one"));
        assert_eq!(head.header("x-b"), None);
        assert_eq!((head.verb(), &head.method), (&Method::Get, &Method::Head));
    }
}
