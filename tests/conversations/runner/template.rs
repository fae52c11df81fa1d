//! Text with holes: `{any}`, `{name}`, `{digest(secret)}`, `{SCRAM-SHA-1(secret)}`, `{base64(text)}`, `{20 x "<a>"}`, and escapes for single bytes.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};

use super::scram;

/// What the names of a script stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(BTreeMap<String, String>);

impl Scope {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Lets a name stand for nothing again.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The stream id the named phone has got last.
    fn stream(&self, phone: &str) -> Option<&str> {
        self.get(&format!("{phone}.stream"))
    }
}

/// A text with holes, ready to be filled or to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    /// Matches anything, also nothing; cannot be sent.
    Any,
    /// Matches anything but nothing at its first use, and its own value from then on.
    Name(String),
    /// XEP-0078 §3.2: hex(SHA1(stream id + password)), of the speaker's stream unless a phone is named.
    Digest {
        password: String,
        phone: Option<String>,
        upper: bool,
    },
    /// RFC 5802: the speaker's first message.
    ScramFirst,
    /// RFC 5802: the speaker's last message, to the challenge it has got.
    ScramLast {
        mechanism: String,
        password: String,
    },
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            match next {
                '\\' => rest = escape(rest, &mut literal)?,
                '{' => {
                    let end = closing_brace(rest)
                        .ok_or_else(|| format!("a brace is not closed: {rest}"))?;
                    match hole(&rest[1..end])? {
                        Hole::Bytes(bytes) => literal.extend(bytes),
                        Hole::Part(part) => {
                            flush(&mut literal, &mut parts);
                            parts.push(part);
                        }
                    }
                    rest = &rest[end + 1..];
                }
                other => {
                    literal.extend(other.encode_utf8(&mut [0; 4]).bytes());
                    rest = &rest[other.len_utf8()..];
                }
            }
        }
        flush(&mut literal, &mut parts);
        Ok(Self { parts })
    }

    /// The bytes, every hole filled. `me` is the phone that speaks.
    pub(crate) fn fill(&self, scope: &Scope, me: &str) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => bytes.extend(literal),
                Part::Any => return Err("{any} can only be received".to_owned()),
                Part::Name(name) => bytes.extend(
                    scope
                        .get(name)
                        .ok_or_else(|| format!("nothing has been called {{{name}}} so far"))?
                        .bytes(),
                ),
                Part::ScramFirst => bytes.extend(scram::first(user(scope, me)?).bytes()),
                Part::ScramLast {
                    mechanism,
                    password,
                } => {
                    let challenge = format!("{me}.challenge");
                    let challenge = scope.get(&challenge).ok_or("no challenge has come")?;
                    let last = scram::last(mechanism, user(scope, me)?, password, challenge)?;
                    bytes.extend(last.bytes());
                }
                Part::Digest {
                    password,
                    phone,
                    upper,
                } => {
                    let phone = phone.as_deref().unwrap_or(me);
                    let stream = scope
                        .stream(phone)
                        .ok_or_else(|| format!("{phone} has not got a stream id so far"))?;
                    let digest = digest(stream, password);
                    if *upper {
                        bytes.extend(digest.to_uppercase().bytes());
                    } else {
                        bytes.extend(digest.bytes());
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// Whether `text` fits; names used for the first time get their value in `scope`.
    pub(crate) fn fits(&self, text: &[u8], scope: &mut Scope) -> bool {
        let mut trial = scope.clone();
        let fits = fits(&self.parts, text, &mut trial);
        if fits {
            *scope = trial;
        }
        fits
    }

    /// How the template reads with the names known so far filled in, for a failure's report.
    pub(crate) fn describe(&self, scope: &Scope) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(&String::from_utf8_lossy(literal)),
                Part::Any => text.push_str("{any}"),
                Part::Name(name) => match scope.get(name) {
                    Some(value) => text.push_str(value),
                    None => text.push_str(&format!("{{{name}}}")),
                },
                Part::ScramFirst => text.push_str("{SCRAM-FIRST}"),
                Part::ScramLast { mechanism, .. } => text.push_str(mechanism),
                Part::Digest { password, .. } => text.push_str(&format!("{{digest({password})}}")),
            }
        }
        text
    }
}

fn user<'s>(scope: &'s Scope, me: &str) -> Result<&'s str, String> {
    let user = scope.get(&format!("{me}.user"));
    user.ok_or_else(|| format!("{me} is no phone"))
}

fn flush(literal: &mut Vec<u8>, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal)));
    }
}

fn fits(parts: &[Part], text: &[u8], scope: &mut Scope) -> bool {
    let Some((first, rest)) = parts.split_first() else {
        return text.is_empty();
    };
    match first {
        Part::Literal(literal) => text
            .strip_prefix(literal.as_slice())
            .is_some_and(|text| fits(rest, text, scope)),
        Part::Any => (0..=text.len()).any(|cut| fits(rest, &text[cut..], scope)),
        Part::Name(name) => match scope.get(name).map(str::to_owned) {
            Some(value) => text
                .strip_prefix(value.as_bytes())
                .is_some_and(|text| fits(rest, text, scope)),
            None => (1..=text.len()).any(|cut| {
                let mut trial = scope.clone();
                trial.set(name.clone(), String::from_utf8_lossy(&text[..cut]));
                let fits = fits(rest, &text[cut..], &mut trial);
                if fits {
                    *scope = trial;
                }
                fits
            }),
        },
        Part::Digest { .. } | Part::ScramFirst | Part::ScramLast { .. } => false,
    }
}

/// The place of the brace that closes the one `text` starts with; quoted text may hold braces.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, letter)| {
        if letter == '"' {
            quoted = !quoted;
        }
        (letter == '}' && !quoted).then_some(at)
    })
}

enum Hole {
    Bytes(Vec<u8>),
    Part(Part),
}

fn hole(text: &str) -> Result<Hole, String> {
    if text == "any" {
        return Ok(Hole::Part(Part::Any));
    }
    let upper = text.starts_with("DIGEST(");
    if let Some(inside) = text
        .strip_prefix("digest(")
        .or_else(|| text.strip_prefix("DIGEST("))
        .and_then(|text| text.strip_suffix(')'))
    {
        let (password, phone) = match inside.split_once(',') {
            Some((password, phone)) => (password, Some(phone.trim().to_owned())),
            None => (inside, None),
        };
        return Ok(Hole::Part(Part::Digest {
            password: password.trim().to_owned(),
            phone,
            upper,
        }));
    }
    if text == "SCRAM-FIRST" {
        return Ok(Hole::Part(Part::ScramFirst));
    }
    let call = text
        .split_once('(')
        .and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
    if let Some((mechanism @ ("SCRAM-SHA-1" | "SCRAM-SHA-256"), password)) = call {
        return Ok(Hole::Part(Part::ScramLast {
            mechanism: mechanism.to_owned(),
            password: password.to_owned(),
        }));
    }
    if let Some(("base64", inside)) = call {
        let bytes = Template::parse(inside)?.fill(&Scope::default(), "")?;
        return Ok(Hole::Bytes(Base64::encode_string(&bytes).into_bytes()));
    }
    if let Some((count, quoted)) = text.split_once(" x ") {
        let count: usize = count
            .parse()
            .map_err(|_| format!("{{{text}}}: want a number before the x"))?;
        let piece = quoted
            .strip_prefix('"')
            .and_then(|quoted| quoted.strip_suffix('"'))
            .ok_or_else(|| format!("{{{text}}}: want a quoted text behind the x"))?;
        let piece = Template::parse(piece)?.fill(&Scope::default(), "")?;
        return Ok(Hole::Bytes(piece.repeat(count)));
    }
    let name = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    if name && text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Ok(Hole::Part(Part::Name(text.to_owned())))
    } else {
        Err(format!(
            "{{{text}}} is neither a name nor anything else this language knows"
        ))
    }
}

/// Reads the escape `text` starts with, returns what follows it.
fn escape<'t>(text: &'t str, out: &mut Vec<u8>) -> Result<&'t str, String> {
    let wrong = || {
        format!(
            "not an escape: {}",
            text.chars().take(4).collect::<String>()
        )
    };
    let letter = text.chars().nth(1).ok_or_else(wrong)?;
    let byte = match letter {
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        '0' => 0,
        '\\' | '{' | '}' => u8::try_from(letter).map_err(|_| wrong())?,
        'x' => {
            let digits = text.get(2..4).ok_or_else(wrong)?;
            out.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
            return text.get(4..).ok_or_else(wrong);
        }
        _ => return Err(wrong()),
    };
    out.push(byte);
    text.get(2..).ok_or_else(wrong)
}

fn digest(stream: &str, password: &str) -> String {
    use sha1::{Digest, Sha1};
    Sha1::new()
        .chain_update(stream)
        .chain_update(password)
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filled() {
        let mut scope = Scope::default();
        scope.set("id", "x1");
        scope.set("sam.stream", "f78f7da0");
        for (text, bytes) in [
            ("", &b""[..]),
            ("<a id='{id}'/>", b"<a id='x1'/>"),
            (r"\x00\xff\n\{id\}\\", b"\x00\xff\n{id}\\"),
            (r#"{3 x "<a>"}{2 x "\n"}"#, b"<a><a><a>\n\n"),
            // printf f78f7da0secret | sha1sum
            (
                "{digest(secret)}",
                b"271eb7b0350d96217e737ef192a163d2cf6f1e1c",
            ),
        ] {
            let filled = Template::parse(text).unwrap().fill(&scope, "sam").unwrap();
            assert_eq!(
                String::from_utf8_lossy(&filled),
                String::from_utf8_lossy(bytes),
                "{text}"
            );
        }
        for text in ["{any}", "{nobody}", "{digest(a, kim)}"] {
            assert!(Template::parse(text).unwrap().fill(&scope, "sam").is_err());
        }
    }

    #[test]
    fn compared() {
        for (template, text, fits) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("{any}", "", true),
            ("a{any}c", "abbbc", true),
            ("a{any}c", "abbb", false),
            ("{id}", "", false),
            ("sam@{id}/{res}", "sam@push.lan/Tablet", true),
            ("{id}-{id}", "7-7", true),
            ("{id}-{id}", "7-8", false),
        ] {
            let mut scope = Scope::default();
            let got = Template::parse(template)
                .unwrap()
                .fits(text.as_bytes(), &mut scope);
            assert_eq!(got, fits, "{template} and {text}");
            assert!(fits || scope.get("id").is_none(), "{template}: kept a name");
        }
    }

    #[test]
    fn names_keep_their_first_value() {
        let mut scope = Scope::default();
        let template = Template::parse("{a}@{b}").unwrap();
        assert!(template.fits(b"sam@push", &mut scope));
        assert_eq!(
            (scope.get("a"), scope.get("b")),
            (Some("sam"), Some("push"))
        );
        assert!(!template.fits(b"kim@push", &mut scope));
    }

    #[test]
    fn refused() {
        for text in ["{", "{a b}", r"\q", r"\x4", "{x x \"a\"}", "{3 x a}", "{}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
