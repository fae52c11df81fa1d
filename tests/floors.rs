//! The floors of the crate: who may import whom, what no lower floor may touch, and how long a file and a
//! function may be. Read from the source as text, so that the rules cannot rot.
#![cfg(test)]

#[path = "floors/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use source::{Named, Source};

/// Lines of a file without its tests.
const FILE_LINES: usize = 400;
/// Lines of a function.
const FUNCTION_LINES: usize = 60;

/// What of `std` the sans-IO floors may use; what is below a name is included.
const PURE_STD: &[&str] = &[
    "alloc",
    "any",
    "array",
    "ascii",
    "borrow",
    "boxed",
    "cell",
    "char",
    "clone",
    "cmp",
    "collections",
    "convert",
    "default",
    "error",
    "fmt",
    "hint",
    "hash",
    "iter",
    "marker",
    "mem",
    "num",
    "ops",
    "option",
    "rc",
    "result",
    "slice",
    "str",
    "string",
    "vec",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i32",
    "i64",
    "f32",
    "f64",
    "concat",
    "format",
    "matches",
    "write",
    "writeln",
    "assert",
    "debug_assert",
    // Types without a system behind them.
    "io::BufRead",
    "io::Error",
    "io::ErrorKind",
    "io::Read",
    "io::Result",
    "io::Write",
    "net::AddrParseError",
    "net::IpAddr",
    "net::Ipv4Addr",
    "net::Ipv6Addr",
    "net::SocketAddr",
    "net::SocketAddrV4",
    "net::SocketAddrV6",
    "time::Duration",
];

/// Packages without a system behind them.
const PURE_PACKAGES: &[&str] = &[
    "base64ct",
    "crc32fast",
    "heapless",
    "hmac",
    "litemap",
    "log",
    "minidom",
    "pbkdf2",
    "rxml",
    "serde",
    "serde_json",
    "sha1",
    "sha2",
    "subtle",
    "toml",
];

/// What nobody may use, and why.
const NEVER: &[(&str, &str)] = &[
    ("tiny_http::Server", "it must not face a network"),
    (
        "smol::spawn",
        "tasks belong to the executor of the main thread",
    ),
];

/// How the namespaces of XMPP begin.
const NAMESPACES: &[&str] = &[
    "jabber:",
    "androidpn:",
    "urn:xmpp:",
    "urn:ietf:params:xml:ns:xmpp",
    "http://jabber.org/",
    "http://etherx.jabber.org/",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Floor {
    /// One connection, limits, time and configuration.
    Xmpp,
    /// All connections.
    Push,
    /// Sockets, disk, clock.
    Edge,
    /// The binary and its command line, and the map of the crate.
    Top,
}

impl Floor {
    fn of(path: &str) -> Option<Self> {
        let inside = path.strip_prefix("src/")?;
        Some(match inside.split(['/', '.']).next()? {
            "xmpp" | "limits" | "time" | "config" => Self::Xmpp,
            "push" => Self::Push,
            "edge" => Self::Edge,
            "main" | "cli" | "lib" => Self::Top,
            _ => return None,
        })
    }

    /// The modules of the crate it may import; the top may import all.
    fn may_import(self) -> &'static [&'static str] {
        match self {
            Self::Xmpp => &["xmpp", "limits", "time", "config"],
            Self::Push => &["xmpp", "limits", "time", "config", "push"],
            Self::Edge | Self::Top => &["xmpp", "limits", "time", "config", "push", "edge"],
        }
    }

    fn is_pure(self) -> bool {
        matches!(self, Self::Xmpp | Self::Push)
    }
}

/// What a file does against the rules, each as `path:line: what`.
fn violations(source: &Source, packages: &BTreeSet<String>) -> Vec<String> {
    let Some(floor) = Floor::of(&source.path) else {
        return vec![format!("{}: belongs to no floor", source.path)];
    };
    let mut found = sizes(source);
    for named in source.names() {
        let why = never(&named)
            .or_else(|| import(floor, &named))
            .or_else(|| between_features(source, &named))
            .or_else(|| impure(&named, packages).filter(|_| floor.is_pure()));
        found
            .extend(why.map(|why| format!("{}:{}: {} {why}", source.path, named.line, named.path)));
    }
    if floor == Floor::Edge {
        for (line, text) in &source.strings {
            if NAMESPACES.iter().any(|namespace| text.contains(namespace)) {
                let start: String = text.chars().take(60).collect();
                found.push(format!(
                    "{}:{line}: the edge speaks of {start:?}",
                    source.path
                ));
            }
        }
    }
    found
}

fn sizes(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if source.lines > FILE_LINES {
        found.push(format!(
            "{}: {} lines without tests",
            source.path, source.lines
        ));
    }
    for function in source
        .functions()
        .iter()
        .filter(|function| function.lines > FUNCTION_LINES)
    {
        let (line, name, lines) = (function.line, &function.name, function.lines);
        found.push(format!(
            "{}:{line}: fn {name} has {lines} lines",
            source.path
        ));
    }
    found
}

fn never(named: &Named) -> Option<String> {
    let (_, why) = NEVER.iter().find(|(path, _)| is_below(&named.path, path))?;
    Some(format!("is used: {why}"))
}

fn import(floor: Floor, named: &Named) -> Option<String> {
    let module = named.path.strip_prefix("crate::")?.split("::").next()?;
    let wrong = match floor {
        Floor::Top => false,
        Floor::Edge
            if ["crate::xmpp::ns", "crate::xmpp::feature"]
                .iter()
                .any(|path| is_below(&named.path, path)) =>
        {
            true
        }
        _ => !floor.may_import().contains(&module),
    };
    wrong.then(|| format!("is not for the floor of {floor:?}"))
}

/// A feature file does not know the others; `mod.rs` lists them.
fn between_features(source: &Source, named: &Named) -> Option<String> {
    let [_, _, feature, own, ..] = &source.module[..] else {
        return None;
    };
    let other = named
        .path
        .strip_prefix("crate::xmpp::feature::")?
        .split("::")
        .next()?;
    (feature == "feature" && own != other).then(|| "is another feature".to_owned())
}

/// Whether a path leads to a socket, a clock, a disk, a thread, or a package that may have one.
fn impure(named: &Named, packages: &BTreeSet<String>) -> Option<String> {
    let (root, rest) = named.path.split_once("::").unwrap_or((&named.path, ""));
    let allowed = match root {
        "std" | "core" | "alloc" => PURE_STD.iter().any(|pure| {
            // Importing a module names nothing in it yet; what is named through it is looked at by itself.
            is_below(rest, pure) || (named.import && is_below(pure, rest) && !rest.ends_with('*'))
        }),
        package if packages.contains(package) => PURE_PACKAGES.contains(&package),
        _ => true,
    };
    (!allowed).then(|| "is nothing a sans-IO floor may use".to_owned())
}

/// Whether a path is another or lies below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The packages of `Cargo.toml`, as code names them.
fn packages(manifest: &str) -> BTreeSet<String> {
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `src` that is not a test, by its path.
fn crate_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut directories = vec!["src".to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{directory}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                directories.push(path);
            } else if path.ends_with(".rs") {
                let text = read(&path);
                files.push((path, text));
            }
        }
    }
    let tests: BTreeSet<String> = files
        .iter()
        .flat_map(|(path, text)| test_files(path, text))
        .collect();
    files.retain(|(path, _)| !tests.contains(path));
    files
}

/// The files of the modules that a file declares for its tests.
fn test_files(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path, text);
    let directory = ["src"]
        .into_iter()
        .chain(source.module[1..].iter().map(String::as_str));
    let directory = directory.collect::<Vec<_>>().join("/");
    source
        .test_modules
        .iter()
        .map(|name| format!("{directory}/{name}.rs"))
        .collect()
}

fn dependencies() -> BTreeSet<String> {
    packages(&read("Cargo.toml"))
}

#[test]
fn the_crate_keeps_its_floors() {
    let packages = dependencies();
    for known in ["smol", "sled", "tiny_http", "async_channel"] {
        assert!(
            packages.contains(known),
            "Cargo.toml was not understood: {packages:?}"
        );
    }
    let found: Vec<String> = crate_files()
        .iter()
        .flat_map(|(path, text)| violations(&Source::new(path, text), &packages))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// A bad line at the end of any file is seen: the checker has understood all that stands before it.
#[test]
fn every_file_is_read_to_its_end() {
    let packages = dependencies();
    let mut seen = BTreeSet::new();
    for (path, text) in crate_files() {
        let floor = Floor::of(&path).unwrap_or_else(|| panic!("{path} belongs to no floor"));
        let bad = match floor {
            Floor::Xmpp | Floor::Push => "\nuse std::{fmt, fs};\n",
            Floor::Edge => "\nconst SPOKEN: &str = \"jabber:client\";\n",
            Floor::Top => "\nuse tiny_http::Server as Web;\n",
        };
        let before = violations(&Source::new(&path, &text), &packages).len();
        let after = violations(&Source::new(&path, &(text + bad)), &packages).len();
        assert_eq!(after, before + 1, "{path}");
        seen.insert(format!("{floor:?}"));
    }
    assert_eq!(seen.len(), 4, "only {seen:?}");
}

#[test]
fn bad_samples_are_refused_and_good_ones_are_not() {
    struct Case {
        name: &'static str,
        path: &'static str,
        text: &'static str,
        /// What is complained of, or nothing.
        want: &'static [&'static str],
    }
    let feature = "src/xmpp/feature/ping.rs";
    let gateway = "src/push/gateway.rs";
    let cases = [
        Case {
            name: "import",
            path: gateway,
            text: "use std::fs;",
            want: &[":1: std::fs "],
        },
        Case {
            name: "item",
            path: gateway,
            text: "\nuse std::fs::File;",
            want: &[":2: std::fs::File "],
        },
        Case {
            name: "path",
            path: gateway,
            text: "fn f() { std::thread::yield_now() }",
            want: &["std::thread::yield_now "],
        },
        Case {
            name: "absolute",
            path: gateway,
            text: "fn f() { ::std::env::args(); }",
            want: &["std::env::args "],
        },
        Case {
            name: "group",
            path: gateway,
            text: "use std::{fmt, net::{IpAddr, TcpStream}, rc::Rc};",
            want: &["std::net::TcpStream "],
        },
        Case {
            name: "trailing comma",
            path: gateway,
            text: "use std::{\n fmt,\n thread,\n};",
            want: &[":3: std::thread "],
        },
        Case {
            name: "glob",
            path: gateway,
            text: "use std::net::*;",
            want: &["std::net::* "],
        },
        Case {
            name: "glob of all",
            path: gateway,
            text: "use std::*;",
            want: &["std::* "],
        },
        Case {
            name: "clock",
            path: "src/time.rs",
            text: "use std::time::{Duration, Instant, SystemTime};",
            want: &["std::time::Instant ", "std::time::SystemTime "],
        },
        Case {
            name: "by its module",
            path: gateway,
            text: "use std::time;\nfn f() { time::Instant::now(); }",
            want: &[":2: std::time::Instant::now "],
        },
        Case {
            name: "by another name",
            path: gateway,
            text: "use std::time as t;\nfn f(d: t::Duration) { t::SystemTime::now(); }",
            want: &[":2: std::time::SystemTime::now "],
        },
        Case {
            name: "in a type",
            path: gateway,
            text: "fn f() -> Option<std::net::UdpSocket> { None }",
            want: &["std::net::UdpSocket "],
        },
        Case {
            name: "self of a group",
            path: gateway,
            text: "use std::process::{self, Command};",
            want: &["std::process ", "std::process::Command "],
        },
        Case {
            name: "package",
            path: "src/xmpp/stream.rs",
            text: "use smol::Timer;",
            want: &["smol::Timer "],
        },
        Case {
            name: "package with a dash",
            path: gateway,
            text: "fn f() { async_channel::bounded(1); }",
            want: &["async_channel::bounded "],
        },
        Case {
            name: "randomness",
            path: gateway,
            text: "fn f() { getrandom::fill(&mut []); }",
            want: &["getrandom::fill "],
        },
        Case {
            name: "database",
            path: "src/limits.rs",
            text: "use sled;",
            want: &["sled "],
        },
        Case {
            name: "upwards to push",
            path: "src/xmpp/session.rs",
            text: "use crate::push::Event;",
            want: &["crate::push::Event "],
        },
        Case {
            name: "upwards to edge",
            path: gateway,
            text: "use super::super::edge::serve;",
            want: &["crate::edge::serve "],
        },
        Case {
            name: "upwards from config",
            path: "src/config/file.rs",
            text: "fn f() { crate::edge::serve(); }",
            want: &["crate::edge::serve "],
        },
        Case {
            name: "upwards to the command line",
            path: "src/edge/serve.rs",
            text: "use crate::cli::send;",
            want: &["crate::cli::send "],
        },
        Case {
            name: "another feature",
            path: feature,
            text: "use super::{roster, bind::NS};",
            want: &["feature::roster ", "feature::bind::NS "],
        },
        Case {
            name: "another feature by a path",
            path: feature,
            text: "fn f() { crate::xmpp::feature::auth::f(); }",
            want: &["feature::auth::f "],
        },
        Case {
            name: "namespace",
            path: "src/edge/web.rs",
            text: "const A: &str = \"x urn:xmpp:ping\";",
            want: &[":1: the edge speaks"],
        },
        Case {
            name: "raw namespace",
            path: "src/edge/web.rs",
            text: "const A: &str =\n r#\"<iq xmlns='jabber:client'/>\"#;",
            want: &[":2: the edge speaks"],
        },
        Case {
            name: "feature in the edge",
            path: "src/edge/web.rs",
            text: "use crate::xmpp::feature::ping;",
            want: &["feature::ping "],
        },
        Case {
            name: "server of tiny_http",
            path: "src/edge/web.rs",
            text: "fn f() { tiny_http::Server::http(\"\"); }",
            want: &["must not face"],
        },
        Case {
            name: "global executor",
            path: "src/main.rs",
            text: "use smol;\nfn main() { smol::spawn(async {}); }",
            want: &["smol::spawn "],
        },
        Case {
            name: "unknown place",
            path: "src/utils.rs",
            text: "",
            want: &["belongs to no floor"],
        },
        Case {
            name: "after a quote",
            path: gateway,
            text: "const Q: char = '\"'; const S: &str = \"\\\"\"; use std::fs;",
            want: &["std::fs "],
        },
        Case {
            name: "after a lifetime",
            path: gateway,
            text: "fn f<'a>(x: &'a str) {} use std::fs;",
            want: &["std::fs "],
        },
        Case {
            name: "after tests",
            path: gateway,
            text: "#[cfg(test)]\nmod tests { fn f() { } }\nuse std::fs;",
            want: &[":3: std::fs "],
        },
        Case {
            name: "after a nested comment",
            path: gateway,
            text: "/* a /* b */ c */ use std::fs;",
            want: &["std::fs "],
        },
        Case {
            name: "good imports",
            path: gateway,
            text: "use std::{fmt::{self, Write as _}, net::{IpAddr, SocketAddr}};\nuse std::{collections::*, io, time::Duration};\nuse super::event::Event;\nuse crate::{limits, xmpp::ns};\nfn f(w: &mut dyn io::Write) { fmt::format; minidom::Element::bare; log::info!(\"\"); limits::TITLE; }",
            want: &[],
        },
        Case {
            name: "in comments and strings",
            path: gateway,
            text: "//! use std::fs;\n/* std::fs::read */\nconst A: &str = \"std::fs::read\"; const B: &str = r\"std::fs::read\";",
            want: &[],
        },
        Case {
            name: "in tests",
            path: gateway,
            text: "#[cfg(test)]\nuse std::fs;\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests {\n use std::{fs, thread};\n const A: [u8; 2] = [0; 2]; }",
            want: &[],
        },
        Case {
            name: "own feature",
            path: feature,
            text: "use super::super::stanza;\nuse self::parts::A;\nuse crate::xmpp::{ns, feature::ping::B};",
            want: &[],
        },
        Case {
            name: "list of features",
            path: "src/xmpp/feature/mod.rs",
            text: "pub mod ping;\npub mod bind;\nuse bind::NS;\nfn f() { ping::ROUTES; }",
            want: &[],
        },
        Case {
            name: "edge",
            path: "src/edge/storage.rs",
            text: "use std::{fs, thread, time::Instant};\nuse sled::Db;\nuse tiny_http::Response;\nconst A: &str = \"http://127.0.0.1/\";\n#[cfg(test)] const B: &str = \"jabber:client\";",
            want: &[],
        },
        Case {
            name: "top",
            path: "src/main.rs",
            text: "use lanpush::edge; use crate::cli; fn main() { std::process::exit(1) }",
            want: &[],
        },
        Case {
            name: "captured lifetimes",
            path: gateway,
            text: "fn f<'a>() -> impl Iterator<Item = &'a u8> + use<'a> { std::iter::empty() }",
            want: &[],
        },
    ];
    let packages = dependencies();
    for case in cases {
        let found = violations(&Source::new(case.path, case.text), &packages);
        let as_wanted = found.len() == case.want.len()
            && found
                .iter()
                .zip(case.want)
                .all(|(found, want)| found.contains(want));
        assert!(
            as_wanted,
            "{}: want {:?}, found {found:?}",
            case.name, case.want
        );
    }
}

#[test]
fn long_files_and_functions_are_refused() {
    let sized = |text: String| sizes(&Source::new("src/push/gateway.rs", &text));
    let function = |lines: usize| {
        format!(
            "fn f(a: [u8; 2]) -> u8 {{\n{}}}\n",
            "{ '}'; }\n".repeat(lines - 2)
        )
    };
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(500));

    assert_eq!(
        sized(function(FUNCTION_LINES) + "trait T { fn g(); }\n"),
        Vec::<String>::new()
    );
    assert_eq!(
        sized(function(FUNCTION_LINES + 1)),
        ["src/push/gateway.rs:1: fn f has 61 lines"]
    );
    let inside = format!("impl A {{\n pub const {}}}", function(FUNCTION_LINES + 2));
    assert_eq!(sized(inside), ["src/push/gateway.rs:2: fn f has 62 lines"]);

    assert_eq!(
        sized("//\n".repeat(FILE_LINES) + &tests),
        Vec::<String>::new()
    );
    assert_eq!(
        sized(tests + &"\n".repeat(FILE_LINES + 1)),
        ["src/push/gateway.rs: 401 lines without tests"]
    );
}

#[test]
fn modules_for_tests_only_are_left_out() {
    let text = "mod page;\n#[cfg(test)]\nmod fake;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod inline { }\n";
    assert_eq!(
        test_files("src/edge/http/mod.rs", text),
        ["src/edge/http/fake.rs", "src/edge/http/tests.rs"]
    );
    assert_eq!(
        test_files("src/config.rs", text),
        ["src/config/fake.rs", "src/config/tests.rs"]
    );
}
