//! sd_notify(3): whoever started us hears that we are ready, read our configuration again, stop, and are alive.
//!
//! It asks for that with a socket in `NOTIFY_SOCKET`, and for signs of life with `WATCHDOG_USEC`. They come from
//! the thread that owns all state: when it is stuck they stay away, and systemd starts us again. Nobody asks, no
//! timer runs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use smol::Timer;

/// Whoever started us, or nobody.
pub(super) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often it wants a sign of life.
    beat: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names.
    pub(super) fn of_this_process() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(name) = variable("NOTIFY_SOCKET") else {
            return Self::nobody();
        };
        match connect(&name) {
            Ok(socket) => Self {
                socket: Some(socket),
                beat: beat(
                    variable("WATCHDOG_USEC"),
                    variable("WATCHDOG_PID"),
                    std::process::id(),
                ),
            },
            Err(error) => {
                log::warn!("nobody hears that we are ready: NOTIFY_SOCKET is {name:?}: {error}");
                Self::nobody()
            }
        }
    }

    fn nobody() -> Self {
        Self {
            socket: None,
            beat: None,
        }
    }

    /// Phones and senders can connect, and the configuration holds.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is read again; [`Self::ready`] ends that.
    pub(super) fn reloading(&self) {
        // Type=notify-reload compares this with the moment at which it asked.
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Gives signs of life as long as they are wanted; ends at once if they are not.
    pub(super) async fn stay_alive(self: Rc<Self>) {
        let Some(beat) = self.beat else { return };
        loop {
            self.tell("WATCHDOG=1");
            Timer::after(beat).await;
        }
    }

    fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            log::warn!("whoever started us does not hear {state:?}: {error}");
        }
    }
}

/// A name that begins with `@` is in Linux's abstract namespace, every other is a path.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        _ => return Err(io::Error::other("neither a path nor an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not read must not stop us.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// Half of the time after which silence means death; `None` if no sign of life is wanted from us.
fn beat(micros: Option<OsString>, wanted_of: Option<OsString>, own: u32) -> Option<Duration> {
    if wanted_of.is_some_and(|pid| pid.to_str() != Some(&own.to_string())) {
        return None;
    }
    let micros: u64 = micros?.to_str()?.parse().ok()?;
    (micros > 1).then(|| Duration::from_micros(micros / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        micros: Option<&'static str>,
        wanted_of: Option<&'static str>,
        beat: Option<u64>,
    }

    const CASES: &[Case] = &[
        Case {
            name: "not asked for",
            micros: None,
            wanted_of: None,
            beat: None,
        },
        Case {
            name: "of whoever is started",
            micros: Some("60000000"),
            wanted_of: None,
            beat: Some(30_000_000),
        },
        Case {
            name: "of us",
            micros: Some("60000000"),
            wanted_of: Some("7"),
            beat: Some(30_000_000),
        },
        Case {
            name: "of our parent",
            micros: Some("60000000"),
            wanted_of: Some("8"),
            beat: None,
        },
        Case {
            name: "at every moment",
            micros: Some("0"),
            wanted_of: None,
            beat: None,
        },
        Case {
            name: "not a number",
            micros: Some("1min"),
            wanted_of: None,
            beat: None,
        },
    ];

    #[test]
    fn half_of_what_the_supervisor_waits() {
        for case in CASES {
            let found = beat(
                case.micros.map(Into::into),
                case.wanted_of.map(Into::into),
                7,
            );
            assert_eq!(found, case.beat.map(Duration::from_micros), "{}", case.name);
        }
    }

    #[test]
    fn what_is_no_socket() {
        for name in [
            "",
            "vsock:2:1234",
            "run/notify",
            "/nowhere/at/all",
            "@nobody-here",
        ] {
            assert!(connect(OsStr::new(name)).is_err(), "{name}");
        }
    }
}
