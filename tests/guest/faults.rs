//! What goes wrong on boards: little memory, no disk, a full one, few open files, old data, a wrong binary.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::board::{Board, binary};
use crate::harness::http;
use crate::harness::phone::{Phone, RESOURCE};
use crate::service::{push, told};

/// A board of 48 MB, or the smallest that a 64-bit kernel starts on. QEMU lays kernel and initramfs over each
/// other where there is not more than that, so the kernel is told to leave the rest alone.
fn small() -> Board {
    let wide = fs::read(binary()).unwrap()[4] == 2;
    let mem = if wide { "64M" } else { "48M" };
    Board::new().with("--memory", "64").with("--mem", mem)
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn a_board_with_little_memory_serves() {
    let mut guest = small().boot();
    let total: usize = guest
        .run("awk '/^MemTotal/ { print $2 }' /proc/meminfo")
        .parse()
        .unwrap();
    assert!(total < 40_000, "{total} kB");
    let mut sam = Phone::online(guest.xmpp, "sam");
    let id = push(&guest, "sam", "little memory");
    assert_eq!(sam.push().id, id);
    assert_eq!(guest.run("dmesg | grep -ci 'out of memory'"), "0");
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn without_disk_and_with_a_read_only_root_it_says_so() {
    let guest = Board::new()
        .with("--disk", "none")
        .with("--root", "ro")
        .power_on();
    let console = guest.wait_for("lanpush ended with 1");
    assert!(console.contains("there is no data disk"), "{console}");
    let why = "\"/data/lanpush\" cannot be created: Read-only file system";
    assert!(console.contains(why), "{console}");
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn a_full_disk_refuses_pushes_until_there_is_room() {
    let mut guest = Board::new().boot();
    let mut sam = Phone::online(guest.xmpp, "sam");
    guest.run("dd if=/dev/zero of=/data/filler bs=64k 2>/dev/null");
    let json = json!({ "to": "sam", "message": "no room" });
    let refused = http::notify(guest.http, &json).unwrap();
    assert_eq!(refused.status, 507, "{refused:?}");
    guest.run("rm /data/filler");
    let id = push(&guest, "sam", "room");
    assert_eq!(sam.push().id, id);
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn few_open_files_mean_fewer_phones() {
    let mut guest = Board::new().boot();
    guest.stop_server();
    guest.start_server("ulimit -n 64;", "ready http");
    let mut inside: Vec<_> = (0..24).map(|_| Phone::open(guest.xmpp)).collect();
    let refused = Phone::connect(guest.xmpp).rest().unwrap();
    assert!(
        refused.contains("<stream:error><resource-constraint"),
        "{refused}"
    );
    inside[0].register("sam");
    assert_eq!(http::get(guest.http, "/").status, 200);
    let console = guest.console();
    assert!(
        console.contains("the limit of open files allows"),
        "{console}"
    );
}

/// What lanpush has written on another machine before there were boards.
#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn data_of_an_earlier_version_goes_on() {
    let board = Board::new();
    let data = board.files().join("lanpush");
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version-1");
    let copied = Command::new("cp").arg("-r").arg(stored).arg(data).status();
    assert!(copied.unwrap().success());
    let files = board.files();
    let guest = board
        .with("--files", files)
        // When its notifications were new.
        .with("--clock", "2026-01-02T00:00:00")
        .boot();
    let status = told(&guest, "/api/v1/status");
    assert_eq!(status["users"], 3, "{status}");
    let mut sam = Phone::open(guest.xmpp);
    sam.login("sam", RESOURCE);
    sam.available();
    assert_eq!(sam.push().message, "for the kitchen");
    assert_eq!(sam.push().message, "for the office");
    let id = push(&guest, "sam", "new");
    assert_eq!(sam.push().id, id);
}

#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn a_binary_for_another_processor_does_not_boot() {
    let board = Board::new();
    let text = board.files().join("text");
    fs::write(&text, "text").unwrap();
    for (binary, why) in [
        (std::env::current_exe().unwrap(), "is for another processor"),
        (text, "is no program"),
        ("/nowhere".into(), "there is no file /nowhere"),
    ] {
        let output = board.command().arg(binary).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

/// Below what it may want the server says so and serves; below what it needs it does not start.
#[test]
#[ignore = "boots a board: board/qemu/smoke.sh"]
fn little_memory_is_said_before_the_kernel_ends_anybody() {
    let mut guest = small().boot();
    let id = {
        drop(Phone::online(guest.xmpp, "sam"));
        push(&guest, "sam", "waits")
    };
    guest.stop_server();
    guest.run("mkdir -p /fill && mount -t tmpfs -o size=100% fill /fill");
    guest.run(&fill_memory(10_000));
    guest.start_server("", "ready http");
    guest.wait_for("KB of memory left and lanpush may want");
    let mut sam = Phone::open(guest.xmpp);
    sam.login("sam", RESOURCE);
    sam.available();
    assert_eq!(sam.push().id, id);
    guest.stop_server();
    guest.run(&fill_memory(3800));
    guest.start_server("", "KB of memory left, and lanpush needs");
    guest.wait_for("lanpush ended with 1");
    // There is memory again, and nothing has been taken for damage.
    guest.run("umount /fill");
    guest.start_server("", "ready http");
    assert_eq!(told(&guest, "/api/v1/status")["users"], 1);
    assert_eq!(guest.run("ls /data/lanpush | grep -c bad"), "0");
    assert_eq!(guest.run("dmesg | grep -ci 'out of memory'"), "0");
}

/// A command that leaves at most so many kB, as the server counts them.
fn fill_memory(left: u32) -> String {
    format!(
        "while [ $(awk '/^MemAvailable/ {{ left += $2 }} /^SReclaimable/ {{ left -= $2 / 2 }} \
         END {{ print int(left) }}' /proc/meminfo) -gt {left} ]; do \
         dd if=/dev/zero bs=100k count=1 2>/dev/null >>/fill/file || break; done"
    )
}
