//! Encryption: every way into it, every wrong way, and the certificate.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, ProtocolVersion, RootCertStore};

use crate::harness::DEADLINE;
use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE};
use crate::harness::server::{Server, Setup, has_mode};
use crate::harness::tls::{self, Tls};
use crate::phones::push;

/// Logs in and gets a push.
fn gets_a_push(server: &Server, phone: &mut Phone<Tls>, user: &str) {
    phone.register(user);
    phone.login(user, RESOURCE);
    phone.available();
    let id = push(server, user, "sealed");
    let push = phone.push();
    assert_eq!((push.id, push.message.as_str()), (id, "sealed"));
    phone.ping();
}

#[test]
fn starttls_in_both_versions() {
    let server = Server::start();
    for (version, wanted, user) in [
        (&TLS12, ProtocolVersion::TLSv1_2, "old"),
        (&TLS13, ProtocolVersion::TLSv1_3, "new"),
    ] {
        let mut phone = tls::starttls(server.xmpp, tls::client(&[version], &[]));
        assert_eq!(phone.stream.conn.protocol_version(), Some(wanted));
        gets_a_push(&server, &mut phone, user);
    }
}

#[test]
fn tls_from_the_first_byte_on_either_port() {
    let server = Server::start();
    for (address, protocols, user) in [
        (server.xmpps, &["xmpp-client"][..], "a"),
        (server.xmpps, &[], "b"),
        (server.xmpp, &["xmpp-client"], "c"),
        (server.xmpp, &[], "d"),
    ] {
        let config = tls::client(rustls::DEFAULT_VERSIONS, protocols);
        let mut phone = tls::direct(address, config);
        let chosen = phone.stream.conn.alpn_protocol();
        assert_eq!(chosen, protocols.first().map(|it| it.as_bytes()));
        gets_a_push(&server, &mut phone, user);
    }
}

#[test]
fn inside_tls_starttls_is_not_offered() {
    let server = Server::start();
    let plain = Phone::connect(server.xmpp).try_open_stream().unwrap();
    assert!(plain.contains("<starttls"), "{plain}");
    for mut phone in [
        Phone::of(tls::connect(server.xmpps, tls::usual())),
        Phone::of(tls::connect(server.xmpp, tls::usual())),
        tls::starttls(server.xmpp, tls::usual()),
    ] {
        phone.send("</stream:stream>");
        assert!(!phone.rest().unwrap().contains("<starttls"));
    }
    let mut phone = Phone::of(tls::connect(server.xmpps, tls::usual()));
    let inside = phone.try_open_stream().unwrap();
    assert!(!inside.contains("<starttls"), "{inside}");
}

#[test]
fn plain_text_on_the_port_of_tls_hears_why_not() {
    let server = Server::start();
    for sent in [
        "<stream:stream to='push.lan' xmlns='jabber:client'>",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut phone = Phone::connect(server.xmpps);
        phone.send(sent);
        let rest = phone.rest().unwrap();
        assert!(rest.contains("<stream:error><policy-violation"), "{rest}");
        assert!(rest.ends_with("</stream:stream>"), "{rest}");
    }
}

#[test]
fn the_page_answers_https_on_its_port() {
    let server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    for (protocols, message) in [(&[][..], "first"), (&["h2", "http/1.1"], "second")] {
        let config = tls::client(rustls::DEFAULT_VERSIONS, protocols);
        let mut browser = tls::connect(server.http, config);
        let body = format!(r#"{{"to":"sam","message":"{message}"}}"#);
        let request = format!(
            "POST /api/v1/notifications HTTP/1.1\r\nHost: push.lan\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        browser.write_all(request.as_bytes()).unwrap();
        assert_eq!(http::reply(browser).unwrap().status, 202);
        assert_eq!(phone.push().message, message);
    }
    let plain = http::raw(server.http, b"GET / HTTP/1.1\r\nHost: push.lan\r\n\r\n").unwrap();
    let shown = shown_fingerprint(&plain.body);
    assert!(
        server.log().contains(&format!("SHA-256 {shown}")),
        "{shown}"
    );
}

fn shown_fingerprint(page: &str) -> &str {
    let (_, rest) = page.split_once("SHA-256: <code>").unwrap();
    rest.split('<').next().unwrap()
}

#[test]
fn what_is_no_handshake_gets_an_alert() {
    let server = Server::start();
    let mut witness = tls::direct(server.xmpps, tls::usual());
    let endless = [
        &b"\x16\x03\x01\x40\x00\x01\x00\xf0\x00"[..],
        &[7; 0x4000 - 4],
    ]
    .concat();
    let mut twice = endless.clone();
    twice.extend_from_slice(b"\x16\x03\x01\x40\x00");
    twice.extend_from_slice(&[7; 0x4000]);
    for (name, bytes) in [
        (
            "a hello that is none",
            b"\x16\x03\x01\x00\x05hello".to_vec(),
        ),
        (
            "a record too large",
            [&b"\x16\x03\x01\xff\xff"[..], &[0; 70_000]].concat(),
        ),
        ("a hello without end", twice),
        (
            "data before any key",
            b"\x16\x03\x01\x00\x04\x01\x00\x00\x00\x17\x03\x03\x00\x01x".to_vec(),
        ),
    ] {
        for address in [server.xmpp, server.xmpps] {
            let heard = hears(address, &bytes);
            assert!(heard.starts_with(b"\x15\x03"), "{name}: {heard:?}");
        }
        // The page's limits of time end what rustls waits for.
        if name != "a hello without end" {
            hears(server.http, &bytes);
        }
    }
    witness.register("witness");
}

/// All that comes back.
fn hears(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The server may have had enough before all is out.
    let _ = stream.write_all(bytes);
    let mut heard = Vec::new();
    let end = stream.read_to_end(&mut heard);
    assert!(end.is_ok() || !heard.is_empty(), "{end:?}");
    heard
}

#[test]
fn plain_text_behind_starttls_is_not_believed() {
    let server = Server::start();
    let mut phone = Phone::open(server.xmpp);
    phone.send(
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq id='1' type='set'>\
         <query xmlns='jabber:iq:register'><username>eve</username><password>p</password></query></iq>",
    );
    phone.until("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    let mut phone = Phone::of(tls::encrypt(phone.stream, tls::usual(), "push.lan"));
    phone.open_stream();
    phone.register("sam");
    let users = http::raw(
        server.http,
        b"GET /api/v1/users HTTP/1.1\r\nHost: push.lan\r\n\r\n",
    );
    let users = users.unwrap().body;
    assert!(
        users.contains("\"sam\"") && !users.contains("\"eve\""),
        "{users}"
    );
}

#[test]
fn half_handshakes_take_places_like_any_phone() {
    let setup = Setup::new().config("limits.connections = 3");
    let server = setup.arg("--log").arg("debug").start();
    let half = |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
        stream
    };
    let mut halves = vec![half(server.xmpp), half(server.xmpps), half(server.xmpps)];
    server.wait_for_log("c2: 127.0.0.1 connected");
    let heard = String::from_utf8(hears(server.xmpp, b"x")).unwrap();
    assert!(heard.contains("<resource-constraint"), "{heard}");
    let heard = hears(server.xmpps, b"x");
    assert_eq!(heard, b"\x15\x03\x03\x00\x02\x02\x50");
    halves.pop();
    let mut opening = String::new();
    while !opening.contains("<stream:features>") {
        let mut phone = Phone::of(tls::connect(server.xmpps, tls::usual()));
        opening = phone.try_open_stream().unwrap_or_default();
    }
}

#[test]
fn half_a_handshake_with_the_page_is_ended_like_half_a_request() {
    let server = Server::start();
    let mut browser = TcpStream::connect(server.http).unwrap();
    browser.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    browser.set_read_timeout(Some(DEADLINE)).unwrap();
    // No word of HTTP, which nobody who speaks TLS could read.
    assert_eq!(browser.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_stop_says_why_and_ends_tls_too() {
    for version in [&TLS12, &TLS13] {
        let mut server = Server::start();
        let mut phone = tls::starttls(server.xmpp, tls::client(&[version], &[]));
        let mut shaking = TcpStream::connect(server.xmpps).unwrap();
        shaking.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
        server.signal(Signal::TERM);
        // Without close_notify this would be an error.
        let rest = phone.rest().unwrap();
        assert!(rest.contains("<stream:error><system-shutdown"), "{rest}");
        assert!(rest.ends_with("</stream:stream>"), "{rest}");
        drop((phone, shaking));
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    }
}

#[test]
fn a_crash_resets_tls_too() {
    let server = Server::start();
    let mut phone = tls::direct(server.xmpps, tls::usual());
    drop(server.kill());
    let error = phone.rest().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_phone_that_leaves_says_goodbye_and_is_answered() {
    let server = Server::start();
    let mut phone = tls::direct(server.xmpps, tls::usual());
    phone.stream.conn.send_close_notify();
    phone
        .stream
        .conn
        .complete_io(&mut phone.stream.sock)
        .unwrap();
    assert_eq!(phone.rest().unwrap(), "");
    let mut rude = tls::direct(server.xmpps, tls::usual());
    rude.stream.sock.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rude.rest().unwrap(), "");
}

#[test]
fn a_slow_reader_gets_everything_in_order() {
    let server = Server::start();
    let mut phone = tls::starttls(server.xmpp, tls::usual());
    phone.register("sam");
    phone.login("sam", RESOURCE);
    phone.available();
    phone.send("<presence type='unavailable'/>");
    phone.ping();
    let message = "x".repeat(15_000);
    let pushes = 300;
    for number in 0..pushes {
        let body = format!(r#"{{"to":"sam","title":"{number}","message":"{message}"}}"#);
        let request = format!(
            "POST /api/v1/notifications HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let reply = http::raw(server.http, request.as_bytes()).unwrap();
        assert_eq!(reply.status, 202, "{}", reply.body);
    }
    // It is sent more than sockets hold before it reads a byte.
    phone.send("<presence/>");
    for number in 0..pushes {
        let push = phone.push();
        assert_eq!(push.title, number.to_string());
        assert_eq!(push.message.len(), message.len());
    }
}

#[test]
fn the_certificate_is_kept() {
    let server = Server::start();
    let file = server.data().join("tls.pem");
    assert!(has_mode(&file, 0o600));
    let first = tls::certificate(server.xmpps);
    assert_eq!(first, tls::certificate(server.xmpp));
    assert_eq!(first, tls::certificate(server.http));
    let server = server.stop().start();
    assert_eq!(first, tls::certificate(server.xmpps));
    // Only who removes it gets another.
    fs::remove_file(&file).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("the configuration has been read again");
    let second = tls::certificate(server.xmpps);
    assert_ne!(first, second);
    assert_eq!(CertificateDer::from_pem_file(&file).unwrap(), second);
}

#[test]
fn a_client_that_trusts_it_believes_it_under_every_name() {
    let server = Setup::new()
        .config("[server]\naliases = [\"gw.lan\", \"192.0.2.77\", \"[fd00::7]\"]")
        .start();
    let mut roots = RootCertStore::empty();
    roots.add(tls::certificate(server.xmpps)).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    )
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    let config = std::sync::Arc::new(config);
    for (name, believed) in [
        ("push.lan", true),
        ("gw.lan", true),
        ("192.0.2.77", true),
        ("fd00::7", true),
        ("evil.example", false),
    ] {
        let name = ServerName::try_from(name).unwrap();
        let mut client = ClientConnection::new(config.clone(), name.clone()).unwrap();
        let mut socket = TcpStream::connect(server.xmpps).unwrap();
        let done = client.complete_io(&mut socket);
        assert_eq!(done.is_ok(), believed, "{name:?}: {done:?}");
    }
}

#[test]
fn a_domain_that_has_changed_is_told() {
    let setup = Server::start().stop();
    let server = setup.arg("--domain").arg("other.lan").start();
    let warning = "does not hold the name \"other.lan\"";
    server.wait_for_log(warning);
    let page = http::raw(server.http, b"GET / HTTP/1.1\r\nHost: other.lan\r\n\r\n").unwrap();
    assert!(
        page.body.contains("does not hold the name"),
        "{}",
        page.body
    );
    tls::direct(server.xmpps, tls::usual());
}

/// A certificate of somebody's own and its key.
fn write_pair(folder: &Path, name: &str) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    write_pem(&folder.join("cert.pem"), "CERTIFICATE", made.cert.der());
    let key = made.signing_key.serialized_der();
    write_pem(&folder.join("key.pem"), "PRIVATE KEY", key);
    made.cert.der().clone()
}

fn write_pem(path: &Path, label: &str, der: &[u8]) {
    use base64ct::{Base64, Encoding};
    let text = Base64::encode_string(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    let pem = format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    );
    fs::write(path, pem).unwrap();
}

/// A server with a certificate of somebody's own, in the folder above its data.
fn with_own_pair() -> (Setup, CertificateDer<'static>) {
    let setup = Setup::new();
    let folder = setup.data().parent().unwrap().to_owned();
    let certificate = write_pair(&folder, "push.lan");
    let setup = setup.config("[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"");
    (setup, certificate)
}

#[test]
fn replaced_files_are_read_again_and_broken_ones_are_not() {
    let (setup, first) = with_own_pair();
    let server = setup.start();
    let folder = server.data().parent().unwrap().to_owned();
    assert_eq!(tls::certificate(server.xmpps), first);
    assert!(!server.data().join("tls.pem").exists());
    let mut old = tls::direct(server.xmpps, tls::usual());

    fs::write(
        folder.join("cert.pem"),
        "-----BEGIN CERTIFICATE-----\nbroken",
    )
    .unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("the certificate stays as it is: TLS: cert.pem: ");
    assert_eq!(tls::certificate(server.xmpps), first);

    let second = write_pair(&folder, "push.lan");
    server.signal(Signal::HUP);
    server.wait_for_log("new connections get the certificate ");
    assert_eq!(tls::certificate(server.xmpps), second);
    assert_eq!(tls::certificate(server.http), second);
    old.register("still-here");
}

#[test]
fn files_that_cannot_be_used_end_the_start() {
    for (file, text, why) in [
        ("cert.pem", None, "TLS: cert.pem: cannot be read: "),
        ("cert.pem", Some(""), "TLS: cert.pem: holds no certificate"),
        (
            "key.pem",
            Some("hello"),
            "TLS: key.pem: holds no private key",
        ),
        (
            "key.pem",
            Some(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
            ),
            "TLS: key.pem: holds a key that is protected by a password",
        ),
    ] {
        let (setup, _) = with_own_pair();
        let path = setup.data().parent().unwrap().join(file);
        match text {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (code, said) = setup.fail();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    let (setup, _) = with_own_pair();
    let folder = setup.data().parent().unwrap().to_owned();
    let kept = fs::read(folder.join("key.pem")).unwrap();
    write_pair(&folder, "push.lan");
    fs::write(folder.join("key.pem"), kept).unwrap();
    let (code, said) = setup.fail();
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("TLS: cert.pem: does not belong to the key in key.pem"),
        "{said}"
    );
}

#[test]
fn switched_off_there_is_none() {
    let setup = Setup::new().config("tls.enabled = false");
    let mut child = setup.command().spawn().unwrap();
    let mut lines = io::BufRead::lines(io::BufReader::new(child.stdout.take().unwrap()));
    let mut address = |prefix: &str| -> SocketAddr {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(prefix).unwrap().parse().unwrap()
    };
    let (xmpp, http) = (address("ready xmpp "), address("ready http "));
    let opening = Phone::connect(xmpp).try_open_stream().unwrap();
    assert!(!opening.contains("starttls"), "{opening}");
    assert!(hears(xmpp, b"\x16\x03\x01\x00\x05hello").ends_with(b"</stream:stream>"));
    let page = http::raw(http, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(!page.body.contains("SHA-256"), "{}", page.body);
    assert!(!setup.data().join("tls.pem").exists());
    child.kill().unwrap();
    child.wait().unwrap();
}
