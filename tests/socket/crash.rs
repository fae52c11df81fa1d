//! `kill -9`: phones notice, and nothing that was promised is lost.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::thread;

use serde_json::{Value, json};

use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE};
use crate::harness::server::{Server, Setup};

#[test]
fn phones_see_a_reset_and_not_an_end() {
    let server = Server::start();
    let mut bound = Phone::online(server.xmpp, "sam");
    let mut unbound = Phone::open(server.xmpp);
    let mut fresh = Phone::connect(server.xmpp);
    drop(server.kill());
    for phone in [&mut bound, &mut unbound, &mut fresh] {
        assert_eq!(phone.rest().unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

/// Both users get every push that was answered, each under one id however often it comes.
#[test]
fn every_answered_push_arrives_under_one_id() {
    // The sender runs ahead of the phone; no bound but the disk's may drop anything.
    let mut server = Setup::new()
        .config("[push]\nqueue = 100000\nhistory = 100000\n")
        .start();
    drop(Phone::online(server.xmpp, "away"));
    let mut seen = Seen::default();
    let mut answered = BTreeMap::new();
    for round in 0..5 {
        let mut phone = Phone::online(server.xmpp, "here");
        let address = server.http;
        let (report, reports) = channel();
        let sender = thread::spawn(move || {
            for n in 0.. {
                let message = format!("round {round}, message {n}");
                let Ok(id) = push(address, &message, n % 3 == 0) else {
                    return;
                };
                report.send((message, id)).unwrap();
            }
        });
        // Some are confirmed, some only received, some under way, some in the middle of being stored.
        for (n, (message, id)) in reports.iter().take(20 + 7 * round).enumerate() {
            answered.insert(message, id);
            if n % 2 == 0 {
                let push = phone.push();
                phone.confirm(&push);
                seen.add("here", &push.message, &push.id);
            }
        }
        // Read but not looked at: the ping behind them may have been answered.
        for push in &phone.pushes {
            seen.add("here", &push.message, &push.id);
        }
        let setup = server.kill();
        answered.extend(reports);
        sender.join().unwrap();
        server = setup.start();
    }
    for user in ["here", "away"] {
        let mut phone = Phone::open(server.xmpp);
        phone.login(user, RESOURCE);
        phone.available();
        let missing = answered
            .keys()
            .filter(|message| !seen.has(user, message))
            .count();
        let mut found = 0;
        while found < missing {
            let push = phone.push();
            phone.confirm(&push);
            let new = seen.add(user, &push.message, &push.id);
            found += usize::from(new && answered.contains_key(&push.message));
        }
    }
    for ((user, message), id) in &seen.0 {
        if let Some(Some(answered)) = answered.get(message) {
            assert_eq!(id, answered, "{user}: {message}");
        }
    }
}

/// Pushes to everybody, by the form of old senders or by the API, which tells the id.
fn push(address: SocketAddr, message: &str, by_form: bool) -> io::Result<Option<String>> {
    if by_form {
        let path = "/notification.do?action=send";
        let body = format!("broadcast=Y&message={}", message.replace(' ', "+"));
        let reply = http::post(address, path, "application/x-www-form-urlencoded", &body)?;
        assert_eq!(reply.status, 302, "{reply:?}");
        return Ok(None);
    }
    let reply = http::notify(address, &json!({ "to": "*", "message": message }))?;
    assert_eq!(reply.status, 202, "{reply:?}");
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    Ok(Some(body["id"].as_str().unwrap().to_owned()))
}

/// Who has got which message, and under which id.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), String>);

impl Seen {
    fn has(&self, user: &str, message: &str) -> bool {
        self.0.contains_key(&(user.to_owned(), message.to_owned()))
    }

    /// Whether it is the first time.
    fn add(&mut self, user: &str, message: &str, id: &str) -> bool {
        let key = (user.to_owned(), message.to_owned());
        match self.0.insert(key, id.to_owned()) {
            None => true,
            Some(before) => {
                assert_eq!(before, id, "{user} got {message:?} again with a new id");
                false
            }
        }
    }
}
