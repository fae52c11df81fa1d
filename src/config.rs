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

impl Network {
    /// Whether `address` lies in it. IPv4 written as IPv6 (`::ffff:192.0.2.1`) counts as IPv4 on either side.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other, shift) = match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mapped = if self.address.is_ipv6() { 96 } else { 0 };
                let prefix = u32::from(self.prefix).saturating_sub(mapped);
                let bits = |ip: Ipv4Addr| u128::from(u32::from(ip));
                (bits(own), bits(other), 32_u32.saturating_sub(prefix))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.prefix));
                (u128::from(own), u128::from(other), shift)
            }
            _ => return false,
        };
        (own ^ other).checked_shr(shift).unwrap_or(0) == 0
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain() {
        for (network, prefix, address, inside) in [
            ("127.0.0.0", 8, "127.1.2.3", true),
            ("127.0.0.0", 8, "128.0.0.1", false),
            ("192.168.1.7", 32, "192.168.1.7", true),
            ("192.168.1.7", 32, "192.168.1.6", false),
            ("192.168.1.77", 24, "192.168.1.1", true),
            ("0.0.0.0", 0, "203.0.113.1", true),
            ("0.0.0.0", 0, "2001:db8::1", false),
            ("127.0.0.0", 8, "::ffff:127.0.0.1", true),
            ("::ffff:10.0.0.0", 104, "10.9.9.9", true),
            ("::ffff:10.0.0.0", 104, "11.0.0.1", false),
            ("::1", 128, "::1", true),
            ("::1", 128, "::2", false),
            ("fd00::", 8, "fdff::1", true),
            ("fd00::", 8, "fe80::1", false),
            ("::", 0, "2001:db8::1", true),
        ] {
            let range = Network {
                address: network.parse().unwrap(),
                prefix,
            };
            let answer = range.contains(address.parse().unwrap());
            assert_eq!(answer, inside, "{network}/{prefix} and {address}");
        }
    }
}
