//! The plug is pulled, and nothing that was accepted is lost.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use crate::board::{Board, Guest};
use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE};

const SENDERS: usize = 2;
/// After how many accepted pushes the plug is pulled, while others are under way.
const CUTS: [usize; 2] = [70, 130];

/// Pushes until the server is gone, and tells what was accepted.
fn send(address: SocketAddr, name: String, accepted: Sender<(String, String)>) -> JoinHandle<()> {
    thread::spawn(move || {
        for number in 0.. {
            let message = format!("{name}, {number}");
            let json = json!({ "to": "sam", "message": message });
            let Ok(reply) = http::notify(address, &json) else {
                return;
            };
            assert_eq!(reply.status, 202, "{reply:?}");
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            let id = body["id"].as_str().unwrap().to_owned();
            if accepted.send((id, message)).is_err() {
                return;
            }
        }
    })
}

/// A file that nobody syncs; a new one each time, for ext4 writes at once what replaces another.
fn witness(count: usize) -> String {
    format!("/data/witness-{count}")
}

/// Lets senders push until so many are accepted, then pulls the plug; adds what was accepted.
fn push_until_cut(
    mut guest: Guest,
    count: usize,
    accepted: &mut BTreeMap<String, String>,
) -> Board {
    let (sender, results) = channel();
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| {
            let name = format!("cut at {count}, sender {number}");
            send(guest.http, name, sender.clone())
        })
        .collect();
    drop(sender);
    accepted.extend(results.iter().take(count));
    // If it outlives the cut, the disk proves nothing.
    assert_eq!(
        guest.run(&format!("echo here >{0}; cat {0}", witness(count))),
        "here"
    );
    let board = guest.cut();
    accepted.extend(results);
    for sender in senders {
        sender.join().unwrap();
    }
    board
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn power_cuts_take_nothing_accepted() {
    // What nobody syncs stays in the guest's memory.
    let unsynced = |board: Board| board.with("--mount", "commit=300");
    let mut guest = unsynced(Board::new()).boot();
    drop(Phone::online(guest.xmpp, "sam"));
    let mut accepted = BTreeMap::new();
    for count in CUTS {
        guest = unsynced(push_until_cut(guest, count, &mut accepted)).boot();
        assert_eq!(
            guest.run(&format!("cat {} 2>/dev/null", witness(count))),
            ""
        );
    }
    assert!(accepted.len() >= CUTS.iter().sum());
    println!("{} pushes were accepted", accepted.len());

    let mut phone = Phone::open(guest.xmpp);
    phone.login("sam", RESOURCE);
    phone.available();
    let mut newest = String::new();
    while !accepted.is_empty() {
        let push = phone.push();
        assert!(newest < push.id, "{} comes behind {newest}", push.id);
        if let Some(message) = accepted.remove(&push.id) {
            assert_eq!(push.message, message);
        }
        newest = push.id;
    }
}
