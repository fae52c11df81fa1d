//! How large the binary and its memory may be, measured where it matters: in the guest.

use crate::board::{Guest, has_tls};

/// Bytes of the file, by `uname -m`.
const WITH_TLS: [(&str, usize); 2] = [("armv7l", 2_500_000), ("aarch64", 2_900_000)];
const WITHOUT_TLS: usize = 1_600_000;
/// Bytes resident on armv7l.
const IDLE: usize = 4_000_000;
const WITH_PHONES: usize = 8_000_000;

pub(crate) fn size(guest: &mut Guest) {
    let machine = guest.run("uname -m");
    let size: usize = guest.run("wc -c </bin/lanpush").parse().unwrap();
    let (_, with_tls) = WITH_TLS.iter().find(|row| row.0 == machine).unwrap();
    let limit = if has_tls() { *with_tls } else { WITHOUT_TLS };
    println!("{machine}: the binary has {size} bytes, the limit is {limit}");
    assert!(size <= limit, "the binary has {size} bytes");
}

pub(crate) fn idle(guest: &mut Guest) {
    resident(guest, "idle", IDLE);
}

pub(crate) fn with_phones(guest: &mut Guest) {
    resident(guest, "with 50 phones", WITH_PHONES);
}

fn resident(guest: &mut Guest, when: &str, limit: usize) {
    let machine = guest.run("uname -m");
    let resident = guest.status("VmRSS") * 1024;
    let own = guest.status("RssAnon") * 1024;
    let threads = guest.status("Threads");
    println!(
        "{machine}: {resident} bytes resident {when}, {own} of them its own, {threads} threads"
    );
    if machine == "armv7l" {
        assert!(resident <= limit, "{resident} bytes resident {when}");
    }
}
