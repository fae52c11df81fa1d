//! What the release build may cost, counted.

#![cfg(test)]

mod harness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use harness::phone::{Phone, RESOURCE};
use harness::server::{Server, Setup};

/// The anonymous memory of a server that has just started, in bytes, by its name in the record.
///
/// Not all that is resident is recorded: how much of a file a page fault maps around itself depends on how the page
/// cache of the machine holds that file, and on where it was loaded. It differs by a tenth between starts.
const IDLE: &str = "anonymous-amd64-idle";
/// Starts of which the one that takes least counts: how far its threads are when it is ready differs.
const STARTS: usize = 7;
/// All that may be resident of it, in kB, pages of files included.
const IDLE_RESIDENT: usize = 6 * 1024;
/// What 1 000 phones that are logged in and silent may add, in kB.
const PHONES: usize = 1500;

/// What 1 000 phones with TLS may add that have registered just before, in kB; 12 000 is what is promised.
#[cfg(feature = "tls")]
const ENCRYPTED_PHONES: usize = 9000;

/// The release build: `LANPUSH_BIN`, or one made for this test.
fn release() -> Setup {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| match std::env::var_os("LANPUSH_BIN") {
        Some(program) => program.into(),
        None => build(),
    });
    Setup::of(program)
}

fn build() -> PathBuf {
    let directory = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--message-format", "json"])
        .current_dir(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .unwrap()
}

/// Bytes at most: what the record says of a name, and 3 %.
fn recorded(name: &str) -> usize {
    let bytes: usize = include_str!("../board/footprint.txt")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        .unwrap();
    bytes * 103 / 100
}

fn resident(server: &Server) -> usize {
    server.status("VmRSS:")
}

fn connect(address: SocketAddr, register: bool) -> Vec<Phone> {
    let online = |n| {
        let user = format!("{n:032x}");
        let mut phone = Phone::open(address);
        if register {
            phone.register(&user);
        }
        phone.login(&user, RESOURCE);
        phone.available();
        phone
    };
    (0..1000).map(online).collect()
}

#[test]
fn an_idle_server_and_a_thousand_phones() {
    let fresh = release().start();
    let idle = resident(&fresh);

    let phones = connect(fresh.xmpp, true);
    let registering = resident(&fresh) - idle;
    drop(phones);

    let server = fresh.stop().start();
    let before = resident(&server);
    let phones = connect(server.xmpp, false);
    let after = resident(&server);
    drop(phones);
    eprintln!(
        "idle {idle} kB; 1000 phones that register add {registering} kB; \
         with 1000 users {before} kB, 1000 phones that return add {} kB",
        after - before
    );
    assert!(idle <= IDLE_RESIDENT, "{idle} kB");
    assert!(after - before <= PHONES, "{} kB", after - before);
}

#[test]
fn memory_of_its_own_is_as_recorded() {
    let starts = (0..STARTS).map(|_| release().start().status("RssAnon:"));
    let least = starts.min().unwrap();
    eprintln!("idle {least} kB anonymous");
    assert!(least * 1024 <= recorded(IDLE), "{least} kB");
}

#[cfg(feature = "tls")]
#[test]
fn a_thousand_phones_with_tls() {
    use harness::tls;
    use rustls::version::{TLS12, TLS13};

    for version in [&TLS13, &TLS12] {
        let server = release().start();
        let config = tls::client(&[version], &[]);
        let online = |user: &str| {
            let mut phone = tls::starttls(server.xmpp, config.clone());
            phone.register(user);
            phone.login(user, RESOURCE);
            phone.available();
            phone
        };
        drop(online("first"));
        let before = resident(&server);
        let phones: Vec<_> = (0..1000).map(|n| online(&format!("{n:032x}"))).collect();
        let added = resident(&server) - before;
        drop(phones);
        eprintln!("1000 phones that register, {version:?}: {added} kB");
        assert!(added <= ENCRYPTED_PHONES, "{added} kB");
    }
}
