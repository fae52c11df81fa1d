//! What a phone may rely on.

use std::io::ErrorKind;
use std::net::Shutdown;

use serde_json::{Value, json};

use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE, attribute};
use crate::harness::server::{Server, Setup};

/// Pushes and returns the notification's id.
pub(crate) fn push(server: &Server, to: &str, message: &str) -> String {
    let reply = http::notify(server.http, &json!({ "to": to, "message": message })).unwrap();
    assert_eq!(reply.status / 100, 2, "{reply:?}");
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

#[test]
fn registers_logs_in_and_gets_what_the_form_sends() {
    let server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    let reply = http::post(
        server.http,
        "/notification.do?action=send",
        "application/x-www-form-urlencoded",
        "broadcast=Y&title=%3C1%3E+%26+%22q%22&message=gr%C3%BC%C3%9Fe+%F0%9F%98%80&uri=http%3A%2F%2Fx%2F%3Fa%3D1%26b%3D2",
    )
    .unwrap();
    assert_eq!(reply.status, 302, "{reply:?}");
    let push = phone.push();
    assert_eq!(push.title, "<1> & \"q\"");
    assert_eq!(push.message, "grüße 😀");
    assert_eq!(push.uri, "http://x/?a=1&b=2");
    phone.confirm(&push);
    phone.ping();
    assert_eq!(phone.pushes, []);
}

#[test]
fn gets_once_and_in_order_what_was_sent_while_it_was_away() {
    let server = Server::start();
    drop(Phone::online(server.xmpp, "sam"));
    let sent: Vec<String> = (0..100)
        .map(|n| push(&server, "sam", &format!("message {n}")))
        .collect();
    let mut phone = Phone::online(server.xmpp, "sam");
    for (n, id) in sent.iter().enumerate() {
        let push = phone.push();
        assert_eq!((&push.id, &push.message), (id, &format!("message {n}")));
        phone.confirm(&push);
    }
    phone.ping();
    drop(phone);
    let mut again = Phone::online(server.xmpp, "sam");
    again.ping();
    assert_eq!(again.pushes, []);
}

#[test]
fn a_slow_phone_gets_a_long_queue_of_large_pushes() {
    let server = Server::start();
    drop(Phone::online(server.xmpp, "sam"));
    let large = "&".repeat(16 * 1024);
    for n in 0..40 {
        push(&server, "sam", &format!("{n:02}{}", &large[2..]));
    }
    // Its window is a fraction of what waits, so that the server's socket fills.
    let mut phone = Phone::over(small_window(server.xmpp));
    phone.open_stream();
    phone.login("sam", RESOURCE);
    phone.send("<presence/>");
    for n in 0..40 {
        let push = phone.push();
        assert_eq!(push.message[..2], format!("{n:02}"));
        phone.confirm(&push);
    }
    phone.ping();
}

/// A connection that takes only a few kB before it wants to be read.
pub(crate) fn small_window(address: std::net::SocketAddr) -> std::net::TcpStream {
    use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
    connect(&socket, &address).unwrap();
    socket.into()
}

#[test]
fn the_second_login_wins_and_the_first_cannot_take_it_offline() {
    let server = Server::start();
    let mut first = Phone::online(server.xmpp, "sam");
    let mut second = Phone::online(server.xmpp, "sam");
    let end = first.rest().unwrap();
    assert!(end.contains("<conflict"), "{end}");
    assert!(end.ends_with("</stream:stream>"), "{end}");
    drop(first);
    second.ping();
    let id = push(&server, "sam", "still here");
    assert_eq!(second.push().id, id);
}

#[test]
fn a_phone_that_is_slow_to_read_still_learns_why_it_was_shown_out() {
    let server = Setup::new().arg("--log").arg("debug").start();
    let mut slow = Phone::over(small_window(server.xmpp));
    slow.open_stream();
    slow.register("sam");
    slow.login("sam", RESOURCE);
    slow.available();
    for _ in 0..4 {
        push(&server, "sam", &"x".repeat(8 * 1024));
    }
    let mut second = Phone::online(server.xmpp, "sam");
    // The server has given up waiting and closed its socket; what it said is still on its way.
    server.wait_for_log("c0: disconnected");
    second.ping();
    let rest = slow.rest().unwrap();
    assert!(rest.ends_with("</stream:stream>"), "{} bytes", rest.len());
    assert!(rest.contains("<conflict"), "{} bytes", rest.len());
}

#[test]
fn a_half_closed_phone_still_gets_its_answers() {
    let server = Server::start();
    let mut phone = Phone::open(server.xmpp);
    phone.send(
        "<iq id=\"r\" type=\"set\"><query xmlns=\"jabber:iq:register\"><password>p</password>\
         <username>sam</username></query></iq>",
    );
    phone.stream.shutdown(Shutdown::Write).unwrap();
    let rest = phone.rest().unwrap();
    assert_eq!(attribute(&rest, "id"), "r", "{rest}");
    assert_eq!(attribute(&rest, "type"), "result", "{rest}");
    Phone::open(server.xmpp).ask("get", "<ping xmlns=\"urn:xmpp:ping\"/>");
}

#[test]
fn a_phone_that_says_goodbye_is_answered_and_closed() {
    let server = Server::start();
    let mut phone = Phone::online(server.xmpp, "sam");
    phone.send("<presence type=\"unavailable\"></presence></stream:stream>");
    let rest = phone.rest().unwrap();
    assert!(rest.ends_with("</stream:stream>"), "{rest}");
    assert!(!rest.contains("stream:error"), "{rest}");
}

#[test]
fn a_phone_that_floods_and_does_not_read_is_dropped_alone() {
    let server = Server::start();
    let mut good = Phone::online(server.xmpp, "good");
    let mut bad = Phone::over(small_window(server.xmpp));
    bad.open_stream();
    bad.register("bad");
    bad.login("bad", RESOURCE);
    let ping = "<iq id=\"flood\" type=\"get\"><ping xmlns=\"urn:xmpp:ping\"/></iq>".repeat(100);
    let error = loop {
        use std::io::Write;
        if let Err(error) = bad.stream.write_all(ping.as_bytes()) {
            break error;
        }
        good.ping();
    };
    assert!(
        [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()),
        "{error}"
    );
    let id = push(&server, "good", "others are served");
    assert_eq!(good.push().id, id);
}
