//! Bad input, too many connections, and too few descriptors: each gets its answer, nobody else notices.

use std::fs::DirEntry;
use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, prlimit};

use super::phones::push;
use crate::harness::phone::Phone;
use crate::harness::server::{Server, Setup};
use crate::harness::{DEADLINE, http};

#[test]
fn wrong_bytes_on_the_push_port_get_a_stream_error() {
    let server = Server::start();
    let mut witness = Phone::online(server.xmpp, "witness");
    struct Case {
        name: &'static str,
        sends: &'static [u8],
        error: &'static str,
    }
    for case in [
        Case {
            name: "HTTP",
            sends: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            error: "<not-well-formed",
        },
        Case {
            name: "zero bytes",
            sends: &[0; 64],
            error: "<not-well-formed",
        },
        Case {
            name: "another root",
            sends: b"<html xmlns='http://www.w3.org/1999/xhtml'>",
            error: "<invalid-namespace",
        },
        Case {
            name: "a DTD",
            sends: b"<!DOCTYPE lolz [<!ENTITY lol 'lol'>]>",
            error: "<restricted-xml",
        },
    ] {
        let mut phone = Phone::connect(server.xmpp);
        phone.stream.write_all(case.sends).unwrap();
        let rest = phone.rest().unwrap();
        assert!(rest.contains("<stream:stream "), "{}: {rest}", case.name);
        assert!(rest.contains("<stream:error>"), "{}: {rest}", case.name);
        assert!(rest.contains(case.error), "{}: {rest}", case.name);
        assert!(rest.ends_with("</stream:stream>"), "{}: {rest}", case.name);
    }
    witness.ping();
}

#[test]
fn an_endless_stanza_ends_its_stream() {
    let server = Server::start();
    let mut witness = Phone::online(server.xmpp, "witness");
    let mut phone = Phone::open(server.xmpp);
    phone.send("<message><body>");
    let text = vec![b'x'; 64 * 1024];
    // The server may close while we still write; what counts is what it says.
    let _ = phone.stream.write_all(&text);
    let end = phone.until("</stream:stream>");
    assert!(end.contains("<policy-violation"), "{end}");
    witness.ping();
}

#[test]
fn xml_on_the_http_port_is_a_bad_request() {
    let server = Server::start();
    let stream = b"<stream:stream to='push.lan' xmlns='jabber:client' version='1.0'>\r\n\r\n";
    let reply = http::raw(server.http, stream).unwrap();
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(http::get(server.http, "/").status, 200);
}

#[test]
fn dribblers_on_both_ports_disturb_nobody() {
    let server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    let dribble = |address, text: &[u8]| -> Vec<TcpStream> {
        let open = |_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(text).unwrap();
            stream
        };
        (0..40).map(open).collect()
    };
    let mut xmpp = dribble(server.xmpp, b"<stream:str");
    let mut http = dribble(server.http, b"POST /notification.do HTTP/1.1\r\nX-");
    for round in 0..20 {
        for stream in xmpp.iter_mut().chain(http.iter_mut()) {
            stream.write_all(b"a").unwrap();
        }
        let id = push(&server, "sam", &format!("round {round}"));
        assert_eq!(phone.push().id, id);
    }
    phone.ping();
}

#[test]
fn half_closed_and_silent_connections_are_let_go() {
    let server = Server::start();
    let mut silent = Phone::connect(server.xmpp);
    silent.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(silent.rest().unwrap(), "");
    let mut opened = Phone::open(server.xmpp);
    opened.stream.shutdown(Shutdown::Write).unwrap();
    opened.rest().unwrap();
    let mut sender = TcpStream::connect(server.http).unwrap();
    sender.write_all(b"GET / HT").unwrap();
    sender.shutdown(Shutdown::Write).unwrap();
    assert_eq!(http::reply(sender).unwrap().status, 400);
    Phone::online(server.xmpp, "sam").ping();
}

#[test]
fn a_full_house_says_so_and_opens_again() {
    let server = Setup::new().config("[limits]\nconnections = 4\n").start();
    let mut inside: Vec<Phone> = ["a", "b", "c", "d"]
        .iter()
        .map(|user| Phone::online(server.xmpp, user))
        .collect();
    for _ in 0..20 {
        let mut outside = Phone::connect(server.xmpp);
        // More newcomers than can be told so at once are reset.
        match outside.rest() {
            Ok(said) => assert_full(&said),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    let mut leaving = inside.pop().unwrap();
    leaving.send("</stream:stream>");
    leaving.rest().unwrap();
    drop(leaving);
    let mut newcomer = until_let_in(&server);
    newcomer.register("e");
    for phone in &mut inside {
        phone.ping();
    }
}

fn assert_full(said: &str) {
    assert!(said.contains("<stream:stream "), "{said}");
    assert!(
        said.contains("<stream:error><resource-constraint"),
        "{said}"
    );
    assert!(said.ends_with("</stream:stream>"), "{said}");
}

/// The server learns of a free place a moment after its last holder did.
fn until_let_in(server: &Server) -> Phone {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        let mut phone = Phone::connect(server.xmpp);
        if let Ok(opening) = phone.try_open_stream()
            && opening.ends_with("</stream:features>")
        {
            return phone;
        }
    }
    panic!("nobody is let in");
}

#[test]
fn a_low_limit_of_open_files_means_fewer_phones() {
    let server = Setup::new().open_files(64).start();
    let mut inside: Vec<Phone> = (0..24).map(|_| Phone::open(server.xmpp)).collect();
    assert_full(&Phone::connect(server.xmpp).rest().unwrap());
    inside[0].register("sam");
    assert_eq!(http::get(server.http, "/").status, 200);
}

fn descriptors(server: &Server) -> Vec<usize> {
    let number = |entry: std::io::Result<DirEntry>| -> usize {
        entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()));
    open.unwrap().map(number).collect()
}

#[test]
fn without_descriptors_newcomers_are_told_and_phones_are_served() {
    let server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    // The limit is on numbers: gaps between them have to be filled first.
    let mut fill = Vec::new();
    let open = loop {
        let numbers = descriptors(&server);
        if numbers.iter().max() == Some(&(numbers.len() - 1)) {
            break numbers.len();
        }
        fill.push(Phone::open(server.xmpp));
    };
    let limit = |files: Option<u64>, maximum| {
        let new = Rlimit {
            current: files,
            maximum,
        };
        prlimit(Some(server.pid()), Resource::Nofile, new).unwrap()
    };
    let before = rustix::process::getrlimit(Resource::Nofile).maximum;
    limit(Some(u64::try_from(open).unwrap()), before);
    for _ in 0..3 {
        assert_full(&Phone::connect(server.xmpp).rest().unwrap());
        let sender = TcpStream::connect(server.http).unwrap();
        assert_eq!(http::reply(sender).unwrap().status, 503);
        phone.ping();
    }
    limit(before, before);
    until_let_in(&server).register("sam");
    assert_eq!(http::get(server.http, "/").status, 200);
    phone.ping();
}
