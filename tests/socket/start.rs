//! Starting, stopping and failing to start.

use std::fs;
use std::net::{Ipv6Addr, TcpListener};

use rustix::process::Signal;

use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE, password};
use crate::harness::server::{Server, Setup, has_mode};

#[test]
fn sigterm_tells_every_phone_why_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        let mut bound = Phone::online(server.xmpp, "sam");
        let mut unbound = Phone::open(server.xmpp);
        server.signal(signal);
        for phone in [&mut bound, &mut unbound] {
            let rest = phone.rest().unwrap();
            assert!(rest.contains("<stream:error><system-shutdown"), "{rest}");
            assert!(rest.ends_with("</stream:stream>"), "{rest}");
        }
        drop((bound, unbound));
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
        assert!(!server.data().join("admin.sock").exists());
    }
}

#[test]
fn a_second_signal_does_not_wait_for_phones() {
    let mut server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    server.signal(Signal::TERM);
    let rest = phone.until("</stream:stream>");
    assert!(rest.contains("system-shutdown"), "{rest}");
    // The phone does not close, which the server would wait for.
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(1), "{}", server.log());
}

#[test]
fn what_was_stored_is_there_after_a_stop() {
    let server = Server::start();
    drop(Phone::online(server.xmpp, "sam"));
    let id = super::phones::push(&server, "sam", "kept");
    let server = server.stop().start();
    assert_eq!(Phone::online(server.xmpp, "sam").push().id, id);
}

#[test]
fn the_summary_has_a_line_that_pushes_when_pasted() {
    let server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    server.wait_for_log("curl ");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("curl ")).unwrap();
    let quoted: Vec<&str> = line.split('\'').collect();
    let [_, data, _, url, _] = quoted[..] else {
        panic!("{line}");
    };
    let path = url
        .strip_prefix(&format!("http://{}", server.http))
        .unwrap();
    let form = "application/x-www-form-urlencoded";
    let reply = http::post(server.http, path, form, data).unwrap();
    assert_eq!(reply.status, 302, "{reply:?}");
    assert_eq!(phone.push().message, "Hello from lanpush");
}

#[test]
fn the_data_directory_has_one_owner() {
    let server = Server::start();
    let mut second = server.setup().command();
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let sentences: Vec<&str> = said.lines().collect();
    assert_eq!(sentences.len(), 1, "{said}");
    assert!(sentences[0].contains("another lanpush"), "{said}");
    Phone::online(server.xmpp, "sam").ping();
}

#[test]
fn what_keeps_it_from_starting_is_said_in_a_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    struct Case {
        name: &'static str,
        setup: Setup,
        code: i32,
        says: String,
    }
    let file_as_directory = Setup::new();
    fs::write(file_as_directory.data(), "no directory").unwrap();
    let foreign = Setup::new();
    fs::create_dir(foreign.data()).unwrap();
    fs::write(foreign.data().join("holiday.jpg"), "not ours").unwrap();
    for case in [
        Case {
            name: "the data directory is a file",
            says: file_as_directory.data().display().to_string(),
            setup: file_as_directory,
            code: 1,
        },
        Case {
            name: "the data directory holds something else",
            says: foreign.data().display().to_string(),
            setup: foreign,
            code: 1,
        },
        Case {
            name: "the data directory cannot be made",
            setup: Setup::new().arg("--data").arg("/proc/lanpush"),
            code: 1,
            says: "/proc/lanpush".into(),
        },
        Case {
            name: "the path of the data directory is too long for a socket",
            setup: Setup::new().arg("--data").arg("d".repeat(120)),
            code: 1,
            says: "admin.sock".into(),
        },
        Case {
            name: "port of phones in use",
            setup: Setup::new().arg("--xmpp").arg(taken.to_string()),
            code: 1,
            says: taken.to_string(),
        },
        Case {
            name: "port of senders in use",
            setup: Setup::new().arg("--http").arg(taken.to_string()),
            code: 1,
            says: taken.to_string(),
        },
        Case {
            name: "not an address of this machine",
            setup: Setup::new().arg("--http").arg("203.0.113.1:7070"),
            code: 1,
            says: "203.0.113.1:7070".into(),
        },
        Case {
            name: "typo in the configuration",
            setup: Setup::new().config("[xmpp]\nidle = 120\nlisten_on = \"[::]:5222\"\n"),
            code: 2,
            says: "line 3".into(),
        },
        Case {
            name: "unknown option",
            setup: Setup::new().arg("--frobnicate"),
            code: 2,
            says: "--frobnicate".into(),
        },
    ] {
        let (code, said) = case.setup.fail();
        assert_eq!(code, Some(case.code), "{}: {said}", case.name);
        assert!(said.contains(&case.says), "{}: {said}", case.name);
    }
}

#[test]
fn sighup_reads_the_configuration_again() {
    let setup = Setup::new().config("[push]\napi_key = \"before\"\n");
    let file = setup.write_config("[push]\napi_key = \"before\"\n");
    let server = setup.start();
    let mut phone = Phone::online(server.xmpp, "sam");
    let text = "[push]\napi_key = \"after\"\n[storage]\ncache = 2000000\n[xmpp]\nsettle = 0\n";
    fs::write(&file, text).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("storage.cache");
    super::phones::push(&server, "sam", "x");
    assert!(phone.until("</notification>").contains(">after</"));

    fs::write(&file, "[push]\napi_key = 7\n").unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("line 2");
    super::phones::push(&server, "sam", "y");
    assert!(phone.until("</notification>").contains(">after</"));
}

#[test]
fn the_admin_socket_is_private_and_replaces_a_stale_one() {
    let server = Server::start();
    let socket = server.data().join("admin.sock");
    assert!(has_mode(&socket, 0o600));
    let server = server.kill().start();
    assert!(has_mode(&socket, 0o600));
    let stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    use std::io::Write;
    (&stream)
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(http::reply(stream).unwrap().status, 200);
    server.stop();
    assert!(!socket.exists());
}

#[test]
fn the_command_line_reaches_the_running_server() {
    let server = Server::start();
    let data = server.data();
    let lanpush = |arguments: &[&str]| {
        let mut command = server.setup().program();
        let output = command.args(arguments).arg("--data").arg(&data).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    lanpush(&["user", "add", "sam", &password("sam")]);
    assert!(lanpush(&["user", "list"]).contains("sam"));
    let mut phone = Phone::open(server.xmpp);
    phone.login("sam", RESOURCE);
    phone.available();
    lanpush(&["send", "sam", "from the command line", "--title", "Hello"]);
    let push = phone.push();
    assert_eq!(
        (push.title.as_str(), push.message.as_str()),
        ("Hello", "from the command line")
    );
    lanpush(&["user", "del", "sam"]);
    let rest = phone.rest().unwrap();
    assert!(rest.contains("<stream:error>"), "{rest}");
}

#[test]
fn one_listener_takes_both_families_and_shows_addresses_plainly() {
    let server = Setup::new().arg("--xmpp").arg("[::]:0").start();
    let port = server.xmpp.port();
    let old = Phone::open(([127, 0, 0, 1], port).into());
    let sessions = http::get(server.http, "/session.do").body;
    assert!(sessions.contains("127.0.0.1"), "{sessions}");
    assert!(!sessions.contains("::ffff"), "{sessions}");
    if TcpListener::bind("[::1]:0").is_ok() {
        let new = Phone::open((Ipv6Addr::LOCALHOST, port).into());
        let sessions = http::get(server.http, "/session.do").body;
        assert!(sessions.contains("::1"), "{sessions}");
        drop(new);
    }
    drop(old);
}
