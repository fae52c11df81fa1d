//! The reader of streams (RFC 6120 §4): however its input is cut the frames are the same, each can be written
//! and read back, and nothing is kept beyond the bound.
#![no_main]

use lanpush::xmpp::error::StreamError;
use lanpush::xmpp::stream::{Frame, StreamReader};
use libfuzzer_sys::fuzz_target;
use minidom::Element;

/// Bytes of a stanza that are taken: small, so that short inputs reach it.
const LIMIT: usize = 600;

type Read = (Vec<Frame>, Option<StreamError>);

fn read(stream: &[u8], mut longest: impl FnMut() -> usize) -> Read {
    let mut reader = StreamReader::new(LIMIT);
    let mut frames = Vec::new();
    // Bytes since the last frame, without white space between stanzas.
    let mut open = 0;
    let mut rest = stream;
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(longest().clamp(1, rest.len()));
        rest = after;
        loop {
            let before = piece;
            let result = reader.next(&mut piece);
            let taken = &before[..before.len() - piece.len()];
            let blank = open == 0 && taken.iter().all(u8::is_ascii_whitespace);
            open += if blank { 0 } else { taken.len() };
            match result {
                Ok(Some(frame)) => {
                    frames.push(frame);
                    open = 0;
                }
                Ok(None) => break assert!(piece.is_empty()),
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(frames.is_empty() || open <= LIMIT, "{open} bytes are kept");
    }
    (frames, None)
}

/// By minidom alone, so that this does not believe what the reader believes.
fn read_back(stanza: &Element) -> Element {
    let mut bytes = Vec::new();
    stanza
        .write_to(&mut bytes)
        .expect("a stanza can be written");
    Element::from_reader_with_prefixes(&bytes[..], String::new()).expect("and be read back")
}

const STREAMS: [&str; 4] = [
    "\x07<stream:stream to=\"127.0.0.1\" xmlns=\"jabber:client\" \
        xmlns:stream=\"http://etherx.jabber.org/streams\" version=\"1.0\">\
        <iq id=\"C-0\" type=\"set\"><query xmlns=\"jabber:iq:register\"><password>a84b</password>\
        <username>584c</username></query></iq> <presence id=\"X-4\"></presence></stream:stream>",
    "\x03<?xml version='1.0' encoding='utf-8'?>\r\n<stream:stream xmlns='jabber:client' xmlns:p='urn:p' \
        xmlns:q='urn:p' xml:lang='de' xmlns:stream='http://etherx.jabber.org/streams'>\n\
        <message to='sam@gw.lan' p:a='1' q:b='2'><body xml:lang='en'>1 &lt; 2 &amp;&#x20AC; 😀é€</body>\
        <q:x xmlns='' y='&apos;'><z/><p:z p:z='' z=''/></q:x></message>\t</stream:stream> ",
    "\x20<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\
        <a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='x'><b xmlns='urn:1' \
        xmlns:tns0='urn:2'><tns0:c tns0:d='1' xmlns:e='urn:3' e:f='2'/></b><![CDATA[<&>]]]]></a>\
        <stream:error><f xmlns='urn:4'>\r\n\rtext\t</f></stream:error><g><h><i><j/>k</i>l</h>m</g>",
    "\x01<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client'/>",
];

fn check(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else {
        return;
    };
    let whole = read(stream, || usize::MAX);
    assert_eq!(read(stream, || 1), whole, "byte by byte");
    // Cut where the first byte says, at other lengths each time.
    let mut seed = cut;
    let length = || {
        seed = seed.wrapping_mul(5).wrapping_add(97);
        usize::from(seed % cut.max(2)) + 1
    };
    assert_eq!(read(stream, length), whole, "in pieces");
    for frame in &whole.0 {
        if let Frame::Stanza(stanza) = frame {
            assert_eq!(&read_back(stanza), stanza);
        }
    }
}

fuzz_target!(init: lanpush_fuzz::seeds(|| STREAMS), |bytes: &[u8]| check(bytes));
