//! RFC 6120 §4: the stream parser. Bytes go in however the network split them, frames come out.
//!
//! Heads up! Read RFC 6120 §4.8 (namespaces), §4.9.3 (conditions) and §11 (what XML is not allowed) before
//! changing this.
//!
//! Each header and stanza is read twice. `scan` looks for its end and refuses what must not be in it;
//! until the end has come only the bytes are kept, because a tree can take ninety times their room.
//! `tree` then builds what is handed out. Between stanzas there is no parser at all.

mod guard;
mod scan;
mod tree;

use minidom::Element;

use self::guard::End;
use self::scan::Scan;
use self::tree::Declared;
use super::error::StreamError;

/// What a stream is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The stream header, always the first frame.
    Header(Header),
    /// A complete element of the top level, in whatever namespace. It and all parts of it can be written
    /// by minidom without an error or a panic.
    Stanza(Element),
    /// `</stream:stream>`, always the last frame.
    End,
}

/// The stream header (RFC 6120 §4.7). It was `{http://etherx.jabber.org/streams}stream` with
/// `jabber:client` as the default namespace. No attribute is longer than [`crate::limits::XML_TOKEN`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The domain the phone wants.
    pub to: Option<String>,
    /// Who the phone says it is.
    pub from: Option<String>,
    /// `xml:lang`, the language of what people read.
    pub lang: Option<String>,
    /// The version of XMPP; absent before 1.0.
    pub version: Option<String>,
}

/// Cuts one stream into frames.
///
/// It knows nothing of restarts: where a stream starts again (RFC 6120 §4.3.3), so does a new reader.
#[derive(Debug)]
pub struct StreamReader {
    phase: Phase,
    /// What the header declared, unless it is what every client declares.
    declared: Option<Box<Declared>>,
    /// The header or stanza under way.
    scan: Option<Box<Scan>>,
    stanza_bytes: u32,
}

#[derive(Debug)]
enum Phase {
    /// Before the end of the header.
    Header,
    /// Between the header and the end.
    Stanzas,
    /// The header was an empty element, so the end has come with it.
    EmptyStream,
    Ended,
    Failed(StreamError),
}

impl StreamReader {
    /// A reader for a stream that has not begun, with a limit for the header and for each stanza.
    #[must_use]
    pub fn new(stanza_bytes: usize) -> Self {
        Self {
            phase: Phase::Header,
            declared: None,
            scan: None,
            stanza_bytes: u32::try_from(stanza_bytes).unwrap_or(u32::MAX),
        }
    }

    /// Changes the limit for stanzas, also for one under way.
    pub fn set_stanza_bytes(&mut self, bytes: usize) {
        self.stanza_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Takes bytes off the front of `input` until a frame is complete, and leaves the rest; `None` when
    /// all of `input` is used up. A frame may come with the last byte and another without any, so call
    /// until `None`. Whitespace between stanzas is skipped, what follows the end is dropped.
    ///
    /// # Errors
    /// The condition to end the stream with. It stays: each later call fails with it.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, StreamError> {
        let outcome = self.advance(input);
        if let Err(error) = outcome {
            self.phase = Phase::Failed(error);
        }
        outcome
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, StreamError> {
        match self.phase {
            Phase::Header | Phase::Stanzas => {}
            Phase::EmptyStream => {
                self.phase = Phase::Ended;
                return Ok(Some(Frame::End));
            }
            Phase::Ended => {
                *input = &[];
                return Ok(None);
            }
            Phase::Failed(error) => return Err(error),
        }
        let scan = match self.scan.take() {
            Some(scan) => Some(scan),
            None => self.begin(input)?,
        };
        let Some(mut scan) = scan else {
            return Ok(None);
        };
        match scan.run(input, self.stanza_bytes as usize)? {
            Some(end) => self.finish(end, scan).map(Some),
            None => {
                self.scan = Some(scan);
                Ok(None)
            }
        }
    }

    /// Skips whitespace; what comes next can only be markup.
    fn begin(&self, input: &mut &[u8]) -> Result<Option<Box<Scan>>, StreamError> {
        *input = skip_whitespace(input);
        let inside = matches!(self.phase, Phase::Stanzas);
        match input.first() {
            None => Ok(None),
            Some(b'<') if inside => Ok(Some(Box::new(Scan::stanza()))),
            Some(b'<') => Ok(Some(Box::new(Scan::header()))),
            Some(&byte) => Err(stray(byte, inside)),
        }
    }

    fn finish(&mut self, end: End, mut scan: Box<Scan>) -> Result<Frame, StreamError> {
        match end {
            End::Header => {
                let (header, declared) = tree::header(scan.bytes())?;
                self.declared = declared;
                self.phase = if scan.was_empty() {
                    Phase::EmptyStream
                } else {
                    Phase::Stanzas
                };
                Ok(Frame::Header(header))
            }
            End::Stanza => scan.tree(self.declared.as_deref()).map(Frame::Stanza),
            End::Stream => {
                self.phase = Phase::Ended;
                Ok(Frame::End)
            }
        }
    }
}

fn skip_whitespace(input: &[u8]) -> &[u8] {
    let markup = input
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    input
        .get(markup.unwrap_or(input.len())..)
        .unwrap_or_default()
}

/// The condition for a byte outside of all markup. Text before the root element is against XML itself;
/// inside it is only against XMPP. A byte that cannot begin a character is the encoding's fault.
fn stray(byte: u8, inside: bool) -> StreamError {
    match byte {
        0x80..=0xc1 | 0xf5..=0xff => StreamError::UnsupportedEncoding,
        0x00..=0x1f => StreamError::NotWellFormed,
        _ if inside => StreamError::BadFormat,
        _ => StreamError::NotWellFormed,
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::limits::{
        NAMESPACE, STANZA_ATTRIBUTES, STANZA_BYTES_BEFORE_LOGIN, STANZA_DEPTH, STANZA_NODES,
        XML_TOKEN,
    };
    use crate::xmpp::ns;

    const LIMIT: usize = STANZA_BYTES_BEFORE_LOGIN;
    const HEAD: &str = "<stream:stream to='gw.lan' xmlns='jabber:client' \
        xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

    type Read = (Vec<Frame>, Option<StreamError>);

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
        let mut reader = StreamReader::new(LIMIT);
        let mut frames = Vec::new();
        for mut piece in pieces {
            loop {
                match reader.next(&mut piece) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break assert!(piece.is_empty(), "all of it is used up"),
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        (frames, None)
    }

    /// Reads the input whole, in two pieces cut everywhere, and byte by byte.
    fn read_chopped(name: &str, input: &[u8]) -> Read {
        let whole = read([input]);
        for cut in 1..input.len() {
            let (head, tail) = input.split_at(cut);
            assert_eq!(read([head, tail]), whole, "{name}: cut at {cut}");
        }
        assert_eq!(read(input.chunks(1)), whole, "{name}: byte by byte");
        whole
    }

    fn stanzas(name: &str, inside: &str) -> Vec<Element> {
        let input = format!("{HEAD}{inside}");
        let (frames, error) = read_chopped(name, input.as_bytes());
        assert_eq!(error, None, "{name}");
        let stanza = |frame| match frame {
            Frame::Stanza(element) => element,
            other => panic!("{name}: {other:?} is no stanza"),
        };
        frames.into_iter().skip(1).map(stanza).collect()
    }

    fn written(element: &Element) -> String {
        let mut bytes = Vec::new();
        element.write_to(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    struct Written {
        name: &'static str,
        input: &'static str,
        want: &'static [&'static str],
    }

    const WRITTEN: &[Written] = &[
        Written {
            name: "stock client",
            input: "<iq id=\"X-3\" type=\"get\"><query xmlns=\"jabber:iq:roster\" ></query></iq>\
                <presence id=\"X-4\"></presence>",
            want: &[
                "<iq xmlns='jabber:client' id='X-3' type='get'><query xmlns='jabber:iq:roster'/></iq>",
                "<presence xmlns='jabber:client' id='X-4'/>",
            ],
        },
        Written {
            name: "whitespace between stanzas",
            input: " \r\n\t<presence/> \n <presence/>   ",
            want: &["<presence xmlns='jabber:client'/>"; 2],
        },
        Written {
            name: "references and CDATA are one text",
            input: "<body>a &lt;&amp;&gt;&apos;&quot; &#65;&#x42;<![CDATA[<c>]]]]></body>",
            want: &["<body xmlns='jabber:client'>a &lt;&amp;&gt;'\" AB&lt;c&gt;]]</body>"],
        },
        Written {
            name: "four-byte characters",
            input: "<body title='📱'>😀é</body>",
            want: &["<body xmlns='jabber:client' title='📱'>😀é</body>"],
        },
        Written {
            name: "line ends",
            input: "<body a='1\r\n2\n3\t4'>1\r\n2\r3&#13;4</body>",
            want: &["<body xmlns='jabber:client' a='1 2 3 4'>1\n2\n3&#xd;4</body>"],
        },
        Written {
            name: "line end in an attribute by reference",
            input: "<body a='1&#10;2&#9;3'/>",
            want: &["<body xmlns='jabber:client' a='1&#xa;2&#x9;3'/>"],
        },
        Written {
            name: "another namespace at the top",
            input: "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            want: &["<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"],
        },
        Written {
            name: "the stream's prefix",
            input: "<stream:error><a xmlns='urn:a'/></stream:error>",
            want: &["<error xmlns='http://etherx.jabber.org/streams'><a xmlns='urn:a'/></error>"],
        },
        Written {
            name: "prefixed elements",
            input: "<p:a xmlns:p='urn:p'><p:b/><c/></p:a>",
            want: &["<a xmlns='urn:p'><b/><c xmlns='jabber:client'/></a>"],
        },
        Written {
            name: "xml:lang",
            input: "<body xml:lang='de'/>",
            want: &["<body xmlns='jabber:client' xml:lang='de'/>"],
        },
        Written {
            name: "xmlns:xml declared again",
            input: "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='de'><b/></a>",
            want: &["<a xmlns='jabber:client' xml:lang='de'><b/></a>"],
        },
        Written {
            name: "no namespace",
            input: "<a><b xmlns=''><c/><d xmlns='jabber:client'/></b></a>",
            want: &["<a xmlns='jabber:client'><b xmlns=''><c/><d xmlns='jabber:client'/></b></a>"],
        },
        Written {
            name: "two prefixes, one namespace",
            input: "<a xmlns:p='urn:p' xmlns:q='urn:p' p:x='1' q:y='2'><q:b p:z='3'/></a>",
            want: &[
                "<a xmlns='jabber:client' xmlns:tns0='urn:p' tns0:x='1' tns0:y='2'>\
                <tns0:b tns0:z='3'/></a>",
            ],
        },
        Written {
            name: "a prefix like those the writer makes up",
            input: "<a xmlns:tns0='urn:0' xmlns:q='urn:q' q:x='1' tns0:x='2'><tns0:b q:y='3'/></a>",
            want: &[
                "<a xmlns='jabber:client' xmlns:tns0='urn:0' tns0:x='2' xmlns:tns1='urn:q' \
                tns1:x='1'><tns0:b tns1:y='3'/></a>",
            ],
        },
        Written {
            name: "one prefix, two namespaces",
            input: "<a xmlns:p='urn:1' p:x='1'><b xmlns:p='urn:2' p:x='2'/><c p:x='3'/></a>",
            want: &["<a xmlns='jabber:client' xmlns:tns0='urn:1' tns0:x='1'>\
                <b xmlns:tns1='urn:2' tns1:x='2'/><c tns0:x='3'/></a>"],
        },
        Written {
            name: "the same name with and without a namespace",
            input: "<a xmlns:p='urn:p' x='1' p:x='2'/>",
            want: &["<a xmlns='jabber:client' x='1' xmlns:tns0='urn:p' tns0:x='2'/>"],
        },
        Written {
            name: "a namespace that has to be escaped",
            input: "<a xmlns='&lt;&apos;&#10;'/>",
            want: &["<a xmlns='&lt;&#39;&#xa;'/>"],
        },
    ];

    #[test]
    fn every_stanza_can_be_written_and_read_back() {
        for Written { name, input, want } in WRITTEN {
            let trees = stanzas(name, input);
            let texts: Vec<String> = trees.iter().map(written).collect();
            assert_eq!(texts, *want, "{name}");
            assert_eq!(stanzas(name, &texts.concat()), trees, "{name}: read back");
        }
    }

    struct Opened {
        name: &'static str,
        input: &'static str,
        /// `to`, `from`, `xml:lang` and `version`.
        want: [Option<&'static str>; 4],
        ended: bool,
    }

    const OPENED: &[Opened] = &[
        Opened {
            name: "stock client",
            input: "<stream:stream to=\"127.0.0.1\" xmlns=\"jabber:client\" \
                xmlns:stream=\"http://etherx.jabber.org/streams\" version=\"1.0\">",
            want: [Some("127.0.0.1"), None, None, Some("1.0")],
            ended: false,
        },
        Opened {
            name: "XML declaration",
            input: "<?xml version='1.0' encoding=\"utf-8\" standalone='yes' ?>\r\n <stream:stream \
                xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'>",
            want: [None; 4],
            ended: false,
        },
        Opened {
            name: "whitespace before the XML declaration",
            input: " \t\r\n<?xml version='1.0'?><stream:stream to='a' from='b@a' xml:lang='de' \
                xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' version='1.1'>",
            want: [Some("a"), Some("b@a"), Some("de"), Some("1.1")],
            ended: false,
        },
        Opened {
            name: "attributes of another namespace are not ours",
            input: "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
                xmlns='jabber:client' xmlns:x='urn:x' x:to='a' x:lang='de' lang='de' unknown='1'>",
            want: [None; 4],
            ended: false,
        },
        Opened {
            name: "opened and closed at once",
            input: "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
                xmlns='jabber:client' to='a' />",
            want: [Some("a"), None, None, None],
            ended: true,
        },
    ];

    #[test]
    fn headers() {
        for Opened {
            name,
            input,
            want,
            ended,
        } in OPENED
        {
            let [to, from, lang, version] = want.map(|text| text.map(str::to_owned));
            let header = Frame::Header(Header {
                to,
                from,
                lang,
                version,
            });
            let end = ended.then_some(Frame::End);
            let frames: Vec<Frame> = iter::once(header).chain(end).collect();
            assert_eq!(
                read_chopped(name, input.as_bytes()),
                (frames, None),
                "{name}"
            );
        }
    }

    #[test]
    fn prefixes_of_the_header_hold_in_every_stanza() {
        let input = "<stream:stream xmlns='jabber:client' xmlns:p='urn:p' xmlns:q='urn:p' \
            xmlns:stream='http://etherx.jabber.org/streams'><p:a q:x='1'/><iq><q:b/></iq>";
        let (frames, error) = read_chopped("prefixes", input.as_bytes());
        assert_eq!(error, None);
        let [
            Frame::Header(_),
            Frame::Stanza(first),
            Frame::Stanza(second),
        ] = &frames[..]
        else {
            panic!("{frames:?}");
        };
        assert_eq!(
            written(first),
            "<a xmlns='urn:p' xmlns:tns0='urn:p' tns0:x='1'/>"
        );
        assert_eq!(
            written(second),
            "<iq xmlns='jabber:client'><b xmlns='urn:p'/></iq>"
        );
    }

    struct Refused {
        name: &'static str,
        input: &'static [u8],
        want: StreamError,
    }

    const fn refused(name: &'static str, input: &'static str, want: StreamError) -> Refused {
        Refused {
            name,
            input: input.as_bytes(),
            want,
        }
    }

    const fn bytes(name: &'static str, input: &'static [u8], want: StreamError) -> Refused {
        Refused { name, input, want }
    }

    use StreamError::*;

    const REFUSED_AT_THE_START: &[Refused] = &[
        refused("HTTP", "G", NotWellFormed),
        refused("text after whitespace", "  x", NotWellFormed),
        bytes("TLS ClientHello", b"\x16", NotWellFormed),
        bytes("NUL", b"\0", NotWellFormed),
        bytes("byte order mark", b"\xef", NotWellFormed),
        bytes("UTF-16, big end first", b"\xfe", UnsupportedEncoding),
        bytes("UTF-16, little end first", b"\xff", UnsupportedEncoding),
        bytes("UTF-16 without a mark", b"<\0", NotWellFormed),
        bytes(
            "Latin-1 in an attribute",
            b"<stream:stream to='k\xfc",
            UnsupportedEncoding,
        ),
        refused("end tag first", "</stream:stream>", NotWellFormed),
        refused("DTD", "<!D", RestrictedXml),
        refused(
            "DTD after the declaration",
            "<?xml version='1.0'?><!D",
            RestrictedXml,
        ),
        refused("comment", "<!--", RestrictedXml),
        refused("processing instruction", "<?p", RestrictedXml),
        refused("CDATA", "<![CDATA[x]]>", NotWellFormed),
        refused("XML 1.1", "<?xml version='1.1'", RestrictedXml),
        refused(
            "Latin-1 declared",
            "<?xml version='1.0' encoding='ISO-8859-1'",
            UnsupportedEncoding,
        ),
        refused(
            "two declarations",
            "<?xml version='1.0'?><?xml",
            RestrictedXml,
        ),
        refused(
            "text after the declaration",
            "<?xml version='1.0'?> x",
            NotWellFormed,
        ),
        refused("HTML", "<html>", InvalidNamespace),
        refused(
            "no prefix, no namespace",
            "<stream to='a'>",
            InvalidNamespace,
        ),
        refused(
            "content namespace only",
            "<stream xmlns='jabber:client'>",
            InvalidNamespace,
        ),
        refused(
            "stream namespace as the default",
            "<stream xmlns='http://etherx.jabber.org/streams'>",
            BadNamespacePrefix,
        ),
        refused(
            "undeclared prefix",
            "<stream:stream xmlns='jabber:client'>",
            BadNamespacePrefix,
        ),
        refused(
            "undeclared prefix of an attribute",
            "<stream:stream a:b='' xmlns='jabber:client' \
                xmlns:stream='http://etherx.jabber.org/streams'>",
            BadNamespacePrefix,
        ),
        refused(
            "another prefix",
            "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>",
            BadNamespacePrefix,
        ),
        refused(
            "another stream namespace",
            "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x'>",
            InvalidNamespace,
        ),
        refused(
            "another name",
            "<stream:steam xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
            BadFormat,
        ),
        refused(
            "another content namespace",
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>",
            InvalidNamespace,
        ),
        refused(
            "no content namespace",
            "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>",
            InvalidNamespace,
        ),
        refused(
            "attribute twice",
            "<stream:stream to='a' to=''",
            NotWellFormed,
        ),
        refused(
            "declaration twice",
            "<stream:stream xmlns='a' xmlns='a'",
            NotWellFormed,
        ),
        refused(
            "attribute twice in its namespace",
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                xmlns:a='urn:a' xmlns:b='urn:a' a:x='1' b:x='1'>",
            NotWellFormed,
        ),
    ];

    const REFUSED_INSIDE: &[Refused] = &[
        refused("text", "x", BadFormat),
        refused("text after whitespace", " \n&", BadFormat),
        refused("text after a stanza", "<a/>x", BadFormat),
        refused("CDATA", "<![CDATA[ ]]>", BadFormat),
        refused(
            "text after an empty CDATA section",
            "<![CDATA[]]> <",
            BadFormat,
        ),
        bytes("NUL", b"<a/>\0", NotWellFormed),
        bytes("not a character", b"\xff", UnsupportedEncoding),
        refused("DTD", "<!E", RestrictedXml),
        refused("comment", "<a><!--", RestrictedXml),
        refused("comment between stanzas", "<!--", RestrictedXml),
        refused("processing instruction", "<a><?p", RestrictedXml),
        refused("second XML declaration", "<?xml", RestrictedXml),
        refused("second header", "<stream:stream ", UnsupportedStanzaType),
        refused("unknown entity", "<a>&nbsp;", RestrictedXml),
        refused(
            "unknown entity in an attribute",
            "<a b='&nbsp;",
            RestrictedXml,
        ),
        refused("bare ampersand", "<a>& ", NotWellFormed),
        refused("reference to NUL", "<a>&#0;", NotWellFormed),
        refused(
            "reference to half a character",
            "<a>&#xd800;",
            NotWellFormed,
        ),
        refused("reference to no character", "<a>&#xffff;", NotWellFormed),
        refused("no character", "<a>\u{ffff}<", NotWellFormed),
        refused("control character", "<a>\u{1}", NotWellFormed),
        refused(
            "control character in an attribute",
            "<a b='\u{1}",
            NotWellFormed,
        ),
        bytes("half a character in text", b"<a>\xc3<", UnsupportedEncoding),
        bytes(
            "half a character in an attribute",
            b"<a b='\xe2\x82'",
            UnsupportedEncoding,
        ),
        bytes("half a character in a name", b"<\xc3 ", UnsupportedEncoding),
        bytes("overlong character", b"<a>\xc0", UnsupportedEncoding),
        bytes("surrogate", b"<a>\xed\xa0", UnsupportedEncoding),
        refused("wrong end tag", "<a></b>", NotWellFormed),
        refused("end of something else", "</stream>", NotWellFormed),
        refused("`<` in a start tag", "<iq><<", NotWellFormed),
        refused("`<` in an attribute", "<iq id='<", NotWellFormed),
        refused("attribute without quotes", "<iq id=1 ", NotWellFormed),
        refused("attribute without value", "<iq id>", NotWellFormed),
        refused("end of CDATA in text", "<a>]]>", NotWellFormed),
        refused(
            "asmack's way to delete an account",
            "<q><a/></remove>",
            NotWellFormed,
        ),
        refused("attribute twice", "<a b='1' b=''", NotWellFormed),
        refused(
            "declaration twice",
            "<a xmlns:p='a' xmlns:p='a'",
            NotWellFormed,
        ),
        refused(
            "attribute twice in its namespace",
            "<a xmlns:p='urn:p' xmlns:q='urn:p' p:x='1' q:x='1'/>",
            NotWellFormed,
        ),
        refused("two colons", "<a:b:c ", NotWellFormed),
        refused("empty prefix", "<:a ", NotWellFormed),
        refused("undeclared prefix", "<p:a/>", BadNamespacePrefix),
        refused(
            "undeclared prefix of an attribute",
            "<a p:b=''/>",
            BadNamespacePrefix,
        ),
        refused(
            "prefix out of its element",
            "<a><b xmlns:p='urn:p'/><p:c/></a>",
            BadNamespacePrefix,
        ),
        refused("element called xml", "<xml:a ", BadNamespacePrefix),
        refused("element called xmlns", "<xmlns:a ", BadNamespacePrefix),
        refused("prefix xmlns declared", "<a xmlns:xmlns=", NotWellFormed),
        refused(
            "prefix xml for another namespace",
            "<a xmlns:xml='urn:a'",
            NotWellFormed,
        ),
        refused(
            "another prefix for the xml namespace",
            "<a xmlns:p='http://www.w3.org/XML/1998/namespace'",
            NotWellFormed,
        ),
        refused(
            "xml namespace as the default",
            "<a xmlns='http://www.w3.org/XML/1998/namespace'",
            NotWellFormed,
        ),
        refused(
            "prefix for the xmlns namespace",
            "<a xmlns:p='http://www.w3.org/2000/xmlns/'",
            NotWellFormed,
        ),
        refused("prefix undeclared", "<a xmlns:p=''", NotWellFormed),
    ];

    /// Each ends with the very byte that makes it wrong.
    #[test]
    fn refused_at_once() {
        let outside = REFUSED_AT_THE_START.iter().map(|case| (case, ""));
        let inside = REFUSED_INSIDE.iter().map(|case| (case, HEAD));
        for (Refused { name, input, want }, before) in outside.chain(inside) {
            let mut whole = before.as_bytes().to_vec();
            whole.extend_from_slice(input);
            let (_, error) = read_chopped(name, &whole);
            assert_eq!(error, Some(*want), "{name}");
            whole.pop();
            let (_, early) = read([&whole[..]]);
            assert_eq!(early, None, "{name}: not before its last byte");
        }
    }

    #[test]
    fn frames_before_an_error_still_come() {
        let input = format!("{HEAD}<iq/><presence/><!DOCTYPE x>");
        let (frames, error) = read_chopped("three frames", input.as_bytes());
        assert_eq!((frames.len(), error), (3, Some(RestrictedXml)));
    }

    #[test]
    fn an_error_stays() {
        let mut reader = StreamReader::new(LIMIT);
        let mut input = &b"GET / HTTP/1.1\r\n\r\n"[..];
        assert_eq!(reader.next(&mut input), Err(NotWellFormed));
        assert_eq!(reader.next(&mut HEAD.as_bytes()), Err(NotWellFormed));
    }

    #[test]
    fn one_frame_at_a_time_and_the_rest_is_left() {
        let text = format!("{HEAD}<iq/> <presence/></stream:stream><iq/>");
        let mut input = text.as_bytes();
        let mut reader = StreamReader::new(LIMIT);
        let mut next = || (reader.next(&mut input).unwrap(), input);
        let (header, rest) = next();
        assert!(matches!(header, Some(Frame::Header(_))));
        assert_eq!(rest, b"<iq/> <presence/></stream:stream><iq/>");
        let (iq, rest) = next();
        assert!(matches!(iq, Some(Frame::Stanza(iq)) if iq.is("iq", ns::CLIENT)));
        assert_eq!(rest, b" <presence/></stream:stream><iq/>");
        let (presence, rest) = next();
        assert!(matches!(presence, Some(Frame::Stanza(it)) if it.is("presence", ns::CLIENT)));
        assert_eq!(rest, b"</stream:stream><iq/>");
        assert_eq!(next(), (Some(Frame::End), &b"<iq/>"[..]));
        assert_eq!(next(), (None, &b""[..]), "nothing comes after the end");
    }

    fn nested(depth: usize) -> String {
        "<a>".repeat(depth) + &"</a>".repeat(depth)
    }

    fn with_attributes(count: usize) -> String {
        let attributes: String = (0..count).map(|i| format!(" a{i}=''")).collect();
        format!("<a{attributes}/>")
    }

    fn with_nodes(count: usize) -> String {
        let (pairs, odd) = ((count - 1) / 2, (count - 1) % 2);
        format!("<a>{}{}</a>", "t<b/>".repeat(pairs), "t".repeat(odd))
    }

    fn with_bytes(count: usize) -> String {
        format!("<a>{}</a>", "t".repeat(count - "<a></a>".len()))
    }

    #[test]
    fn limits() {
        type Input = fn(usize) -> String;
        let cases: [(&str, usize, Input); 8] = [
            ("depth", STANZA_DEPTH, nested),
            ("attributes", STANZA_ATTRIBUTES, with_attributes),
            ("nodes", STANZA_NODES, with_nodes),
            ("bytes", LIMIT, with_bytes),
            ("namespace", NAMESPACE, |n| {
                format!("<a xmlns='{}'/>", "n".repeat(n))
            }),
            ("name", XML_TOKEN, |n| format!("<{}/>", "n".repeat(n))),
            ("attribute name", XML_TOKEN, |n| {
                format!("<a {}=''/>", "n".repeat(n))
            }),
            ("attribute value", XML_TOKEN, |n| {
                format!("<a b='{}'/>", "n".repeat(n))
            }),
        ];
        for (name, limit, input) in cases {
            let just = format!("{HEAD}{}", input(limit));
            let over = format!("{HEAD}{}", input(limit + 1));
            for size in [1, 7, 4096, usize::MAX] {
                let (frames, error) = read(just.as_bytes().chunks(size));
                assert_eq!((frames.len(), error), (2, None), "{name}: pieces of {size}");
                let (frames, error) = read(over.as_bytes().chunks(size));
                assert_eq!(
                    (frames.len(), error),
                    (1, Some(PolicyViolation)),
                    "{name}: {size}"
                );
            }
        }
    }

    #[test]
    fn a_text_of_many_references_is_one_node() {
        let body = "&lt;".repeat(STANZA_NODES + 1);
        let trees = stanzas("references", &format!("<body>{body}</body>"));
        assert_eq!(trees[0].text(), "<".repeat(STANZA_NODES + 1));
    }

    #[test]
    fn the_limit_can_be_raised() {
        let mut reader = StreamReader::new(LIMIT);
        let input = format!("{HEAD}{}", with_bytes(LIMIT + 1));
        let mut input = input.as_bytes();
        assert!(matches!(
            reader.next(&mut input),
            Ok(Some(Frame::Header(_)))
        ));
        reader.set_stanza_bytes(LIMIT + 1);
        assert!(matches!(
            reader.next(&mut input),
            Ok(Some(Frame::Stanza(_)))
        ));
    }

    /// What never ends is refused with the first byte over the limit, also where no event completes.
    #[test]
    fn endless() {
        let cases = [
            ("XML declaration", "<?xml version='1.0' ", " ", LIMIT),
            (
                "space before the header",
                "<?xml version='1.0'?>",
                "\n",
                LIMIT,
            ),
            ("header of spaces", "<stream:stream", " ", LIMIT),
            ("name", "<", "n", XML_TOKEN + 2),
            (
                "text",
                "<stream:stream xmlns='jabber:client' to='",
                "t",
                41 + XML_TOKEN + 1,
            ),
        ];
        let inside = [
            ("head of spaces", "<a ", " ", LIMIT),
            ("text", "<a>", "t", LIMIT),
            ("CDATA", "<a><![CDATA[", "t", LIMIT),
            (
                "children",
                "<a>",
                "<b/>tttttttttttttttttttttttttttttttttttttttttttttttt",
                LIMIT,
            ),
            (
                "empty CDATA sections",
                "<![CDATA[]]>",
                "<![CDATA[]]>",
                LIMIT,
            ),
            (
                "space after an empty CDATA section",
                "<![CDATA[]]>",
                " ",
                XML_TOKEN + 13,
            ),
        ];
        let outside = cases.map(|case| ("", case));
        let inside = inside.map(|case| (HEAD, case));
        for (before, (name, start, more, limit)) in outside.into_iter().chain(inside) {
            let endless = start.bytes().chain(more.bytes().cycle());
            let mut reader = StreamReader::new(LIMIT);
            let _ = reader.next(&mut before.as_bytes());
            let taken = endless
                .take(LIMIT + 1)
                .position(|byte| reader.next(&mut &[byte][..]).is_err());
            assert_eq!(taken.map(|index| index + 1), Some(limit), "{name}");
        }
    }

    #[test]
    fn whitespace_between_stanzas_is_free() {
        let mut reader = StreamReader::new(LIMIT);
        reader.next(&mut HEAD.as_bytes()).unwrap();
        for _ in 0..3 * LIMIT {
            assert_eq!(reader.next(&mut &b" "[..]), Ok(None));
        }
        assert!(reader.scan.is_none(), "nothing is under way");
        assert!(matches!(
            reader.next(&mut &b"<iq/>"[..]),
            Ok(Some(Frame::Stanza(_)))
        ));
    }
}
