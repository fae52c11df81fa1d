//! RFC 7578 and RFC 2046 §5.1: `multipart/form-data`, as browsers and androidpn's forks send forms.

use super::error::HttpError;
use super::form::{Fields, utf8};
use crate::limits;

/// Headers one part may have; browsers send two, Java's clients three.
const PART_HEADERS: usize = 8;
/// Bytes of a boundary (RFC 2046 §5.1.1).
const BOUNDARY: usize = 70;

/// Adds the fields of `body` to `fields`. Uploaded files are left out: no notification can carry them.
pub(super) fn read(body: &[u8], content_type: &str, fields: &mut Fields) -> Result<(), HttpError> {
    let boundary = parameter(content_type, "boundary").unwrap_or_default();
    if boundary.is_empty() || boundary.len() > BOUNDARY {
        return Err(broken("the boundary is missing or too long"));
    }
    let mark = format!("--{boundary}").into_bytes();
    let cut_off = || broken("the form has no end");
    let (_preamble, mut rest) = next_delimiter(body, &mark).ok_or_else(cut_off)?;
    while let Some(bytes) = rest {
        let (part, behind) = next_delimiter(bytes, &mark).ok_or_else(cut_off)?;
        if let Some((name, value)) = read_part(part)? {
            fields.add(name, value)?;
        }
        rest = behind;
    }
    Ok(())
}

/// What stands before the next delimiter, and behind it unless it is the last one.
fn next_delimiter<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let windows = bytes.windows(mark.len()).enumerate();
    for (start, _) in windows.filter(|(_, window)| *window == mark) {
        let (before, rest) = bytes.split_at(start);
        let line_start = before.is_empty() || before.ends_with(b"\r\n");
        let before = before.strip_suffix(b"\r\n").unwrap_or(before);
        let behind = rest.strip_prefix(mark).unwrap_or_default();
        if line_start && behind.starts_with(b"--") {
            return Some((before, None));
        }
        // A boundary that goes on is no boundary: it is text that happens to begin like one.
        let padding = behind
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        let behind = behind.split_at(padding).1.strip_prefix(b"\r\n");
        if line_start && behind.is_some() {
            return Some((before, behind));
        }
    }
    None
}

/// Name and value of a part, or `None` for a file.
fn read_part(part: &[u8]) -> Result<Option<(String, String)>, HttpError> {
    let mut slots = [httparse::EMPTY_HEADER; PART_HEADERS];
    let (length, headers) = match httparse::parse_headers(part, &mut slots) {
        Ok(httparse::Status::Complete(parsed)) if parsed.0 <= limits::HTTP_PART_HEAD => parsed,
        _ => return Err(broken("the headers of a field are broken or too long")),
    };
    let header = |name: &str| {
        let found = headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        found.map_or(Ok(String::new()), |h| utf8(h.value.to_vec()))
    };
    let disposition = header("content-disposition")?;
    if parameter(&disposition, "filename")
        .or(parameter(&disposition, "filename*"))
        .is_some()
    {
        return Ok(None);
    }
    let Some(name) = parameter(&disposition, "name") else {
        return Err(broken("a field has no name"));
    };
    let coding = header("content-transfer-encoding")?.to_ascii_lowercase();
    if !matches!(coding.trim(), "" | "7bit" | "8bit" | "binary") {
        return Err(broken("a field comes in a transfer encoding"));
    }
    let (_, value) = part.split_at(length);
    Ok(Some((name, utf8(value.to_vec())?)))
}

/// A parameter of a header value such as `form-data; name="title"`.
fn parameter(value: &str, name: &str) -> Option<String> {
    let (_, mut rest) = value.split_once(';')?;
    loop {
        let (key, tail) = rest.split_once('=')?;
        let (value, behind) = word(tail.trim_start());
        if key
            .trim_matches([';', ' ', '\t'])
            .eq_ignore_ascii_case(name)
        {
            return Some(value);
        }
        rest = behind;
    }
}

/// The token or quoted string (RFC 9110 §5.6.4) at the start of `text`, and what stands behind it.
fn word(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, behind) = text.split_at(text.find(';').unwrap_or(text.len()));
        return (token.trim().to_owned(), behind);
    };
    let mut value = String::new();
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match (c, rest.as_str().chars().next()) {
            ('"', _) => break,
            // Other backslashes stand for themselves: old browsers send whole Windows paths.
            ('\\', Some(escaped @ ('"' | '\\'))) => {
                rest.next();
                value.push(escaped);
            }
            _ => value.push(c),
        }
    }
    (value, rest.as_str())
}

fn broken(message: &'static str) -> HttpError {
    HttpError::bad("multipart", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        boundary: &'static str,
        body: &'static [u8],
        want: Result<&'static [(&'static str, &'static str)], u16>,
    }

    const CASES: [Case; 21] = [
        Case { name: "two fields", boundary: "X", want: Ok(&[("title", "T"), ("message", "a\nb")]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nT\r\n--X\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\na\r\nb\r\n--X--\r\n" },
        Case { name: "preamble, padding, epilogue, no final line end", boundary: "X", want: Ok(&[("a", "b")]),
            body: b"preamble\r\n--X \t\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--X--epilogue --X\r\n" },
        Case { name: "part headers of Java's clients", boundary: "X", want: Ok(&[("a", "b")]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nb\r\n--X--" },
        Case { name: "emoji, markup and an empty field", boundary: "X", want: Ok(&[("a", "<b>\u{1F600}&"), ("c", "")]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n<b>\xF0\x9F\x98\x80&\r\n--X\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n\r\n--X--" },
        Case { name: "quoted boundary with odd characters", boundary: "\"a b'()+_,-./:=?\"", want: Ok(&[("a", "b")]),
            body: b"--a b'()+_,-./:=?\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--a b'()+_,-./:=?--" },
        Case { name: "text that looks like a delimiter", boundary: "X", want: Ok(&[("a", "--X\n--XY\n--X-\n --X--")]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--X\n--XY\r\n--X-\r\n --X--\r\n--X--" },
        Case { name: "a binary file is left out", boundary: "X", want: Ok(&[("a", "b")]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"image\"; filename=\"C:\\dir\\;x=\\\".png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\0\xff--X\r\n--Y\r\n\r\n--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--X--" },
        Case { name: "a file without a name is left out too", boundary: "X", want: Ok(&[]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"image\"; filename=\"\"\r\n\r\n\r\n--X--" },
        Case { name: "a file named the newer way", boundary: "X", want: Ok(&[]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"image\"; filename*=UTF-8''x\r\n\r\n\xff\r\n--X--" },
        Case { name: "escaped quotes in a name", boundary: "X", want: Ok(&[("a\"b\\c", "d")]),
            body: b"--X\r\nContent-Disposition: form-data; name=\"a\\\"b\\\\c\"\r\n\r\nd\r\n--X--" },
        Case { name: "no fields", boundary: "X", want: Ok(&[]), body: b"--X--" },
        Case { name: "no boundary", boundary: "", want: Err(400), body: b"--\r\n\r\n----" },
        Case { name: "a boundary too long", boundary: "01234567890123456789012345678901234567890123456789012345678901234567890", want: Err(400), body: b"" },
        Case { name: "nothing", boundary: "X", want: Err(400), body: b"" },
        Case { name: "another boundary", boundary: "X", want: Err(400), body: b"--Y\r\n\r\n--Y--" },
        Case { name: "no end", boundary: "X", want: Err(400), body: b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--X" },
        Case { name: "no name", boundary: "X", want: Err(400), body: b"--X\r\nContent-Disposition: form-data\r\n\r\nb\r\n--X--" },
        Case { name: "no headers", boundary: "X", want: Err(400), body: b"--X\r\n--X--" },
        Case { name: "headers without an end", boundary: "X", want: Err(400), body: b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n--X--" },
        Case { name: "not UTF-8", boundary: "X", want: Err(400), body: b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ncaf\xe9\r\n--X--" },
        Case { name: "a transfer encoding", boundary: "X", want: Err(400), body: b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64\r\n\r\nYg==\r\n--X--" },
    ];

    fn fields(body: &[u8], boundary: &str) -> Result<Fields, u16> {
        let mut fields = Fields::default();
        let kind = format!("multipart/form-data; charset=utf-8; Boundary={boundary}");
        read(body, &kind, &mut fields).map_err(|error| error.status)?;
        Ok(fields)
    }

    #[test]
    fn forms() {
        for case in CASES {
            let mut want = Fields::default();
            for (name, value) in case.want.unwrap_or_default() {
                want.add((*name).to_owned(), (*value).to_owned()).unwrap();
            }
            let want = case.want.map(|_| want);
            assert_eq!(fields(case.body, case.boundary), want, "{}", case.name);
        }
    }

    #[test]
    fn a_form_cut_short_is_refused() {
        for case in CASES.iter().filter(|case| case.want.is_ok()) {
            let end = case.body.windows(3).rposition(|window| window == b"X--");
            for cut in 0..end.unwrap_or(0) {
                // Without its second half, a delimiter inside the text may pass for the last one.
                if let Ok(read) = fields(&case.body[..cut], case.boundary) {
                    panic!("{} cut at {cut}: {read:?}", case.name);
                }
            }
        }
    }

    #[test]
    fn part_headers_have_a_bound() {
        let form = |filler: &str| {
            let head = format!("Content-Disposition: form-data; name=\"a\"; x=\"{filler}\"");
            format!("--X\r\n{head}\r\n\r\nb\r\n--X--")
        };
        assert!(fields(form("").as_bytes(), "X").is_ok());
        let long = "x".repeat(limits::HTTP_PART_HEAD);
        assert_eq!(fields(form(&long).as_bytes(), "X"), Err(400));
    }
}
