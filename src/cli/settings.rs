//! The effective configuration: defaults, then the file, then the flags, and what only this machine knows.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lanpush::config::{self, Config};
use lanpush::edge;
use lanpush::limits;

use super::plain;

/// A flag that sets a key of the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// Without its two hyphens.
    pub name: &'static str,
    pub key: &'static str,
}

pub(super) const FLAGS: &[Flag] = &[
    flag("data", "server.data"),
    flag("domain", "server.domain"),
    flag("xmpp", "xmpp.listen"),
    flag("xmpps", "tls.listen"),
    flag("http", "http.listen"),
    flag("log", "log.level"),
];

const fn flag(name: &'static str, key: &'static str) -> Flag {
    Flag { name, key }
}

/// What the command line says about the configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// The file to read; none is read without it.
    pub config: Option<PathBuf>,
    /// Flags in their order, each with its value.
    pub flags: Vec<(&'static Flag, String)>,
}

/// Reads the file and applies the flags; the domain and the data directory are filled in.
///
/// # Errors
/// One sentence that names the file and its line, or the flag.
pub(super) fn effective(options: &Options) -> Result<Config, String> {
    let mut config = match &options.config {
        Some(path) => from_file(path)?,
        None => Config::default(),
    };
    for (flag, value) in &options.flags {
        config
            .set(flag.key, value)
            .map_err(|want| format!("--{} is {value:?}, {want}", flag.name))?;
    }
    // The rest of [tls] is the server's to refuse or to warn about, with words of its own.
    config.tls.enabled &= edge::HAS_TLS;
    if config.server.domain.is_empty() {
        config.server.domain = host_name();
    }
    if config.server.data.is_empty() {
        let root = rustix::process::geteuid().is_root();
        config.server.data = if root {
            "/var/lib/lanpush"
        } else {
            "./lanpush-data"
        }
        .to_owned();
    }
    Ok(config)
}

fn from_file(path: &Path) -> Result<Config, String> {
    let unreadable =
        |error: std::io::Error| format!("cannot read {}: {}", path.display(), plain(&error));
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(unreadable)?
        .take(limits::CONFIG_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > limits::CONFIG_BYTES {
        let limit = limits::CONFIG_BYTES;
        return Err(format!("{} is longer than {limit} bytes", path.display()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        let line = 1 + good.filter(|byte| **byte == b'\n').count();
        format!("{} line {line}: not UTF-8", path.display())
    })?;
    Config::parse(&text).map_err(|error| format!("{} {error}", path.display()))
}

/// This machine's name, if a server can be called so.
fn host_name() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok().and_then(config::domain);
    name.unwrap_or_else(|| "lanpush.lan".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(flags: &[(&str, &str)]) -> Options {
        let flag = |name| FLAGS.iter().find(|flag| flag.name == name).unwrap();
        Options {
            config: None,
            flags: flags
                .iter()
                .map(|(name, value)| (flag(*name), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn every_flag_sets_its_key() {
        let given = options(&[
            ("data", "/d"),
            ("domain", "Push.lan"),
            ("xmpp", "127.0.0.1:1"),
            ("http", "[::1]:2"),
            ("log", "debug"),
            ("log", "warn"),
        ]);
        let config = effective(&given).unwrap();
        assert_eq!(config.server.data, "/d");
        assert_eq!(config.server.domain, "push.lan");
        assert_eq!(config.xmpp.listen.to_string(), "127.0.0.1:1");
        assert_eq!(config.http.listen.to_string(), "[::1]:2");
        assert_eq!(config.log.level, log::LevelFilter::Warn);
    }

    #[test]
    fn every_flag_is_checked() {
        for (name, value) in [
            ("data", "a\nb"),
            ("domain", "my gateway"),
            ("xmpp", "5222"),
            ("http", "localhost:7070"),
            ("log", "loud"),
        ] {
            let error = effective(&options(&[(name, value)])).expect_err(name);
            let start = format!("--{name} is {value:?}, want ");
            assert!(error.starts_with(&start), "{error}");
        }
    }

    #[test]
    fn gaps_are_filled() {
        let config = effective(&options(&[])).unwrap();
        assert_eq!(
            config::domain(&config.server.domain),
            Some(config.server.domain.clone())
        );
        assert!(!config.server.data.is_empty());
        assert_eq!(
            effective(&options(&[("domain", ""), ("data", "")])),
            Ok(config)
        );
    }
}
