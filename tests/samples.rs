//! `config/lanpush.toml` is the manual: what it says is what the program does.

#![cfg(test)]

use lanpush::config::Config;

const MANUAL: &str = include_str!("../config/lanpush.toml");

/// A key of the manual with the comment above it.
struct Entry {
    path: String,
    value: String,
    comment: String,
}

fn entries() -> Vec<Entry> {
    let (mut section, mut comment, mut entries) = (String::new(), String::new(), Vec::new());
    for line in MANUAL.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push_str(text);
            comment.push('\n');
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            comment.clear();
        } else if let Some((name, value)) = line.split_once(" = ") {
            entries.push(Entry {
                path: format!("{section}.{name}"),
                value: value.to_owned(),
                comment: std::mem::take(&mut comment),
            });
        } else {
            assert_eq!(line, "", "neither comment, section nor key");
            comment.clear();
        }
    }
    entries
}

#[test]
fn the_manual_is_the_default() {
    assert_eq!(Config::parse(MANUAL), Ok(Config::default()));
}

#[test]
fn the_manual_has_every_key_in_our_order() {
    let settings = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(settings(MANUAL), settings(&Config::default().to_toml()));
}

#[test]
fn every_comment_tells_the_default() {
    for Entry {
        path,
        value,
        comment,
    } in entries()
    {
        let last = comment.lines().last().unwrap_or_default();
        let default = last.strip_prefix(" Default: ").unwrap_or_default();
        let told = default.split(" (").next().unwrap_or_default();
        assert_eq!(told, value, "{path}");
        assert!(comment.lines().count() > 1, "{path}: what does it mean?");
    }
}

#[test]
fn every_comment_tells_the_bounds() {
    let mut ranges = 0;
    for Entry {
        path,
        value,
        comment,
    } in entries()
    {
        if value.parse::<u64>().is_err() {
            continue;
        }
        let error = Config::parse(&format!("{path} = -1")).expect_err(&path);
        let (_, range) = error.problem.split_once(" from ").unwrap();
        assert!(comment.contains(range), "{path}: say {range}");
        ranges += 1;
    }
    assert!(ranges >= 5, "found {ranges} numbers only");
}

#[test]
fn every_comment_tells_what_waits_for_a_restart() {
    let other = Config::parse(
        r#"
        server = { domain = "a", aliases = ["b"], data = "c" }
        xmpp = { listen = "[::]:1", registration = "open", plaintext_login = false, idle = 99 }
        http = { listen = "[::]:2", trusted = [] }
        tls = { enabled = false, listen = "[::]:3", certificate = "e", key = "f" }
        push = { api_key = "d", from = "e", message_type = "headline", queue = 1, history = 1, history_days = 1, history_bytes = 100000 }
        storage = { cache = 100000, export_hours = 1, durability = "relaxed", delay = 1, write_budget = 1 }
        limits.connections = 1
        log.level = "debug"
        "#,
    )
    .unwrap();
    let waiting = Config::default().needs_restart(&other);
    for Entry { path, comment, .. } in entries() {
        let told = comment.contains("At start.");
        assert_eq!(told, waiting.contains(&path.as_str()), "{path}");
    }
}
