//! A board without a battery starts in 1970: nothing expires, and nothing is sent before its time.

use serde_json::json;

use crate::board::{Board, Guest, has_tls};
use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE};
use crate::service::{accepted, online, told};

fn clock(guest: &Guest) -> String {
    told(guest, "/api/v1/status")["clock"].to_string()
}

/// Waits as long as a push with this time to live may live, and returns the state of its only device.
fn outlived(guest: &Guest, id: &str) -> String {
    let path = format!("/api/v1/notifications/{id}?wait=3&for=sent");
    told(guest, &path)["deliveries"][0]["state"].to_string()
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn nothing_expires_in_1970() {
    let mut guest = Board::new().with("--clock", "1970-01-01T00:00:00").boot();
    assert_eq!(guest.run("date +%Y"), "1970");
    guest.wait_for("nothing expires until it is");
    assert_eq!(clock(&guest), "\"none\"");
    assert!(!http::get(guest.http, "/").head.contains("\nDate:"));
    // Its certificate is of today, whatever day that is.
    if has_tls() {
        drop(online(&guest, "sam"));
    } else {
        drop(Phone::online(guest.xmpp, "sam"));
    }
    let short = accepted(
        &guest,
        &json!({ "to": "sam", "message": "short", "ttl": 1 }),
    );
    let later = json!({ "to": "sam", "message": "later", "deliver_at": "2026-12-24 18:00:00" });
    accepted(&guest, &later);
    assert_eq!(outlived(&guest, &short), "\"queued\"");

    // Nor at the next boot, which is in 1970 again.
    guest.stop_server();
    guest = guest.cut().with("--clock", "1970-01-01T00:00:00").boot();
    assert_eq!(clock(&guest), "\"none\"");
    assert_eq!(outlived(&guest, &short), "\"queued\"");
    let mut phone = Phone::open(guest.xmpp);
    phone.login("sam", RESOURCE);
    phone.available();
    assert_eq!(phone.push().message, "short");
    phone.ping();
    assert_eq!(phone.pushes, []);
    drop(phone);

    // On the same board things do expire once it knows the time.
    guest.stop_server();
    guest = guest.cut().boot();
    assert_eq!(clock(&guest), "\"system\"");
    let short = accepted(
        &guest,
        &json!({ "to": "sam", "message": "short", "ttl": 1 }),
    );
    assert_eq!(outlived(&guest, &short), "\"expired\"");
}
