//! `lanpush export` and `lanpush import`, while no server runs.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod scratch;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use scratch::Scratch;

const DEVICES: &str = r#"{"lanpush":{"format":1,"made":1700000000}}
{"account":{"name":"ann","password":"p\"w\u0000","full_name":"","email":"","alias":"kitchen","tags":["a","b"],"subscriptions":[],"created":1,"updated":2}}
{"account":{"name":"sam","password":"x","full_name":"Sam","email":"s@x","alias":"","tags":[],"subscriptions":[{"topic":"doors","device":null},{"topic":"rain","device":2}],"created":3,"updated":4}}
{"device":{"id":1,"account":"sam","resource":null,"last_seen":0,"withdraws":false}}
{"device":{"id":2,"account":"sam","resource":"phone/ü","last_seen":9,"withdraws":true}}
{"device":{"id":3,"account":"ann","resource":"phone/ü","last_seen":9,"withdraws":false}}
{"notification":{"id":"0000018bcfe568000000000000000001","target":{"user":"sam"},"title":"t","message":"two\nlines","uri":"http://x/","extras":{"image":"http://x/y","priority":5,"tags":["t"],"actions":[{"label":"l","uri":"http://z/"}],"silent":true,"sequence":"s","ttl":60,"deliver_at":7,"sender":"cron","withdraws":"0000018bcfe568000000000000000000"},"fired":true,"begun":8,"over":{"state":"expired","at":9}}}
{"notification":{"id":"0000018bcfe568000000000000000002","target":{"tags":"a & !b"},"title":"","message":"","uri":"","extras":{"image":"","priority":3,"tags":[],"actions":[],"silent":false,"sequence":"","ttl":0,"deliver_at":4000000000,"sender":"","withdraws":null},"fired":false,"begun":0,"over":null}}
{"delivery":{"notification":"0000018bcfe568000000000000000001","device":1,"state":"expired","at":9,"queued":5,"sent":0,"acknowledged":0}}
{"delivery":{"notification":"0000018bcfe568000000000000000001","device":2,"state":"confirmed","at":8,"queued":5,"sent":6,"acknowledged":7}}
{"document":{"owner":"","kind":"server","name":"n","text":"a \"b\"\n"}}
{"document":{"owner":"sam","kind":"contact","name":"ann@lan","text":"<item/>"}}
{"end":{"accounts":2,"devices":3,"notifications":2,"deliveries":2,"documents":2}}
"#;

fn lanpush(data: &Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lanpush"))
        .arg("--data")
        .arg(data)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses early does not read it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[track_caller]
fn failed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    text(&output.stderr).to_owned()
}

/// Without the first line, which has the time.
fn records(export: &str) -> &str {
    export.split_once('\n').unwrap().1
}

#[test]
fn an_export_comes_back_as_it_was() {
    let scratch = Scratch::new();
    let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
    let said = done(&lanpush(&first, &["import", "-"], DEVICES));
    assert_eq!(
        said,
        "imported accounts: 2, devices: 3, notifications: 2, deliveries: 2, documents: 2\n"
    );
    let file = scratch.path().join("export");
    let name = file.to_str().unwrap();
    let said = done(&lanpush(&first, &["export", name], ""));
    assert_eq!(
        said,
        "exported accounts: 2, devices: 3, notifications: 2, deliveries: 2, documents: 2\n"
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let export = fs::read_to_string(&file).unwrap();
    assert_eq!(records(&export), records(DEVICES));

    done(&lanpush(&second, &["import", name], ""));
    let again = done(&lanpush(&second, &["export", "-"], ""));
    assert_eq!(records(&again), records(&export));
    // A second import finds everything there.
    let said = done(&lanpush(&second, &["import", name], ""));
    assert_eq!(
        said,
        "imported accounts: 0, devices: 0, notifications: 0, deliveries: 0, documents: 0; \
         accounts kept as they were: 2; records left out: 6\n"
    );
    let again = done(&lanpush(&second, &["export", "-"], ""));
    assert_eq!(records(&again), records(&export));
}

#[test]
fn accounts_are_replaced_only_if_that_is_asked_for() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    done(&lanpush(&data, &["import", "-"], DEVICES));
    let other = DEVICES
        .replace("\"x\"", "\"other\"")
        .replace("\"id\":2,", "\"id\":77,")
        .replace("\"device\":2}", "\"device\":77}");
    done(&lanpush(&data, &["import", "-"], &other));
    let export = done(&lanpush(&data, &["export", "-"], ""));
    assert_eq!(records(&export), records(DEVICES));
    done(&lanpush(&data, &["import", "--replace", "-"], &other));
    let export = done(&lanpush(&data, &["export", "-"], ""));
    assert_eq!(
        records(&export),
        records(&DEVICES.replace("\"x\"", "\"other\""))
    );
}

#[test]
fn files_that_are_not_whole_are_told() {
    let long = format!(
        "{{\"account\":{{\"name\":\"x\",\"email\":\"{}\"}}}}\n",
        "y".repeat(300_000)
    );
    for (name, input, want) in [
        ("empty", String::new(), "neither an export of lanpush nor"),
        (
            "garbage",
            "\u{1}\u{2}".into(),
            "neither an export of lanpush nor",
        ),
        (
            "no header",
            records(DEVICES).into(),
            "its first line does not say what it is",
        ),
        (
            "a later one",
            DEVICES.replace("\"format\":1", "\"format\":2"),
            "a later lanpush wrote it",
        ),
        (
            "cut short",
            DEVICES[..DEVICES.len() - 100].into(),
            "the file is not complete",
        ),
        (
            "a line lost",
            DEVICES.replacen("{\"device\"", "{\"divice\"", 1),
            "line 4: it is no record",
        ),
        (
            "a long line",
            DEVICES.replacen("{\"device\"", &(long + "{\"device\""), 1),
            "line 4: it is too long",
        ),
    ] {
        let scratch = Scratch::new();
        let said = failed(&lanpush(
            &scratch.path().join("data"),
            &["import", "-"],
            &input,
        ));
        assert!(said.contains(want), "{name}: {said}");
    }
}

#[test]
fn users_of_androidpn_keep_their_passwords() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    let script = "CREATE SCHEMA PUBLIC AUTHORIZATION DBA\n\
                  INSERT INTO APN_USER VALUES(1,'2010-12-01 00:00:00.0',NULL,'O''H','pw\\u00fc',NULL,'abc')\n\
                  INSERT INTO APN_USER VALUES(2,'x\n\
                  INSERT INTO APN_USER VALUES(3,NULL,NULL,NULL,'p',NULL,'def')\n";
    let said = failed(&lanpush(&data, &["import", "-"], script));
    assert!(said.contains("line 3: a string does not end"), "{said}");
    assert!(
        said.contains("imported accounts: 2,") && said.contains("bad lines: 1"),
        "{said}"
    );
    let export = done(&lanpush(&data, &["export", "-"], ""));
    assert!(
        export.contains(r#"{"account":{"name":"abc","password":"pwü","full_name":"O'H""#),
        "{export}"
    );
    assert!(
        export.contains(r#"{"account":{"name":"def","password":"p""#),
        "{export}"
    );
}

/// A server that does not outlive the test.
struct Server(Child);

impl Server {
    /// The server and the address of its page.
    fn start(data: &Path) -> (Self, String) {
        Self::start_with(data, &[])
    }

    fn start_with(data: &Path, flags: &[&str]) -> (Self, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lanpush"))
            .arg("--data")
            .arg(data)
            .args(["--xmpp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--xmpps", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let server = Self(child);
        let http = lines.map(Result::unwrap).find_map(|line| {
            let address = line.strip_prefix("ready http ")?;
            Some(address.to_owned())
        });
        (server, http.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_running_server_gives_everything_and_takes_accounts() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    let mut many = DEVICES.to_owned();
    let end = many.find("{\"end\"").unwrap();
    many.truncate(end);
    for number in 0..3000 {
        many += &format!(
            "{{\"account\":{{\"name\":\"user{number:04}\",\"password\":\"p\",\"full_name\":\"{}\"}}}}\n",
            "x".repeat(200)
        );
    }
    many += "{\"end\":{\"accounts\":3002,\"devices\":3,\"notifications\":2,\"deliveries\":2,\"documents\":2}}\n";
    done(&lanpush(&data, &["import", "-"], &many));
    let offline = done(&lanpush(&data, &["export", "-"], ""));

    let (server, http) = Server::start(&data);
    let online = done(&lanpush(&data, &["export", "-"], ""));
    // The server gives a device to every account that has none.
    let accounts = |export: &str| -> Vec<String> {
        let lines = export.lines().filter(|line| !line.contains("\"device\":{"));
        let lines =
            lines.filter(|line| !line.starts_with("{\"end\"") && !line.starts_with("{\"lanpush"));
        lines.map(str::to_owned).collect()
    };
    assert!(online.len() > 3 * lanpush::limits::EXPORT_PAGE);
    assert_eq!(accounts(&online), accounts(&offline));

    let more = DEVICES
        .replace("\"sam\"", "\"new\"")
        .replace("\"p\\\"w", "\"other");
    let said = done(&lanpush(&data, &["import", "-"], &more));
    assert!(
        said.contains("accounts: 1,") && said.contains("kept as they were: 1"),
        "{said}"
    );
    let said = done(&lanpush(&data, &["import", "--replace", "-"], &more));
    assert!(said.contains("accounts: 2,"), "{said}");
    let left =
        "has not taken devices: 3, notifications: 2, deliveries: 2, topics of single devices: 1\n";
    assert!(
        said.contains(left) && said.contains("stop the server"),
        "{said}"
    );
    let online = done(&lanpush(&data, &["export", "-"], ""));
    assert!(online.contains("{\"account\":{\"name\":\"new\",\"password\":\"x\""));
    assert!(online.contains("{\"account\":{\"name\":\"ann\",\"password\":\"other\\u0000\""));

    // Passwords do not go over the network, not even to this machine.
    for path in ["/api/v1/export", "/api/v1/import"] {
        let mut stream = TcpStream::connect(&http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    drop(server);
    let after = done(&lanpush(&data, &["export", "-"], ""));
    assert_eq!(accounts(&after), accounts(&online));
    // Without the server all of it is taken, and nothing is said of what is not.
    let said = done(&lanpush(&data, &["import", "--replace", "-"], &more));
    assert!(!said.contains("stop the server"), "{said}");
    let after = done(&lanpush(&data, &["export", "-"], ""));
    assert!(
        after.contains("{\"device\":{\"id\":")
            && after.contains("\"account\":\"new\",\"resource\":"),
        "{after}"
    );
}

#[test]
fn a_relaxed_server_gives_what_it_has_only_in_memory() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    let config = scratch.path().join("lanpush.toml");
    fs::write(
        &config,
        "storage = { durability = \"relaxed\", delay = 3600 }",
    )
    .unwrap();
    let (server, _) = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    done(&lanpush(&data, &["import", "-"], DEVICES));
    done(&lanpush(&data, &["send", "ann", "hello"], ""));
    let export = done(&lanpush(&data, &["export", "-"], ""));
    for text in [
        "{\"account\":{\"name\":\"ann\",\"password\":\"p\\\"w\\u0000\"",
        // Topics of a user come along, those of a device elsewhere do not.
        "\"subscriptions\":[{\"topic\":\"doors\",\"device\":null}]",
        "\"target\":{\"user\":\"ann\"},\"title\":\"\",\"message\":\"hello\"",
        "\"state\":\"queued\"",
    ] {
        assert!(export.contains(text), "{text}: {export}");
    }
    drop(server);
    let after = done(&lanpush(&data, &["export", "-"], ""));
    assert_eq!(records(&after), records(&export));
}

#[test]
fn what_cannot_be_exported_says_so() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    let said = failed(&lanpush(&data, &["export", "-"], ""));
    assert!(said.contains("the data directory does not exist"), "{said}");
    done(&lanpush(&data, &["import", "-"], DEVICES));
    let said = failed(&lanpush(&data, &["export", "/proc/x"], ""));
    assert!(said.contains("cannot write \"/proc/x\""), "{said}");
    let said = failed(&lanpush(&data, &["import", "/nowhere"], ""));
    assert!(said.contains("cannot read \"/nowhere\""), "{said}");
}
