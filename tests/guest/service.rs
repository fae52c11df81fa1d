//! What the board is for, and what that takes of it.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::board::{Board, Guest, has_tls};
use crate::footprint;
use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE};
use crate::harness::tls::{self, Tls};

/// Phones that are logged in when memory is measured.
const PHONES: usize = 50;

/// Pushes, and returns the notification's id once it is accepted.
pub(crate) fn push(guest: &Guest, to: &str, message: &str) -> String {
    accepted(guest, &json!({ "to": to, "message": message }))
}

/// Pushes what `json` says, and returns the notification's id once it is accepted.
pub(crate) fn accepted(guest: &Guest, json: &Value) -> String {
    let reply = http::notify(guest.http, json).unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

/// What the API tells about a path.
pub(crate) fn told(guest: &Guest, path: &str) -> Value {
    let reply = http::get(guest.http, path);
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

/// A phone that registers and logs in over TLS.
pub(crate) fn online(guest: &Guest, user: &str) -> Phone<Tls> {
    let mut phone = tls::starttls(guest.xmpp, tls::usual());
    phone.register(user);
    phone.login(user, RESOURCE);
    phone.available();
    phone
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn phones_get_pushes_and_little_memory_is_used() {
    let mut guest = Board::new().boot();
    footprint::size(&mut guest);
    footprint::idle(&mut guest);
    if has_tls() {
        phones_get_pushes(&mut guest, online);
    } else {
        phones_get_pushes(&mut guest, |guest, user| Phone::online(guest.xmpp, user));
    }
    guest.stop_server();
    guest.wait_for("lanpush ended with 0");
}

fn phones_get_pushes<S>(guest: &mut Guest, online: impl Fn(&Guest, &str) -> Phone<S>)
where
    S: Read + Write,
{
    let mut sam = online(guest, "sam");
    let id = push(guest, "sam", "somebody rang");
    let got = sam.push();
    assert_eq!(
        (got.id, got.message.as_str()),
        (id.clone(), "somebody rang")
    );
    sam.ping();
    let wait = format!("/api/v1/notifications/{id}?wait=30&for=acknowledged");
    assert_eq!(told(guest, &wait)["reached"], true);

    let mut phones: Vec<_> = (1..PHONES)
        .map(|number| online(guest, &format!("phone-{number}")))
        .chain([sam])
        .collect();
    let id = push(guest, "*", "for all");
    for phone in &mut phones {
        assert_eq!(phone.push().id, id);
        phone.ping();
    }
    footprint::with_phones(guest);
}
