//! SQL as HSQLDB's `.script` and MySQL's dumps have it, cut into tokens; as much of it as rows of one table
//! need.

use crate::limits;

/// A piece of a statement.
pub(super) enum Token {
    /// A string, its quotes and escapes resolved.
    Text(String),
    /// A word, a number, a name in quotes.
    Word(String),
    /// Any other character.
    Mark(u8),
}

/// What is left of a text.
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    /// Of the first byte of `rest`, counted from 1.
    line: usize,
    /// Whether `\` escapes one character in a string (MySQL), or begins `\uXXXX` (HSQLDB).
    backslash: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8], backslash: bool) -> Self {
        Self {
            rest: text,
            line: 1,
            backslash,
        }
    }

    /// The line of what comes next, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    fn bump(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    pub(super) fn skip_line(&mut self) {
        while self.bump().is_some_and(|byte| byte != b'\n') {}
    }

    /// Passes over spaces, comments and semicolons; false at the end.
    pub(super) fn skip_blank(&mut self) -> bool {
        loop {
            match self.rest {
                [] => return false,
                [b'-', b'-', ..] | [b'#', ..] => self.skip_line(),
                [b'/', b'*', ..] => while !self.rest.starts_with(b"*/") && self.bump().is_some() {},
                [b'*', b'/', ..] => self.rest = self.rest.get(2..).unwrap_or_default(),
                [byte, ..] if byte.is_ascii_whitespace() || *byte == b';' => drop(self.bump()),
                _ => return true,
            }
        }
    }

    /// Passes over the rest of a statement that does not matter: its line, at most to a semicolon.
    pub(super) fn skip_statement(&mut self) {
        while let [byte, ..] = self.rest {
            match byte {
                b';' | b'\n' => return,
                b'\'' => {
                    if self.text().is_err() {
                        return;
                    }
                }
                _ => drop(self.bump()),
            }
        }
    }

    fn skip_space(&mut self) {
        while self.rest.first().is_some_and(u8::is_ascii_whitespace) {
            self.bump();
        }
    }

    /// Whether nothing else is on this line; HSQLDB ends statements so.
    pub(super) fn is_line_end(&mut self) -> bool {
        while matches!(self.rest.first(), Some(b' ' | b'\t' | b'\r')) {
            self.bump();
        }
        matches!(self.rest.first(), None | Some(b'\n'))
    }

    pub(super) fn is_next(&mut self, mark: u8) -> bool {
        self.skip_space();
        self.rest.first() == Some(&mark)
    }

    pub(super) fn token(&mut self) -> Result<Option<Token>, &'static str> {
        self.skip_space();
        let Some(&first) = self.rest.first() else {
            return Ok(None);
        };
        Ok(Some(match first {
            b'\'' => Token::Text(self.text()?),
            b'`' | b'"' => {
                self.bump();
                let name = self.take_while(|byte| byte != first && byte != b'\n');
                // The end of the line stays: the next one is read again.
                if self.rest.first() != Some(&first) {
                    return Err("a name in quotes does not end");
                }
                self.bump();
                Token::Word(name)
            }
            byte if is_word(byte) => Token::Word(self.take_while(is_word)),
            mark => {
                self.bump();
                Token::Mark(mark)
            }
        }))
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> String {
        let end = self.rest.iter().position(|byte| !wanted(*byte));
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        String::from_utf8_lossy(taken).into_owned()
    }

    /// A bare word in lower case.
    pub(super) fn word(&mut self) -> Option<String> {
        self.skip_space();
        let word = self.take_while(is_word);
        (!word.is_empty()).then(|| word.to_ascii_lowercase())
    }

    /// The last part of a name, in lower case: `PUBLIC.APN_USER` is `apn_user`.
    pub(super) fn name(&mut self) -> Option<String> {
        loop {
            let Ok(Some(Token::Word(name))) = self.token() else {
                return None;
            };
            if self.rest.first() != Some(&b'.') {
                return Some(name.to_ascii_lowercase());
            }
            self.bump();
        }
    }

    /// The name of a column at the beginning of its definition; of a key or a constraint, nothing.
    pub(super) fn column(&mut self) -> Option<String> {
        self.skip_space();
        let before = (self.rest, self.line);
        let quoted = matches!(self.rest.first(), Some(b'`' | b'"'));
        let name = match self.token() {
            Ok(Some(Token::Word(name))) => name.to_ascii_lowercase(),
            _ => {
                (self.rest, self.line) = before;
                return None;
            }
        };
        let not_columns = [
            "primary",
            "unique",
            "key",
            "constraint",
            "index",
            "foreign",
            "check",
            "fulltext",
        ];
        (quoted || !not_columns.contains(&name.as_str())).then_some(name)
    }

    /// `(value, value, …)`; `None` for NULL.
    pub(super) fn tuple(&mut self) -> Result<Vec<Option<String>>, &'static str> {
        if !matches!(self.token()?, Some(Token::Mark(b'('))) {
            return Err("a bracket is missing");
        }
        let mut values = Vec::new();
        loop {
            let value = match self.token()?.ok_or("it is cut short")? {
                Token::Text(text) => Some(text),
                Token::Word(word) if word.eq_ignore_ascii_case("null") => None,
                // MySQL names a string's character set: _utf8'…'.
                Token::Word(word) if word.starts_with('_') && self.is_next(b'\'') => {
                    Some(self.text()?)
                }
                Token::Word(word) => Some(word),
                Token::Mark(_) => return Err("a value is missing"),
            };
            if values.len() >= limits::SQL_COLUMNS {
                return Err("it has too many columns");
            }
            values.push(value);
            match self.token()?.ok_or("it is cut short")? {
                Token::Mark(b',') => {}
                Token::Mark(b')') => return Ok(values),
                _ => return Err("a comma is missing"),
            }
        }
    }

    /// A string, from its quote on. Neither database writes one over several lines.
    fn text(&mut self) -> Result<String, &'static str> {
        let mut bytes = Vec::new();
        self.bump();
        loop {
            match self.rest {
                [] | [b'\n', ..] => return Err("a string does not end"),
                [b'\'', b'\'', ..] => {
                    self.bump();
                    bytes.extend(self.bump());
                }
                [b'\'', ..] => {
                    self.bump();
                    break;
                }
                [b'\\', escaped, ..] if self.backslash => {
                    bytes.push(unescaped(*escaped));
                    self.bump();
                    self.bump();
                }
                [b'\\', b'u', ..] if !self.backslash => self.unicode(&mut bytes),
                _ => bytes.extend(self.bump()),
            }
        }
        String::from_utf8(bytes).map_err(|_| "a string is not UTF-8")
    }

    /// `\uXXXX`, two of them for what is beyond 16 bits; anything else stands for itself.
    fn unicode(&mut self, into: &mut Vec<u8>) {
        let mut units = Vec::new();
        let mut rest = self.rest;
        while units.len() < 2
            && let Some((unit, behind)) = unit(rest)
        {
            units.push(unit);
            rest = behind;
            let first = units.first().copied().unwrap_or_default();
            if !(0xd800..0xdc00).contains(&first) {
                break;
            }
        }
        match char::decode_utf16(units).next() {
            Some(Ok(decoded)) => {
                into.extend(decoded.encode_utf8(&mut [0; 4]).as_bytes());
                self.rest = rest;
            }
            _ => into.extend(self.bump()),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-' | b'+') || byte >= 0x80
}

/// The 16 bits of `\uXXXX`, and what comes behind.
fn unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.strip_prefix(b"\\u")?.split_first_chunk::<4>()?;
    let digits = std::str::from_utf8(digits).ok()?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok().filter(|_| hex)?;
    Some((unit, rest))
}

/// What MySQL means by `\` and this byte.
fn unescaped(byte: u8) -> u8 {
    match byte {
        b'0' => 0,
        b'b' => 8,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'Z' => 26,
        other => other,
    }
}
