//! Senders that wait for a phone, and that change their mind.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::http;
use crate::harness::phone::Phone;
use crate::harness::server::Server;
use crate::phones::push;

/// The command line of the same data directory: exit code and standard output.
fn lanpush(server: &Server, words: &[&str]) -> (Option<i32>, String) {
    ended(server.setup().command().args(words))
}

fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), stdout)
}

fn view(http: SocketAddr, id: &str, query: &str) -> Value {
    let reply = http::get(http, &format!("/api/v1/notifications/{id}{query}"));
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

#[test]
fn a_wait_ends_when_the_phone_has_it() {
    let server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    let id = push(&server, "sam", "hi");
    let address = server.http;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| view(address, &id, "?wait=60&for=confirmed"));
        let push = phone.push();
        phone.confirm(&push);
        let view = waiting.join().unwrap();
        assert_eq!(view["reached"], true, "{view}");
        assert_eq!(view["counts"]["confirmed"], 1, "{view}");
        let times = &view["deliveries"][0];
        assert!(times["sent"].as_u64() >= times["queued"].as_u64(), "{view}");
    });
}

#[test]
fn a_wait_that_is_over_is_forgotten() {
    let server = Server::start();
    drop(Phone::online(server.xmpp, "sam"));
    let id = push(&server, "sam", "hi");
    // More than may wait at once, one after the other.
    for _ in 0..lanpush::limits::WAITS + 1 {
        let view = view(server.http, &id, "?wait=0&for=sent");
        assert_eq!(view["reached"], false, "{view}");
    }
}

#[test]
fn what_is_withdrawn_does_not_come() {
    let server = Server::start();
    drop(Phone::online(server.xmpp, "sam"));
    let id = push(&server, "sam", "not this");
    let (code, stdout) = lanpush(&server, &["withdraw", &id]);
    let want = "withdrawn: 1 device will not get it, 0 told\n";
    assert_eq!((code, stdout.as_str()), (Some(0), want));
    assert_eq!(view(server.http, &id, "")["counts"]["withdrawn"], 1);
    let next = push(&server, "sam", "but this");
    assert_eq!(Phone::online(server.xmpp, "sam").push().id, next);
}

#[test]
fn a_topic_reaches_who_has_it_and_the_command_line_waits() {
    let server = Server::start();
    let mut sam = Phone::online(server.xmpp, "sam");
    drop(Phone::online(server.xmpp, "mia"));
    let (code, _) = lanpush(&server, &["topic", "add", "sam", "doors"]);
    assert_eq!(code, Some(0));
    let listed = lanpush(&server, &["topic", "list", "sam"]);
    assert_eq!(listed, (Some(0), "doors\n".to_owned()));
    let mut command = server.setup().command();
    std::thread::scope(|scope| {
        let words = [
            "send",
            "topic:doors",
            "ding",
            "--wait=60",
            "--for=confirmed",
        ];
        let sender = scope.spawn(move || ended(command.args(words)));
        let push = sam.push();
        sam.confirm(&push);
        let (code, stdout) = sender.join().unwrap();
        assert_eq!(code, Some(0), "{stdout}");
        assert!(stdout.contains("\nsam/AndroidpnClient "), "{stdout}");
    });
    // Nobody but mia, who is away.
    let (code, stdout) = lanpush(&server, &["send", "mia", "hi", "--wait=0"]);
    assert_eq!(code, Some(1), "{stdout}");
    let body = json!({ "to": "topic:windows", "message": "hi" });
    let reply = http::notify(server.http, &body).unwrap();
    assert_eq!(reply.status, 404, "{reply:?}");
}

#[test]
fn those_who_wait_leave_room_for_others() {
    use std::io::Write;
    let server = Server::start();
    drop(Phone::online(server.xmpp, "sam"));
    let id = push(&server, "sam", "hi");
    let path = format!("/api/v1/notifications/{id}");
    let request = format!(
        "GET {path}?wait=60 HTTP/1.1\r\nHost: {}\r\n\r\n",
        server.http
    );
    let waiting: Vec<TcpStream> = (0..lanpush::limits::HTTP_WAITS)
        .map(|_| {
            let mut stream = TcpStream::connect(server.http).unwrap();
            stream
                .set_read_timeout(Some(crate::harness::DEADLINE))
                .unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Full as soon as the server has read them all.
    while http::get(server.http, &format!("{path}?wait=0")).status != 503 {}
    assert_eq!(http::get(server.http, &path).status, 200);
    let (code, _) = lanpush(&server, &["withdraw", &id]);
    assert_eq!(code, Some(0));
    for stream in waiting {
        let reply = http::reply(stream).unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.contains("\"reached\":false"), "{reply:?}");
    }
    assert_eq!(
        http::get(server.http, &format!("{path}?wait=0")).status,
        200
    );
}
