//! What an administrator can set: the file `config/lanpush.toml`, read from text, and its defaults.

mod domain;
mod file;
mod keys;
mod network;
mod values;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use toml::Spanned;
use toml::de::DeValue;

pub use domain::domain;
pub use file::ConfigError;
pub use network::{Network, NotANetwork};

use crate::limits;
use keys::{KEYS, Key};

/// The effective configuration: defaults, then the file, then the command line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[xmpp]`
    pub xmpp: Xmpp,
    /// `[http]`
    pub http: Http,
    /// `[tls]`
    pub tls: Tls,
    /// `[push]`
    pub push: Push,
    /// `[roster]`
    pub roster: Roster,
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
    /// The name phones know the server by, in lower case; empty means this machine's host name. Whoever
    /// starts the server fills it in before anybody else sees the configuration.
    pub domain: String,
    /// Other names for the same server, in lower case.
    pub aliases: Vec<String>,
    /// Data directory; empty means `./lanpush-data`, or `/var/lib/lanpush` for root. Whoever starts the
    /// server fills it in.
    pub data: String,
}

/// `[xmpp]`: the push port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xmpp {
    /// Address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Who may register from a phone.
    pub registration: Registration,
    /// Whether a password may cross the network in the clear.
    pub plaintext_login: bool,
    /// Seconds of silence before a phone is asked whether it is still there.
    pub idle: u64,
    /// Seconds between a phone's first presence and the first push to it.
    pub settle: u64,
    /// Seconds for which a lost session can be resumed (XEP-0198 §5); 0 for none.
    pub resume: u64,
}

/// Who may register in-band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody who can connect.
    Open,
    /// Private, link-local and loopback addresses.
    Lan,
    /// Whoever has a token of the administrator's (XEP-0445).
    Token,
    /// Nobody, with a token neither; accounts are made by the administrator.
    Closed,
}

/// `[http]`: the page and the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Networks whose machines may use the page and the API.
    pub trusted: Vec<Network>,
}

/// `[tls]`: encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whether there is any. A build without the feature `tls` has none, whatever is asked for.
    pub enabled: bool,
    /// Address and port on which phones begin with TLS at once (XEP-0368); port 0 lets the system choose.
    pub listen: SocketAddr,
    /// PEM file of the certificate and its chain; empty for one of our own making.
    pub certificate: String,
    /// PEM file of its key; empty if it stands in the same file.
    pub key: String,
}

/// `[push]`: notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// What goes out as `<apiKey>`; old clients show or compare it, it protects nothing.
    pub api_key: String,
    /// Local part of the address from which apps that read no notifications of androidpn get theirs.
    pub from: String,
    /// What kind of message those are.
    pub message_type: MessageType,
    /// Notifications one device may have waiting.
    pub queue: usize,
    /// Notifications kept with their receipts.
    pub history: usize,
    /// Days they are kept.
    pub history_days: u32,
    /// Bytes they may take, receipts included.
    pub history_bytes: u64,
}

/// What kind of message a push is (RFC 6121 §5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// Every app shows it.
    Chat,
    /// No answer is expected; some apps show it in another way, or not at all.
    Headline,
}

impl MessageType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::Chat, Self::Headline];

    /// Its name in the file and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Headline => "headline",
        }
    }
}

/// `[roster]`: contacts of chat apps.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Roster {
    /// Tags whose users are in everybody's roster.
    pub shared: Vec<String>,
}

/// `[storage]`: the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Bytes of database pages kept in memory.
    pub cache: u64,
    /// Hours between two automatic exports; 0 for none.
    pub export_hours: u32,
    /// What an answer waits for.
    pub durability: Durability,
    /// Seconds within which a relaxed store is on disk.
    pub delay: u64,
    /// Bytes that may be written a day before writes are gathered for longer; 0 for no budget.
    pub write_budget: u64,
}

/// When a change counts as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is on disk.
    Strict,
    /// When it is in memory; it reaches the disk within `storage.delay`, if it still matters then.
    Relaxed,
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

impl Config {
    /// Gives one key, such as `xmpp.listen`, a value that the file would hold in quotes.
    ///
    /// # Errors
    /// What the key wants instead, or that there is no such key.
    pub fn set(&mut self, path: &str, value: &str) -> Result<(), String> {
        let key = KEYS
            .iter()
            .find(|key| key.path == path)
            .ok_or_else(|| format!("unknown key {path:?}"))?;
        let value = Spanned::new(0..0, DeValue::String(value.into()));
        (key.read)(self, &value).map_err(|wrong| format!("want {}", wrong.want))
    }

    /// The configuration as a file that parses back to it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut toml = String::new();
        let mut section = "";
        for key in KEYS {
            let (its_section, name) = key.split();
            if its_section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                toml.push_str(&format!("{gap}[{its_section}]\n"));
                section = its_section;
            }
            toml.push_str(&format!("{name} = {}\n", (key.write)(self)));
        }
        toml
    }

    /// The keys, such as `xmpp.listen`, whose value in `next` takes effect only at the next start.
    #[must_use]
    pub fn needs_restart(&self, next: &Self) -> Vec<&'static str> {
        KEYS.iter()
            .filter(|key| !key.at_run && (key.write)(self) != (key.write)(next))
            .map(|key| key.path)
            .collect()
    }
}

impl Key {
    /// Section and name.
    fn split(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }
}

impl Registration {
    /// Every variant.
    pub const ALL: [Self; 4] = [Self::Open, Self::Lan, Self::Token, Self::Closed];

    /// The word the file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Lan => "lan",
            Self::Token => "token",
            Self::Closed => "closed",
        }
    }
}

impl Durability {
    /// Every variant.
    pub const ALL: [Self; 2] = [Self::Strict, Self::Relaxed];

    /// The word the file uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Relaxed => "relaxed",
        }
    }
}

impl Default for Xmpp {
    fn default() -> Self {
        Self {
            listen: any_address(5222),
            registration: Registration::Lan,
            plaintext_login: true,
            idle: limits::IDLE.as_secs(),
            settle: limits::SETTLE.as_secs(),
            resume: limits::RESUME.as_secs(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: any_address(7070),
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

impl Default for Tls {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: any_address(5223),
            certificate: String::new(),
            key: String::new(),
        }
    }
}

/// Every address of the machine, IPv4 and IPv6.
fn any_address(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

impl Default for Push {
    fn default() -> Self {
        Self {
            api_key: "1234567890".into(),
            from: "push".into(),
            message_type: MessageType::Chat,
            queue: limits::QUEUE,
            history: limits::HISTORY,
            history_days: limits::HISTORY_DAYS,
            history_bytes: limits::HISTORY_BYTES,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            cache: 1_000_000,
            export_hours: 6,
            durability: Durability::Strict,
            delay: limits::STORE_DELAY.as_secs(),
            write_budget: 0,
        }
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
    fn written_and_read_again_it_is_the_same() {
        let mut config = Config::default();
        assert_eq!(Config::parse(&config.to_toml()), Ok(config.clone()));
        config.server.data = "C:\\odd \"place\" \u{2028}".into();
        config.push.api_key = String::new();
        config.http.trusted.clear();
        assert_eq!(Config::parse(&config.to_toml()), Ok(config));
    }

    #[test]
    fn one_key_from_text() {
        let mut config = Config::default();
        assert_eq!(config.set("xmpp.listen", "127.0.0.1:0"), Ok(()));
        assert_eq!(config.set("log.level", "warn"), Ok(()));
        assert_eq!(config.set("server.domain", "GW.lan"), Ok(()));
        assert_eq!(config.xmpp.listen.to_string(), "127.0.0.1:0");
        assert_eq!(config.log.level, log::LevelFilter::Warn);
        assert_eq!(config.server.domain, "gw.lan");
        let before = config.clone();
        assert_eq!(
            config.set("log.level", "loud"),
            Err(r#"want one of "error", "warn", "info", "debug""#.to_owned())
        );
        assert!(config.set("log.colour", "red").is_err());
        assert_eq!(config, before);
    }

    #[test]
    fn bytes_with_a_suffix() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("\"500k\"", Some(500_000)),
            ("\"20M\"", Some(20_000_000)),
            ("\"1000000M\"", Some(1_000_000_000_000)),
            ("\"1000001M\"", None),
            ("\"99999999999999999999M\"", None),
            ("\"20 M\"", None),
            ("\"20m\"", None),
            ("\"M\"", None),
            ("\"+2k\"", None),
            ("\"\"", None),
            ("-1", None),
        ] {
            let read = Config::parse(&format!("storage.write_budget = {text}"));
            assert_eq!(read.ok().map(|c| c.storage.write_budget), bytes, "{text}");
        }
    }

    #[test]
    fn what_waits_for_the_next_start() {
        let running = Config::default();
        assert!(running.needs_restart(&running).is_empty());
        let reloadable = r#"
            server.domain = "push.lan"
            server.aliases = ["gw.lan"]
            xmpp = { registration = "open", plaintext_login = false, idle = 99 }
            http.trusted = ["192.168.1.0/24"]
            tls = { certificate = "/etc/ssl/push.pem", key = "/etc/ssl/push.key" }
            push = { api_key = "k", from = "gw", message_type = "headline", queue = 5, history = 6, history_days = 7, history_bytes = 800000 }
            log.level = "debug"
        "#;
        let next = Config::parse(reloadable).unwrap();
        assert!(running.needs_restart(&next).is_empty());
        let fixed = r#"
            server.data = "/elsewhere"
            xmpp.listen = "[::]:1"
            http.listen = "[::]:2"
            tls = { enabled = false, listen = "[::]:3" }
            storage = { cache = 300000, export_hours = 1, durability = "relaxed", delay = 9, write_budget = "20M" }
            limits.connections = 9
        "#;
        let next = Config::parse(fixed).unwrap();
        assert_eq!(
            running.needs_restart(&next),
            [
                "server.data",
                "xmpp.listen",
                "http.listen",
                "tls.enabled",
                "tls.listen",
                "storage.cache",
                "storage.export_hours",
                "storage.durability",
                "storage.delay",
                "storage.write_budget",
                "limits.connections"
            ]
        );
    }
}
