//! The configuration file (TOML 1.0): every error names a line that is there, and what is taken can be written
//! and read again.
#![no_main]

use lanpush::config::Config;
use libfuzzer_sys::fuzz_target;

fn seeds() {
    lanpush_fuzz::seeds(|| {
        [
            include_str!("../../../config/lanpush.toml"),
            include_str!("../../../config/router-64mb.toml"),
            "[server]\ndomain = 'gw.lan'\naliases = [\"10.0.0.1\", \"[fd00::1]\"]\n",
            "[xmpp]\nlisten = \"[::]:5222\"\nidle = 90\nregistration = \"token\"",
            "[http]\ntrusted = [\"192.168.0.0/16\", \"fd00::/8\", \"::1\"]\n[push]\nhistory-bytes = \"64 MB\"",
            "server.domain = \"a\"\n[storage]\ncache = \"4 MB\"\ndelay = 1_0\nwrite-budget = '1 GB'",
        ]
    });
}

fn check(text: &str) {
    match Config::parse(text) {
        Ok(config) => {
            let written = config.to_toml();
            assert_eq!(Config::parse(&written), Ok(config), "{written}");
        }
        Err(error) => {
            let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
            assert!((1..=lines).contains(&error.line), "{error:?}");
            assert!(!error.to_string().is_empty());
        }
    }
    if let Some((path, value)) = text.split_once('=') {
        let _ = Config::default().set(path, value);
    }
}

fuzz_target!(init: seeds(), |text: &str| check(text));
