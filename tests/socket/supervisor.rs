//! What systemd hears of a server that it starts, by sd_notify(3).

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use rustix::process::Signal;

use crate::harness::DEADLINE;
use crate::harness::scratch::Scratch;
use crate::harness::server::{Server, Setup};

/// systemd's end.
struct Notified(UnixDatagram);

impl Notified {
    fn at_path(path: &Path) -> Self {
        Self::of(UnixDatagram::bind(path).unwrap())
    }

    fn at_abstract_name(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        Self::of(UnixDatagram::bind_addr(&address).unwrap())
    }

    fn of(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(socket)
    }

    fn next(&self) -> String {
        let mut bytes = [0; 200];
        let length = self.0.recv(&mut bytes).expect("nothing was said");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

fn watched(socket: &str, extra: &[(&'static str, &str)]) -> Server {
    let mut environment = vec![("NOTIFY_SOCKET", socket)];
    environment.extend_from_slice(extra);
    Setup::new().environment(environment).start()
}

#[test]
fn it_hears_of_every_turn_in_order() {
    let scratch = Scratch::new();
    let path = scratch.path().join("notify");
    let systemd = Notified::at_path(&path);
    let server = watched(path.to_str().unwrap(), &[]);
    assert_eq!(systemd.next(), "READY=1");
    server.signal(Signal::HUP);
    let reloading = systemd.next();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(since.unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    assert_eq!(systemd.next(), "READY=1");
    drop(server.stop());
    assert_eq!(systemd.next(), "STOPPING=1");
    systemd.0.set_nonblocking(true).unwrap();
    assert!(systemd.0.recv(&mut [0; 1]).is_err(), "a sign of life");
}

#[test]
fn signs_of_life_come_when_they_are_asked_for() {
    let name = format!("lanpush-test-{}", std::process::id());
    let systemd = Notified::at_abstract_name(&name);
    let _server = watched(&format!("@{name}"), &[("WATCHDOG_USEC", "20000")]);
    assert_eq!(systemd.next(), "READY=1");
    for _ in 0..3 {
        assert_eq!(systemd.next(), "WATCHDOG=1");
    }
}

#[test]
fn a_supervisor_that_is_gone_stops_nobody() {
    let server = watched("/nowhere/at/all", &[]);
    server.wait_for_log("nobody hears that we are ready");
    drop(server.stop());
}
