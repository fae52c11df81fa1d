//! `config/lanpush.toml` is the manual: what it says is what the program does. The other files there are samples,
//! which give the reason of every value that differs.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lanpush::config::Config;
use lanpush::edge::HAS_TLS;

const MANUAL: &str = include_str!("../config/lanpush.toml");

/// A key of the manual with the comment above it.
struct Entry {
    path: String,
    value: String,
    comment: String,
}

fn entries_of(text: &str) -> Vec<Entry> {
    let (mut section, mut comment, mut entries) = (String::new(), String::new(), Vec::new());
    for line in text.lines() {
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

fn entries() -> Vec<Entry> {
    entries_of(MANUAL)
}

/// The samples with their texts.
fn samples() -> Vec<(PathBuf, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("lanpush.toml"))
        .collect();
    paths.sort();
    let names: Vec<_> = paths.iter().filter_map(|path| path.file_stem()).collect();
    assert_eq!(names, ["ci", "office", "raspberrypi", "router-64mb"]);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_value_of_a_sample_differs_and_says_why() {
    let manual = entries();
    for (path, text) in samples() {
        let name = path.display();
        for entry in entries_of(&text) {
            let key = &entry.path;
            let default = manual.iter().find(|manual| manual.path == *key);
            let default = default.unwrap_or_else(|| panic!("{name}: no key {key}"));
            assert_ne!(entry.value, default.value, "{name}: {key} is the default");
            assert_ne!(entry.comment, "", "{name}: {key} does not say why");
            assert_ne!(entry.comment, default.comment, "{name}: {key}");
        }
    }
}

#[test]
fn the_program_takes_every_sample() {
    for (path, text) in samples() {
        let name = path.display();
        let mut sample = Config::parse(&text).unwrap_or_else(|error| panic!("{name} {error}"));
        let check = Command::new(env!("CARGO_BIN_EXE_lanpush"))
            .args(["check", "--domain", "push.lan", "--config"])
            .arg(&path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&check.stderr);
        assert_eq!(check.status.code(), Some(0), "{name}: {told}");
        sample.server.domain = "push.lan".into();
        sample.tls.enabled = HAS_TLS;
        let effective = String::from_utf8(check.stdout).unwrap();
        assert_eq!(Config::parse(&effective), Ok(sample), "{name}");
    }
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
