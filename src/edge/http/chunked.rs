//! RFC 9112 §7.1: bodies that come in chunks, as curl sends what it reads from a pipe.
// Heads up! Read RFC 9112 §7.1 before changing this file: what is lenient here lets requests hide in bodies.

use crate::limits;

/// Takes a chunked body apart, whatever pieces it comes in.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunked {
    state: State,
    body: Vec<u8>,
    trailers: usize,
}

#[derive(Clone, Debug)]
enum State {
    /// In the line that gives a chunk's size; what has come of it.
    Size(Vec<u8>),
    /// In a chunk's data; bytes still to come.
    Data(usize),
    /// In the line end behind a chunk's data.
    DataEnd { return_seen: bool },
    /// In the trailers; what has come of the current one.
    Trailer(Vec<u8>),
    /// Behind the last byte.
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Size(Vec::new())
    }
}

/// Why a chunked body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkError {
    /// The framing is broken.
    Malformed,
    /// The body is longer than [`limits::HTTP_BODY`].
    TooLong,
}

impl Chunked {
    /// Takes in the next bytes; true when the body is complete. Bytes behind its end are ignored.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, ChunkError> {
        while let (false, Some((&byte, rest))) = (self.is_done(), bytes.split_first()) {
            bytes = match self.state {
                State::Data(left) => self.take_data(left, bytes),
                _ => {
                    self.step(byte)?;
                    rest
                }
            };
        }
        Ok(self.is_done())
    }

    /// The body so far.
    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn take_data<'a>(&mut self, left: usize, bytes: &'a [u8]) -> &'a [u8] {
        let (data, rest) = bytes.split_at(left.min(bytes.len()));
        self.body.extend_from_slice(data);
        self.state = match left - data.len() {
            0 => State::DataEnd { return_seen: false },
            left => State::Data(left),
        };
        rest
    }

    /// Takes in one byte of the framing.
    fn step(&mut self, byte: u8) -> Result<(), ChunkError> {
        self.state = match std::mem::take(&mut self.state) {
            State::Size(line) => match next_in_line(line, byte, limits::HTTP_CHUNK_LINE)? {
                Line::Open(line) => State::Size(line),
                Line::Complete(line) => match chunk_size(&line)? {
                    0 => State::Trailer(Vec::new()),
                    size if size > limits::HTTP_BODY - self.body.len() => {
                        return Err(ChunkError::TooLong);
                    }
                    size => State::Data(size),
                },
            },
            State::DataEnd { return_seen: false } if byte == b'\r' => {
                State::DataEnd { return_seen: true }
            }
            State::DataEnd { return_seen: true } if byte == b'\n' => State::default(),
            State::DataEnd { .. } => return Err(ChunkError::Malformed),
            State::Trailer(line) => {
                self.trailers += 1;
                match next_in_line(line, byte, limits::HTTP_TRAILERS)? {
                    _ if self.trailers > limits::HTTP_TRAILERS => {
                        return Err(ChunkError::Malformed);
                    }
                    Line::Open(line) => State::Trailer(line),
                    Line::Complete(line) if line.is_empty() => State::Done,
                    Line::Complete(_) => State::Trailer(Vec::new()),
                }
            }
            state @ (State::Data(_) | State::Done) => state,
        };
        Ok(())
    }
}

/// A line while it comes in.
enum Line {
    /// Its end has not come.
    Open(Vec<u8>),
    /// All of it, without the line end.
    Complete(Vec<u8>),
}

/// Adds a byte to a line that ends with CR LF and holds at most `limit` bytes.
fn next_in_line(mut line: Vec<u8>, byte: u8, limit: usize) -> Result<Line, ChunkError> {
    let after_return = line.last() == Some(&b'\r');
    match byte {
        b'\n' if after_return => {
            line.pop();
            return Ok(Line::Complete(line));
        }
        b'\n' => return Err(ChunkError::Malformed),
        _ if after_return || line.len() > limit => return Err(ChunkError::Malformed),
        _ => line.push(byte),
    }
    Ok(Line::Open(line))
}

/// The size in `1a` or `1a;name=value`; extensions mean nothing to us.
fn chunk_size(line: &[u8]) -> Result<usize, ChunkError> {
    let digits = line.split(|&b| b == b';').next().unwrap_or_default();
    let digits = digits.trim_ascii_end();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(ChunkError::Malformed);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| ChunkError::Malformed)?;
    usize::from_str_radix(digits, 16).map_err(|_| ChunkError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        input: Vec<u8>,
        want: Result<&'static [u8], ChunkError>,
    }

    fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, ChunkError> {
        let mut chunked = Chunked::default();
        let mut done = false;
        for piece in pieces {
            done = chunked.feed(piece)?;
        }
        assert!(done, "the body has no end");
        Ok(chunked.into_body())
    }

    fn cases() -> Vec<Case> {
        let case = |name, input: &str, want| Case {
            name,
            input: input.into(),
            want,
        };
        let malformed = Err(ChunkError::Malformed);
        let many = "1\r\nx\r\n".repeat(limits::HTTP_BODY) + "1\r\nx\r\n0\r\n\r\n";
        let trailers = "0\r\n".to_owned() + &"a: b\r\n".repeat(limits::HTTP_TRAILERS) + "\r\n";
        let long_line = format!(
            "1;{}\r\nx\r\n0\r\n\r\n",
            "x".repeat(limits::HTTP_CHUNK_LINE)
        );
        vec![
            case("empty", "0\r\n\r\n", Ok(b"")),
            case(
                "two chunks",
                "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                Ok(b"abcde"),
            ),
            case(
                "hex in either case",
                "0A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n",
                Ok(b"01234567890123456789"),
            ),
            case("extensions", "1;a=\"b\"\r\nx\r\n0 ; c\r\n\r\n", Ok(b"x")),
            case(
                "trailers",
                "1\r\nx\r\n0\r\nDigest: y\r\nA: b\r\n\r\n",
                Ok(b"x"),
            ),
            case(
                "line ends in the data",
                "4\r\n\r\n\r\n\r\n0\r\n\r\n",
                Ok(b"\r\n\r\n"),
            ),
            case(
                "bytes behind the end",
                "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1",
                Ok(b"x"),
            ),
            case("no size", "\r\nx\r\n0\r\n\r\n", malformed),
            case("minus", "-1\r\nx\r\n0\r\n\r\n", malformed),
            case("plus", "+1\r\nx\r\n0\r\n\r\n", malformed),
            case("0x", "0x1\r\nx\r\n0\r\n\r\n", malformed),
            case("bare line feed", "1\nx\n0\n\n", malformed),
            case(
                "carriage return in the size",
                "1\rx\r\n0\r\n\r\n",
                malformed,
            ),
            case(
                "data longer than its size",
                "1\r\nxy\r\n0\r\n\r\n",
                malformed,
            ),
            case("long size line", &long_line, malformed),
            case("endless trailers", &trailers, malformed),
            case("one byte too long", "10001\r\nx", Err(ChunkError::TooLong)),
            case(
                "far too long",
                "ffffffffffffffff\r\nx",
                Err(ChunkError::TooLong),
            ),
            case(
                "beyond any number",
                "fffffffffffffffff\r\nx",
                Err(ChunkError::TooLong),
            ),
            case("too long in small chunks", &many, Err(ChunkError::TooLong)),
        ]
    }

    #[test]
    fn bodies() {
        for case in cases() {
            let got = decode(&[&case.input]);
            assert_eq!(got, case.want.map(<[u8]>::to_vec), "{}", case.name);
        }
    }

    #[test]
    fn chopped_at_every_byte() {
        for case in cases().into_iter().filter(|case| case.input.len() < 1000) {
            for cut in 0..case.input.len() {
                let (left, right) = case.input.split_at(cut);
                let got = decode(&[left, right]);
                let want = case.want.map(<[u8]>::to_vec);
                assert_eq!(got, want, "{} cut at {cut}", case.name);
            }
        }
    }
}
