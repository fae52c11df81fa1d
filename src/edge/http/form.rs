//! Fields of a query or a form: `application/x-www-form-urlencoded` and `multipart/form-data`.

use tiny_http::Method;

use super::error::HttpError;
use super::multipart;
use super::request::Request;
use crate::limits;

/// The fields of a request in order, those of the body before those of the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Query and, of a POST, body of a request together; where both have a field, the body's counts.
    ///
    /// A body that does not say what it is counts as urlencoded, because old senders leave that out.
    pub(super) fn of(request: &Request) -> Result<Self, HttpError> {
        let mut fields = Self::default();
        if request.head.method == Method::Post && !request.body.is_empty() {
            let kind = request.head.header("content-type").unwrap_or_default();
            fields.add_body(&request.body, kind)?;
        }
        fields.add_urlencoded(request.head.query.as_bytes())?;
        Ok(fields)
    }

    /// The fields of a query alone.
    pub(super) fn of_query(query: &str) -> Result<Self, HttpError> {
        let mut fields = Self::default();
        fields.add_urlencoded(query.as_bytes())?;
        Ok(fields)
    }

    /// The field of that name, or `None`; of several the first, as servlets have it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The field of that name without surrounding space, empty if there is none.
    pub(super) fn trimmed(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// Refuses fields other than `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), HttpError> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            None => Ok(()),
            Some((name, _)) => Err(HttpError::bad(
                "unknown-field",
                format!("unknown parameter {name:?}, expected {}", known.join(", ")),
            )),
        }
    }

    /// Adds a field; line breaks become line feeds, whatever the browser sent.
    pub(super) fn add(&mut self, name: String, value: String) -> Result<(), HttpError> {
        if self.0.len() == limits::HTTP_FIELDS {
            let message = format!("there are more than {} fields", limits::HTTP_FIELDS);
            return Err(HttpError::bad("too-many-fields", message));
        }
        self.0.push((name, value.replace("\r\n", "\n")));
        Ok(())
    }

    fn add_body(&mut self, body: &[u8], content_type: &str) -> Result<(), HttpError> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.is_empty() || kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            self.add_urlencoded(body)
        } else if kind.eq_ignore_ascii_case("multipart/form-data") {
            multipart::read(body, content_type, self)
        } else {
            Err(HttpError::new(
                415,
                "content-type",
                "forms are taken as application/x-www-form-urlencoded or multipart/form-data",
            ))
        }
    }

    fn add_urlencoded(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        for pair in bytes.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |&b| b == b'=');
            let mut half = || decoded(halves.next().unwrap_or_default(), true);
            let (name, value) = (half()?, half()?);
            self.add(name, value)?;
        }
        Ok(())
    }
}

/// Bytes as text; text in other encodings than UTF-8 is refused, since guessing would garble it.
pub(super) fn utf8(bytes: Vec<u8>) -> Result<String, HttpError> {
    String::from_utf8(bytes).map_err(|_| HttpError::bad("not-utf-8", "the text is not UTF-8"))
}

/// Text with its percent signs resolved, and with `+` as a space if `plus`. A percent sign without two hex
/// digits stands for itself: old senders write `50%`.
pub(super) fn decoded(bytes: &[u8], plus: bool) -> Result<String, HttpError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => {
                    out.push(high << 4 | low);
                    rest = tail;
                }
                None => out.push(b'%'),
            },
            (b'+', _) if plus => out.push(b' '),
            _ => out.push(byte),
        }
    }
    utf8(out)
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(query: &str) -> Result<Vec<(String, String)>, u16> {
        Fields::of_query(query)
            .map(|fields| fields.0)
            .map_err(|error| error.status)
    }

    #[test]
    fn urlencoded() {
        for (query, want) in [
            ("", vec![]),
            ("&&", vec![]),
            ("a=b", vec![("a", "b")]),
            ("a", vec![("a", "")]),
            ("=b", vec![("", "b")]),
            ("a=b=c", vec![("a", "b=c")]),
            ("a=1&b=2&a=3", vec![("a", "1"), ("b", "2"), ("a", "3")]),
            ("a+b=c+d%2B", vec![("a b", "c d+")]),
            ("%61=%F0%9F%98%80", vec![("a", "😀")]),
            ("a=%f0%9f%98%80", vec![("a", "😀")]),
            ("a=订单", vec![("a", "订单")]),
            (
                "a=50%&b=%zz&c=%4",
                vec![("a", "50%"), ("b", "%zz"), ("c", "%4")],
            ),
            ("a=%25%34%31", vec![("a", "%41")]),
            ("a=%0D%0Ab%0D%0A%0D", vec![("a", "\nb\n\r")]),
            ("a=%3Cb%3E%26", vec![("a", "<b>&")]),
            ("a=%00", vec![("a", "\0")]),
        ] {
            let want = want.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned()));
            assert_eq!(fields(query), Ok(want.collect()), "{query}");
        }
    }

    #[test]
    fn other_encodings_are_refused() {
        for query in ["a=caf%E9", "a=%ff", "%C3=a", "a=%ED%A0%80", "a=%F0%9F%98"] {
            assert_eq!(fields(query), Err(400), "{query}");
        }
    }

    #[test]
    fn fields_have_a_bound() {
        assert!(fields(&"a=b&".repeat(limits::HTTP_FIELDS)).is_ok());
        assert_eq!(fields(&"a=b&".repeat(limits::HTTP_FIELDS + 1)), Err(400));
    }

    #[test]
    fn the_body_counts_before_the_query() {
        for (kind, body, want) in [
            ("", "a=body", Ok("body")),
            ("application/x-www-form-urlencoded", "a=body", Ok("body")),
            (
                "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
                "a=body",
                Ok("body"),
            ),
            ("application/x-www-form-urlencoded", "b=body", Ok("query")),
            ("application/x-www-form-urlencoded", "", Ok("query")),
            ("text/plain", "", Ok("query")),
            ("text/plain", "a=body", Err(415)),
            ("application/json", "{}", Err(415)),
            ("multipart/form-data", "a=body", Err(400)),
        ] {
            let head = format!("POST /?a=query HTTP/1.0\r\nContent-Type: {kind}\r\n\r\n");
            let (head, _) = super::super::request::Head::parse(head.as_bytes())
                .unwrap()
                .unwrap();
            let body = body.into();
            let fields = Fields::of(&Request { head, body }).map_err(|error| error.status);
            let got = fields.as_ref().map(|fields| fields.get("a").unwrap());
            assert_eq!(got, want.as_ref().copied(), "{kind}: {body:?}", body = want);
        }
    }

    #[test]
    fn unknown_fields_are_named() {
        let fields = Fields::of_query("limit=1&ofset=2").unwrap();
        assert_eq!(fields.only(&["limit", "ofset"]), Ok(()));
        let error = fields.only(&["limit", "offset"]).unwrap_err();
        assert!(error.message.contains("\"ofset\""), "{}", error.message);
    }
}
