//! The table of keys: what each is called, what it may hold, and whether it can change while we run.
//!
//! A new key is a field in `config.rs`, a row here, and a paragraph in `config/lanpush.toml`. Parsing,
//! writing, the command line's flags and the comparison at SIGHUP follow from the row.

use std::ops::RangeInclusive;

use log::LevelFilter;

use super::values::{
    Value, Wrong, address, array, boolean, bytes, choice, line, list, local_part, network, number,
    own_name, quoted, server_name, set, tag,
};
use super::{Config, Durability, MessageType, Registration};
use crate::limits;

/// One key.
pub(super) struct Key {
    /// Section and name, with a point between them.
    pub path: &'static str,
    /// Whether SIGHUP can change it.
    pub at_run: bool,
    /// Takes a value from the file.
    pub read: fn(&mut Config, &Value) -> Result<(), Wrong>,
    /// The value as TOML.
    pub write: fn(&Config) -> String,
}

/// Every key, in the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "server.domain",
        at_run: true,
        read: |config, value| set(&mut config.server.domain, own_name(value)),
        write: |config| quoted(&config.server.domain),
    },
    Key {
        path: "server.aliases",
        at_run: true,
        read: |config, value| {
            let aliases = list(value, limits::ALIASES, "names", server_name);
            set(&mut config.server.aliases, aliases)
        },
        write: |config| array(&config.server.aliases),
    },
    Key {
        path: "server.data",
        at_run: false,
        read: |config, value| set(&mut config.server.data, line(value, PATH, "a directory")),
        write: |config| quoted(&config.server.data),
    },
    Key {
        path: "xmpp.listen",
        at_run: false,
        read: |config, value| set(&mut config.xmpp.listen, address(value)),
        write: |config| quoted(config.xmpp.listen),
    },
    Key {
        path: "xmpp.registration",
        at_run: true,
        read: |config, value| {
            let registration = choice(value, &Registration::ALL.map(|one| (one.as_str(), one)));
            set(&mut config.xmpp.registration, registration)
        },
        write: |config| quoted(config.xmpp.registration.as_str()),
    },
    Key {
        path: "xmpp.plaintext_login",
        at_run: true,
        read: |config, value| set(&mut config.xmpp.plaintext_login, boolean(value)),
        write: |config| config.xmpp.plaintext_login.to_string(),
    },
    Key {
        path: "xmpp.idle",
        at_run: true,
        read: |config, value| set(&mut config.xmpp.idle, number(value, 15..=86_400)),
        write: |config| config.xmpp.idle.to_string(),
    },
    Key {
        path: "xmpp.settle",
        at_run: true,
        read: |config, value| set(&mut config.xmpp.settle, number(value, 0..=60)),
        write: |config| config.xmpp.settle.to_string(),
    },
    Key {
        path: "xmpp.resume",
        at_run: true,
        read: |config, value| set(&mut config.xmpp.resume, number(value, 0..=604_800)),
        write: |config| config.xmpp.resume.to_string(),
    },
    Key {
        path: "http.listen",
        at_run: false,
        read: |config, value| set(&mut config.http.listen, address(value)),
        write: |config| quoted(config.http.listen),
    },
    Key {
        path: "http.trusted",
        at_run: true,
        read: |config, value| {
            let networks = list(value, limits::TRUSTED_NETWORKS, "networks", network);
            set(&mut config.http.trusted, networks)
        },
        write: |config| array(&config.http.trusted),
    },
    Key {
        path: "tls.enabled",
        at_run: false,
        read: |config, value| set(&mut config.tls.enabled, boolean(value)),
        write: |config| config.tls.enabled.to_string(),
    },
    Key {
        path: "tls.listen",
        at_run: false,
        read: |config, value| set(&mut config.tls.listen, address(value)),
        write: |config| quoted(config.tls.listen),
    },
    Key {
        path: "tls.certificate",
        at_run: true,
        read: |config, value| set(&mut config.tls.certificate, line(value, PATH, "a file")),
        write: |config| quoted(&config.tls.certificate),
    },
    Key {
        path: "tls.key",
        at_run: true,
        read: |config, value| set(&mut config.tls.key, line(value, PATH, "a file")),
        write: |config| quoted(&config.tls.key),
    },
    Key {
        path: "push.api_key",
        at_run: true,
        read: |config, value| {
            let api_key = line(value, limits::API_KEY, "text");
            set(&mut config.push.api_key, api_key)
        },
        write: |config| quoted(&config.push.api_key),
    },
    Key {
        path: "push.from",
        at_run: true,
        read: |config, value| set(&mut config.push.from, local_part(value)),
        write: |config| quoted(&config.push.from),
    },
    Key {
        path: "push.message_type",
        at_run: true,
        read: |config, value| {
            let kind = choice(value, &MessageType::ALL.map(|one| (one.as_str(), one)));
            set(&mut config.push.message_type, kind)
        },
        write: |config| quoted(config.push.message_type.as_str()),
    },
    Key {
        path: "push.queue",
        at_run: true,
        read: |config, value| set(&mut config.push.queue, number(value, 1..=100_000)),
        write: |config| config.push.queue.to_string(),
    },
    Key {
        path: "push.history",
        at_run: true,
        read: |config, value| set(&mut config.push.history, number(value, 1..=1_000_000)),
        write: |config| config.push.history.to_string(),
    },
    Key {
        path: "push.history_days",
        at_run: true,
        read: |config, value| set(&mut config.push.history_days, number(value, 1..=36_500)),
        write: |config| config.push.history_days.to_string(),
    },
    Key {
        path: "push.history_bytes",
        at_run: true,
        read: |config, value| set(&mut config.push.history_bytes, number(value, HISTORY_BYTES)),
        write: |config| config.push.history_bytes.to_string(),
    },
    Key {
        path: "roster.shared",
        at_run: true,
        read: |config, value| {
            let shared = list(value, limits::SHARED_GROUPS, "tags", tag);
            set(&mut config.roster.shared, shared)
        },
        write: |config| array(&config.roster.shared),
    },
    Key {
        path: "storage.cache",
        at_run: false,
        read: |config, value| set(&mut config.storage.cache, number(value, CACHE)),
        write: |config| config.storage.cache.to_string(),
    },
    Key {
        path: "storage.export_hours",
        at_run: false,
        read: |config, value| set(&mut config.storage.export_hours, number(value, 0..=8760)),
        write: |config| config.storage.export_hours.to_string(),
    },
    Key {
        path: "storage.durability",
        at_run: false,
        read: |config, value| {
            let durability = choice(value, &Durability::ALL.map(|one| (one.as_str(), one)));
            set(&mut config.storage.durability, durability)
        },
        write: |config| quoted(config.storage.durability.as_str()),
    },
    Key {
        path: "storage.delay",
        at_run: false,
        read: |config, value| set(&mut config.storage.delay, number(value, 1..=3600)),
        write: |config| config.storage.delay.to_string(),
    },
    Key {
        path: "storage.write_budget",
        at_run: false,
        read: |config, value| set(&mut config.storage.write_budget, bytes(value, BUDGET)),
        write: |config| config.storage.write_budget.to_string(),
    },
    Key {
        path: "limits.connections",
        at_run: false,
        read: |config, value| set(&mut config.limits.connections, number(value, 1..=65_536)),
        write: |config| config.limits.connections.to_string(),
    },
    Key {
        path: "log.level",
        at_run: true,
        read: |config, value| set(&mut config.log.level, choice(value, LEVELS)),
        write: |config| quoted(config.log.level.as_str().to_ascii_lowercase()),
    },
];

/// Bytes of a path; what Linux takes.
const PATH: usize = 4095;

/// Values of `push.history_bytes`.
const HISTORY_BYTES: RangeInclusive<u64> = 100_000..=1_000_000_000_000;

/// Bytes of `storage.cache`.
const CACHE: RangeInclusive<u64> = 100_000..=1_000_000_000;

/// Bytes of `storage.write_budget`.
const BUDGET: RangeInclusive<u64> = 0..=1_000_000_000_000;

const LEVELS: &[(&str, LevelFilter)] = &[
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
];
