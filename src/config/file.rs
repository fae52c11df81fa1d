//! TOML 1.0: a configuration file, read key by key, so that every error names its line.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::Config;
use super::keys::{KEYS, Key};
use super::values::Value;

impl Config {
    /// The defaults with what `text`, a file like `config/lanpush.toml`, changes in them.
    ///
    /// # Errors
    /// The first line that is not TOML, holds a key we do not have, or a value that key cannot take.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| not_toml(text, &error))?;
        let mut config = Self::default();
        // The table is sorted by name; a person mends a file from the top.
        let mut first: Option<(usize, String)> = None;
        for (section, value) in table.get_ref() {
            for (at, problem) in config.read_section(text, section, value) {
                if first.as_ref().is_none_or(|(earlier, _)| at < *earlier) {
                    first = Some((at, problem));
                }
            }
        }
        match first {
            Some((at, problem)) => Err(ConfigError {
                line: line_of(text, at),
                problem,
            }),
            None => Ok(config),
        }
    }

    /// Reads one section; what is wrong in it comes back with its place.
    fn read_section(
        &mut self,
        text: &str,
        section: &Spanned<Cow<'_, str>>,
        value: &Value,
    ) -> Vec<(usize, String)> {
        let name = section.get_ref();
        let keys: Vec<&Key> = KEYS.iter().filter(|key| key.split().0 == *name).collect();
        if keys.is_empty() {
            let kind = if value.get_ref().is_table() {
                "section"
            } else {
                "key"
            };
            let problem = format!("unknown {kind} {name:?}, want one of {}", section_names());
            return vec![(section.span().start, problem)];
        }
        let Some(table) = value.get_ref().as_table() else {
            let problem = format!("{name} is a section: write [{name}] once, its keys below it");
            return vec![(section.span().start, problem)];
        };
        let mut problems = Vec::new();
        for (key_name, value) in table {
            let Some(key) = keys.iter().find(|key| key.split().1 == key_name.get_ref()) else {
                let names: Vec<_> = keys.iter().map(|key| key.split().1).collect();
                let problem = format!(
                    "unknown key {:?} in [{name}], want one of {}",
                    key_name.get_ref(),
                    names.join(", ")
                );
                problems.push((key_name.span().start, problem));
                continue;
            };
            if let Err(wrong) = (key.read)(self, value) {
                let found = excerpt(text, wrong.at.clone());
                let problem = format!("{} is {found}, want {}", key.path, wrong.want);
                problems.push((wrong.at.start, problem));
            }
        }
        problems
    }
}

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Counted from 1.
    pub line: usize,
    /// One sentence.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for ConfigError {}

fn not_toml(text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let line = line_of(text, at);
    let source = text.lines().nth(line - 1).unwrap_or_default().trim();
    let message = error.message().trim_end_matches(", expected nothing");
    // Most often an address or a name without its quotes; the parser only sees a bad number or list.
    let bare = source.split_once('=').is_some_and(|(_, value)| {
        let value = value.trim();
        value.starts_with(|c: char| c.is_ascii_alphanumeric() || "/.:".contains(c))
            || value.starts_with("[:")
    });
    let hint = if bare && !message.contains("quoted") && !message.contains("duplicate") {
        "; text stands in \"quotes\""
    } else {
        ""
    };
    ConfigError {
        line,
        problem: format!("cannot read '{}': {message}{hint}", shortened(source)),
    }
}

fn section_names() -> String {
    let mut names: Vec<_> = KEYS
        .iter()
        .map(|key| format!("[{}]", key.split().0))
        .collect();
    names.dedup();
    names.join(", ")
}

/// The number of the line that holds the byte at `at`, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// A piece of the file, short enough for a message.
fn excerpt(text: &str, at: Range<usize>) -> String {
    let found = text.get(at).unwrap_or_default();
    match found.lines().next() {
        Some(line) => shortened(line),
        None => "nothing".to_owned(),
    }
}

/// At most 60 characters, visible ones.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Registration;

    #[test]
    fn nothing_is_the_default() {
        for text in ["", "\n", "# only words\n", "[server]\n[xmpp]\n", "\u{feff}"] {
            assert_eq!(Config::parse(text), Ok(Config::default()), "{text:?}");
        }
    }

    #[test]
    fn every_value_is_taken() {
        let config = Config::parse(
            r#"
            [server]
            domain = "Push.LAN"
            aliases = ["gw.lan", "192.168.1.1"]
            data = "/srv/push data"
            [xmpp]
            listen = "0.0.0.0:0"
            registration = "closed"
            plaintext_login = false
            idle = 0x3C
            [http]
            listen = "[::1]:8080"
            trusted = [
                "192.168.1.0/24", # home
                "fd00::/8",
            ]
            [push]
            api_key = "a \"b\" \\ ü"
            queue = 7
            history = 20_000
            [storage]
            cache = 250_000
            [limits]
            connections = 65536
            [log]
            level = "debug"
            "#,
        )
        .unwrap();
        assert_eq!(config.server.domain, "push.lan");
        assert_eq!(config.server.aliases, ["gw.lan", "192.168.1.1"]);
        assert_eq!(config.server.data, "/srv/push data");
        assert_eq!(config.xmpp.listen.to_string(), "0.0.0.0:0");
        assert_eq!(config.xmpp.registration, Registration::Closed);
        assert!(!config.xmpp.plaintext_login);
        assert_eq!(config.xmpp.idle, 60);
        assert_eq!(config.http.listen.to_string(), "[::1]:8080");
        assert_eq!(config.http.trusted.len(), 2);
        assert_eq!(config.push.api_key, r#"a "b" \ ü"#);
        assert_eq!(config.push.queue, 7);
        assert_eq!(config.push.history, 20_000);
        assert_eq!(config.storage.cache, 250_000);
        assert_eq!(config.limits.connections, 65_536);
        assert_eq!(config.log.level, log::LevelFilter::Debug);
        assert_eq!(Config::parse(&config.to_toml()), Ok(config));
    }

    #[test]
    fn dotted_keys_and_inline_sections_are_toml_too() {
        let want = Config::parse("[http]\nlisten = \"127.0.0.1:80\"\n");
        assert!(want.is_ok());
        for text in [
            "http.listen = \"127.0.0.1:80\"",
            "http = { listen = \"127.0.0.1:80\" }",
        ] {
            assert_eq!(Config::parse(text), want, "{text}");
        }
    }

    #[test]
    fn errors_name_line_and_key() {
        let long_list = format!("[http]\ntrusted = [{}]", "\"::1\",".repeat(65));
        for (text, want) in [
            (
                "# one\n\n[http]\nlistn = \"[::]:7070\"\n",
                r#"line 4: unknown key "listn" in [http], want one of listen, trusted"#,
            ),
            (
                "[htp]\nlisten = \"[::]:7070\"\n",
                r#"line 1: unknown section "htp", want one of [server], [xmpp], [http], [tls], [push], [roster], [storage], [limits], [log]"#,
            ),
            (
                "listen = \"[::]:7070\"\n",
                r#"line 1: unknown key "listen", want one of [server], [xmpp], [http], [tls], [push], [roster], [storage], [limits], [log]"#,
            ),
            (
                "\nhttp = 7070\n",
                "line 2: http is a section: write [http] once, its keys below it",
            ),
            (
                "[[http]]\n[[http]]\n",
                "line 1: http is a section: write [http] once, its keys below it",
            ),
            (
                "[http.tls]\ncert = 1",
                r#"line 1: unknown key "tls" in [http], want one of listen, trusted"#,
            ),
            (
                "[xmpp]\nidle = \"soon\"\n",
                r#"line 2: xmpp.idle is "soon", want a number from 15 to 86400"#,
            ),
            (
                "[xmpp]\nidle = 14\n",
                "line 2: xmpp.idle is 14, want a number from 15 to 86400",
            ),
            (
                "[xmpp]\nidle = -15\n",
                "line 2: xmpp.idle is -15, want a number from 15 to 86400",
            ),
            (
                "[xmpp]\nidle = 60.0\n",
                "line 2: xmpp.idle is 60.0, want a number from 15 to 86400",
            ),
            (
                "[limits]\nconnections = 99999999999999999999999\n",
                "line 2: limits.connections is 99999999999999999999999, want a number from 1 to 65536",
            ),
            (
                "[xmpp]\nlisten = \"localhost:5222\"\n",
                r#"line 2: xmpp.listen is "localhost:5222", want an address and a port such as "0.0.0.0:5222" or "[::]:5222""#,
            ),
            (
                "[xmpp]\nlisten = 5222\n",
                r#"line 2: xmpp.listen is 5222, want an address and a port such as "0.0.0.0:5222" or "[::]:5222""#,
            ),
            (
                "[xmpp]\nregistration = \"Lan\"\n",
                r#"line 2: xmpp.registration is "Lan", want one of "open", "lan", "token", "closed""#,
            ),
            (
                "[xmpp]\nplaintext_login = \"yes\"\n",
                r#"line 2: xmpp.plaintext_login is "yes", want true or false"#,
            ),
            (
                "[log]\nlevel = \"trace\"\n",
                r#"line 2: log.level is "trace", want one of "error", "warn", "info", "debug""#,
            ),
            (
                "[server]\ndomain = \"my gateway\"\n",
                r#"line 2: server.domain is "my gateway", want a host name such as "push.lan" (letters, digits, hyphens and points) or an IP address"#,
            ),
            (
                "[server]\naliases = [\n  \"gw.lan\",\n  \"\",\n]\n",
                r#"line 4: server.aliases is "", want a host name such as "push.lan" (letters, digits, hyphens and points) or an IP address"#,
            ),
            (
                "[http]\ntrusted = [\n  \"::1\",\n  \"192.168.1.0/33\"\n]\n",
                r#"line 4: http.trusted is "192.168.1.0/33", want a network such as "192.168.1.0/24", "fd00::/8" or one address"#,
            ),
            (
                "[http]\ntrusted = \"::1\"\n",
                r#"line 2: http.trusted is "::1", want a list [ … ] of at most 64 networks"#,
            ),
            (
                &long_list,
                r#"line 2: http.trusted is ["::1","::1","::1","::1","::1","::1","::1","::1","::1","::1"…, want a list [ … ] of at most 64 networks"#,
            ),
            (
                "[push]\napi_key = \"a\\nb\"\n",
                r#"line 2: push.api_key is "a\nb", want text of at most 64 bytes without control characters"#,
            ),
            // The first line counts, not the first name.
            (
                "[xmpp]\nidle = 1\n[http]\nlistn = 1\n",
                "line 2: xmpp.idle is 1, want a number from 15 to 86400",
            ),
            (
                "[xmpp]\nlisten = 0.0.0.0:5222\n",
                r#"line 2: cannot read 'listen = 0.0.0.0:5222': invalid float; text stands in "quotes""#,
            ),
            (
                "[xmpp]\nlisten = [::]:5222\n",
                r#"line 2: cannot read 'listen = [::]:5222': unexpected key or value, expected newline, `#`; text stands in "quotes""#,
            ),
            (
                "[xmpp]\nregistration = lan\n",
                "line 2: cannot read 'registration = lan': string values must be quoted, expected literal string",
            ),
            (
                "[xmpp]\n\nlisten\n",
                "line 3: cannot read 'listen': key with no value, expected `=`",
            ),
            (
                "[xmpp]\nidle = 60\nidle = 70\n",
                "line 3: cannot read 'idle = 70': duplicate key",
            ),
            (
                "[xmpp\nidle = 60\n",
                "line 1: cannot read '[xmpp': unclosed table, expected `]`",
            ),
        ] {
            let error = Config::parse(text).expect_err(text);
            assert_eq!(error.to_string(), want);
        }
    }

    #[test]
    fn any_piece_of_a_file_is_one_sentence_or_a_configuration() {
        let whole = "[xmpp]\nlisten = \"[::]:1\"\n[http]\ntrusted = [\"fd00::/8\", \"::1\"]\n[push]\napi_key = \"ü\\u00e9\"\nqueue = 0x1F\n";
        for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
            for piece in [&whole[..cut], &whole[cut..]] {
                if let Err(error) = Config::parse(piece) {
                    let text = error.to_string();
                    assert!(!text.contains('\n'), "{piece:?}: {text}");
                    assert!(
                        error.line <= piece.lines().count().max(1),
                        "{piece:?}: {text}"
                    );
                }
            }
        }
    }
}
