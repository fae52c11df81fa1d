//! What an administrator can set: the file `config/lanpush.toml`, read from text, and its defaults.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits;

/// The effective configuration: defaults, then the file, then the command line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[xmpp]`
    pub xmpp: Xmpp,
    /// `[http]`
    pub http: Http,
    /// `[push]`
    pub push: Push,
    /// `[storage]`
    pub storage: Storage,
    /// `[limits]`
    pub limits: Limits,
    /// `[log]`
    pub log: Log,
}

/// `[server]`: who we are and where our data lies.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Server {
    /// The name phones know the server by; empty means this machine's host name.
    pub domain: String,
    /// Other names for the same server.
    pub aliases: Vec<String>,
    /// Data directory; empty means `./lanpush-data`, or `/var/lib/lanpush` for root.
    pub data: String,
}

/// `[xmpp]`: the push port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xmpp {
    /// Address and port to listen on.
    pub listen: String,
    /// Who may register from a phone.
    pub registration: Registration,
    /// Whether a password may cross the network in the clear.
    pub plaintext_login: bool,
    /// Seconds of silence before a phone is asked whether it is still there.
    pub idle: u64,
}

/// Who may register in-band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody who can connect.
    Open,
    /// Private, link-local and loopback addresses.
    Lan,
    /// Nobody; accounts are made by the administrator.
    Closed,
}

/// `[http]`: the page and the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Address and port to listen on.
    pub listen: String,
    /// Networks whose machines may use the page and the API.
    pub trusted: Vec<Network>,
}

/// `[push]`: notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// What goes out as `<apiKey>`; old clients show or compare it, it protects nothing.
    pub api_key: String,
    /// Notifications one device may have waiting.
    pub queue: usize,
    /// Notifications kept with their receipts.
    pub history: usize,
}

/// `[storage]`: the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Bytes of database pages kept in memory.
    pub cache: u64,
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Phones connected at once.
    pub connections: usize,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`.
    pub level: log::LevelFilter,
}

/// An address range: `192.168.1.0/24`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address of it.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl Default for Xmpp {
    fn default() -> Self {
        Self {
            listen: "[::]:5222".into(),
            registration: Registration::Lan,
            plaintext_login: true,
            idle: limits::IDLE.as_secs(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: "[::]:7070".into(),
            trusted: vec![
                Network {
                    address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)),
                    prefix: 8,
                },
                Network {
                    address: IpAddr::V6(Ipv6Addr::LOCALHOST),
                    prefix: 128,
                },
            ],
        }
    }
}

impl Default for Push {
    fn default() -> Self {
        Self {
            api_key: "1234567890".into(),
            queue: limits::QUEUE,
            history: limits::HISTORY,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { cache: 1_000_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: log::LevelFilter::Info,
        }
    }
}
