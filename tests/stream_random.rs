//! Streams damaged at random: the reader never panics, does not care how its input is cut, and every
//! stanza it hands out can be written and read back.
//!
//! `STREAM_ROUNDS` sets the number of rounds and `STREAM_SEED` the first one's seed; a failure names the
//! seed that repeats it alone.

#![cfg(test)]

use lanpush::limits::STANZA_BYTES_BEFORE_LOGIN;
use lanpush::xmpp::error::StreamError;
use lanpush::xmpp::stream::{Frame, StreamReader};
use minidom::Element;

const ROUNDS: u64 = 1500;

const STREAMS: &[&str] = &[
    "<stream:stream to=\"127.0.0.1\" xmlns=\"jabber:client\" \
        xmlns:stream=\"http://etherx.jabber.org/streams\" version=\"1.0\">\
        <iq id=\"Cvo5P-0\" type=\"set\"><query xmlns=\"jabber:iq:register\"><password>a84b</password>\
        <username>584c</username></query></iq> <presence id=\"X-4\"></presence></stream:stream>",
    "<?xml version='1.0' encoding='utf-8'?>\r\n<stream:stream xmlns='jabber:client' xmlns:p='urn:p' \
        xmlns:q='urn:p' xml:lang='de' xmlns:stream='http://etherx.jabber.org/streams'>\n\
        <message to='sam@gw.lan' p:a='1' q:b='2'><body xml:lang='en'>1 &lt; 2 &amp;&#x20AC; 😀é€</body>\
        <q:x xmlns='' y='&apos;'><z/><p:z p:z='' z=''/></q:x></message>\t</stream:stream> ",
    " <stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\
        <a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='x'><b xmlns='urn:1' \
        xmlns:tns0='urn:2'><tns0:c tns0:d='1' xmlns:e='urn:3' e:f='2'/></b><![CDATA[<&>]]]]></a>\
        <stream:error><f xmlns='urn:4'>\r\n\rtext\t</f></stream:error><g><h><i><j/>k</i>l</h>m</g>",
];

/// What an attacker would try, and what damage alone would rarely produce.
const WORDS: &[&[u8]] = &[
    b"<",
    b">",
    b"/>",
    b"</",
    b"'",
    b"\"",
    b"=",
    b" ",
    b"\r",
    b"\n",
    b"&",
    b";",
    b":",
    b"]]>",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xef\xbf\xbf",
    b"<![CDATA[",
    b"<!--",
    b"<?xml ",
    b"<!DOCTYPE ",
    b"&amp;",
    b"&#13;",
    b"&#x1F600;",
    b"<a>",
    b"</a>",
    b"<a/>",
    b"<p:a>",
    b" a='1'",
    b" p:a='1'",
    b" q:a='1'",
    b" xmlns=''",
    b" xmlns='jabber:client'",
    b" xmlns:p='urn:q'",
    b" xmlns:tns1='urn:p'",
    b" xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    b" xmlns:p='http://www.w3.org/2000/xmlns/'",
    b" xml:lang='en'",
    b"xmlns:",
    b"xml:",
    b"</stream:stream>",
    b"<stream:stream>",
];

/// SplitMix64: small, and every seed is a good one.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn span(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        start..(start + self.below(20)).min(len)
    }
}

fn damage(random: &mut Random, stream: &mut Vec<u8>) {
    let span = random.span(stream.len());
    match random.below(6) {
        0 => stream.splice(span, []).for_each(drop),
        1 => {
            let copy = stream[random.span(stream.len())].to_vec();
            stream.splice(span.start..span.start, copy).for_each(drop);
        }
        2 => stream[span]
            .iter_mut()
            .for_each(|byte| *byte = random.next() as u8),
        3 => {
            // Longer than a token may be, and cut by the parser in the middle of a character.
            let filler = "é".repeat(random.below(5000));
            stream
                .splice(span.start..span.start, filler.into_bytes())
                .for_each(drop);
        }
        _ => {
            let word = WORDS[random.below(WORDS.len())];
            stream
                .splice(span.start..span.start, word.iter().copied())
                .for_each(drop);
        }
    }
}

type Read = (Vec<Frame>, Option<StreamError>);

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut reader = StreamReader::new(STANZA_BYTES_BEFORE_LOGIN);
    let mut frames = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break assert!(piece.is_empty()),
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn read_in_random_pieces(random: &mut Random, stream: &[u8]) -> Read {
    let mut rest = stream;
    let mut pieces = Vec::new();
    let longest = 1 + random.below(200);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    read(pieces)
}

/// By minidom alone, so that this does not believe what the reader believes.
fn read_back(stanza: &Element) -> Element {
    let mut bytes = Vec::new();
    stanza
        .write_to(&mut bytes)
        .expect("a stanza can be written");
    Element::from_reader_with_prefixes(&bytes[..], String::new()).expect("and be read back")
}

/// Says which seed it was, also when it is a library that panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("STREAM_SEED={} STREAM_ROUNDS=1 repeats this", self.0);
        }
    }
}

/// Returns how many frames came of it.
fn round(seed: u64) -> usize {
    let _named = Named(seed);
    let mut random = Random(seed);
    let mut stream = STREAMS[random.below(STREAMS.len())].as_bytes().to_vec();
    for _ in 0..random.below(4) {
        damage(&mut random, &mut stream);
    }
    let whole = read([&stream[..]]);
    assert_eq!(read(stream.chunks(1)), whole, "byte by byte");
    for _ in 0..3 {
        assert_eq!(
            read_in_random_pieces(&mut random, &stream),
            whole,
            "in pieces"
        );
    }
    for frame in &whole.0 {
        if let Frame::Stanza(stanza) = frame {
            assert_eq!(&read_back(stanza), stanza);
        }
    }
    whole.0.len()
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn damaged_streams() {
    let first = setting("STREAM_SEED", 1);
    let rounds = setting("STREAM_ROUNDS", ROUNDS);
    let frames: usize = (first..first + rounds).map(round).sum();
    assert!(
        rounds < 100 || frames as u64 > rounds,
        "{frames} frames test nothing"
    );
}
