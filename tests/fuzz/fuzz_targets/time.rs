//! Times that others tell: dates on the calendar, XEP-0202's answers, and the clocks they are weighed against.
#![no_main]

use lanpush::push::notification::NotificationId;
use lanpush::time::{Hinter, Timekeeper, calendar, parse_calendar};
use lanpush::xmpp::feature::time;
use lanpush::xmpp::payload::delay;
use libfuzzer_sys::fuzz_target;
use minidom::Element;

/// The last second of the year 9999, a leap second included.
const LAST: u64 = 253_402_300_800;

fn dates(text: &str) {
    if let Some(second) = parse_calendar(text) {
        assert!(second <= LAST + 3 * 86_400, "{second}");
        assert_eq!(
            parse_calendar(&calendar(second)),
            Some(second).filter(|_| second < LAST)
        );
    }
    let xml = Element::builder("iq", "jabber:client")
        .attr(lanpush::xmpp::stanza::name("id"), "time")
        .append(
            Element::builder("time", time::NS)
                .append(Element::builder("utc", time::NS).append(text)),
        )
        .build();
    if let Some(millis) = time::answer(&xml) {
        assert_eq!(
            parse_calendar(text.split(['.', 'Z']).next().unwrap_or_default()),
            Some(millis / 1000)
        );
    }
    if let Ok(id) = text.parse::<NotificationId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

/// Clocks that jump and hints that lie, eight bytes each: the elapsed time only rises.
fn clocks(bytes: &[u8]) {
    let mut keeper = Timekeeper::default();
    let mut elapsed = 0_u64;
    for step in bytes.chunks_exact(9) {
        let (kind, number) = step.split_first().expect("nine bytes");
        let number = u64::from_be_bytes(number.try_into().expect("eight bytes"));
        match kind % 4 {
            0 => elapsed = elapsed.saturating_add(number >> (kind >> 2)),
            1 => keeper.hint(Hinter::Administrator, number, elapsed),
            2 => keeper.hint(
                Hinter::Phone(format!("user{}", kind >> 2)),
                number >> 22,
                elapsed,
            ),
            _ => {
                let wall = keeper.read(elapsed, number >> (kind >> 2));
                assert!(!calendar(wall.seconds()).is_empty());
                assert!(delay::date_time(wall.seconds()).ends_with('Z'));
            }
        }
    }
}

fn seeds() {
    lanpush_fuzz::seeds(|| {
        [
            &b"2026-01-01 10:00:00"[..],
            b"2006-12-19T17:58:35.123456789Z",
            b"9999-12-31T23:59:60Z",
            b"1970-1-1",
            b"018b0000000070008000000000000001",
            b"\0\0\0\0\0\0\0\x09\x09\x02\x66\x10\0\0\0\0\0\0\x03\0\0\x01\x9b\x78\0\0\0",
        ]
    });
}

fn check(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        dates(text);
    }
    clocks(bytes);
}

fuzz_target!(init: seeds(), |bytes: &[u8]| check(bytes));
