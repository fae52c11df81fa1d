//! What a stream keeps in memory between reads, counted by the allocator. It is one test because the count
//! is of the whole process.

#![cfg(test)]

use std::alloc::System;

use lanpush::limits::STANZA_BYTES_BEFORE_LOGIN as LIMIT;
use lanpush::xmpp::stream::StreamReader;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HEAD: &str = "<stream:stream to='gw.lan' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const STANZAS: &str = "<iq id='1' type='get'><query xmlns='jabber:iq:roster'/></iq><presence/> ";

/// Bytes on the heap that `input` leaves behind in a reader. The test runner's own thread allocates at
/// times, so what counts is what two runs agree on.
fn kept(input: &str) -> isize {
    loop {
        let (first, second) = (kept_once(input), kept_once(input));
        if first == second {
            return first;
        }
    }
}

fn kept_once(input: &str) -> isize {
    let region = Region::new(ALLOCATOR);
    let mut reader = StreamReader::new(LIMIT);
    let mut rest = input.as_bytes();
    while let Some(frame) = reader.next(&mut rest).unwrap() {
        drop(frame);
    }
    let change = region.change();
    drop(reader);
    change.bytes_allocated as isize - change.bytes_deallocated as isize
}

/// Close to [`LIMIT`] bytes of what takes most room as a tree, without the last end tag.
fn unfinished() -> String {
    let prefixes = 'a'..='p';
    let declared: String = prefixes
        .clone()
        .map(|it| format!(" xmlns:{it}='{it}'"))
        .collect();
    let used: String = prefixes.map(|it| format!(" {it}:a=''")).collect();
    let (start, child) = (format!("<a{declared}>"), format!("<a{used}/>"));
    let children = (LIMIT - start.len()) / child.len();
    start + &child.repeat(children)
}

#[test]
fn what_a_stream_keeps() {
    let inline = size_of::<StreamReader>();
    assert!(inline <= 32, "{inline} bytes inline");

    let spaces = " ".repeat(5000);
    let idle = kept(&format!("{HEAD}{STANZAS}{spaces}"));
    assert_eq!(idle, 0, "between stanzas nothing is kept");

    let head = HEAD.replace("version", "xmlns:db='jabber:server:dialback' version");
    let unusual = kept(&format!("{head}{STANZAS}"));
    assert!(unusual < 1000, "an unusual header leaves {unusual} bytes");

    let begun = kept(&format!("{HEAD}<iq id='1' type='get'><query xmlns='"));
    assert!(begun < 1000, "a stanza begun keeps {begun} bytes");

    let long = kept(&format!("{HEAD}{}", unfinished()));
    let bound = LIMIT as isize + 1000;
    assert!(
        long < bound,
        "a long stanza keeps {long} bytes, not its tree"
    );
}
