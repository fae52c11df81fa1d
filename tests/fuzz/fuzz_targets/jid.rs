//! Addresses (RFC 7622): one that is taken is written, and read again, as the same.
#![no_main]

use lanpush::config;
use lanpush::limits::JID_PART;
use lanpush::xmpp::jid::{self, Jid};
use libfuzzer_sys::fuzz_target;

fn seeds() {
    lanpush_fuzz::seeds(|| {
        [
            "sam@push.lan/AndroidpnClient",
            "push.lan",
            "SAM@[FD00::1]/a/b@c",
            "x@192.168.1.1",
            "fd00::1",
            "a_b.c-d./\u{20ac}",
            " sam @gw.lan.",
        ]
    });
}

fn check(text: &str) {
    if let Ok(address) = text.parse::<Jid>() {
        let written = address.to_string();
        assert_eq!(written.parse::<Jid>().as_ref(), Ok(&address), "{written:?}");
        assert!(written.len() <= 3 * JID_PART + 2);
        assert_eq!(address.bare().to_string().parse(), Ok(address.bare()));
        for name in address.local.iter() {
            assert_eq!(jid::localpart(name).as_ref(), Some(name));
            assert_ne!(name, "*");
        }
        assert_eq!(jid::domain(&address.domain).as_ref(), Some(&address.domain));
    }
    // What the server may be called can be addressed.
    if let Some(name) = config::domain(text) {
        assert_eq!(config::domain(&name).as_ref(), Some(&name));
        assert!(!name.contains(['@', '/', ' ']));
    }
}

fuzz_target!(init: seeds(), |text: &str| check(text));
