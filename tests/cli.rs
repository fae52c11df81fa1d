//! The real binary: exit codes, what it prints, and how it talks to the server's admin socket.

#![cfg(test)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use lanpush::config::Config;
use rustix::termios::{LocalModes, tcgetattr};

fn lanpush(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lanpush"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end; code, standard output and standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = status.code().expect("no signal ends it");
    (code, text(stdout), text(stderr))
}

/// A directory of its own that goes away with the test. Its path is short, as a socket's has to be.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lanpush-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server that gives these answers, one connection each, and tells what it was asked.
fn server(directory: &Path, answers: Vec<String>) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(directory.join("admin.sock")).unwrap();
    std::thread::spawn(move || {
        answers
            .iter()
            .map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let request = request(&stream);
                stream.write_all(answer.as_bytes()).unwrap();
                request
            })
            .collect()
    })
}

fn request(stream: &UnixStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head.split_once("Content-Length: ").unwrap().1;
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

fn json(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[test]
fn help_and_version() {
    for words in [&["help"][..], &["--help"], &["-h"], &["send", "--help"]] {
        let (code, stdout, stderr) = run(&mut lanpush(words));
        assert_eq!((code, stderr.as_str()), (0, ""), "{words:?}");
        assert!(stdout.starts_with("lanpush: a push service"), "{stdout}");
    }
    let (code, stdout, _) = run(&mut lanpush(&["--version"]));
    assert_eq!(code, 0);
    assert_eq!(stdout, format!("lanpush {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn bad_usage_is_one_line_and_a_hint() {
    for (words, want) in [
        (&["sevre"][..], "unknown command \"sevre\""),
        (&["doctor"], "unknown command \"doctor\""),
        (&["--colour", "red"], "unknown flag --colour"),
        (&["send", "sam"], "lanpush send wants TO and MESSAGE"),
        (
            &["a\u{1b}\n\u{202e}"],
            r#"unknown command "a\u{1b}\n\u{202e}""#,
        ),
    ] {
        let (code, stdout, stderr) = run(&mut lanpush(words));
        assert_eq!((code, stdout.as_str()), (2, ""), "{words:?}");
        assert_eq!(stderr, format!("lanpush: {want}\nSee lanpush --help.\n"));
    }
}

#[test]
fn check_prints_what_is_in_effect() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/config/lanpush.toml");
    let (code, stdout, stderr) = run(&mut lanpush(&[
        "--log=debug",
        "check",
        "--config",
        manual,
        "--domain",
        "GW.lan",
        "--data",
        "/d",
    ]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let mut want = Config::default();
    want.server.domain = "gw.lan".into();
    want.server.data = "/d".into();
    want.log.level = log::LevelFilter::Debug;
    assert_eq!(Config::parse(&stdout), Ok(want));

    let (code, stdout, _) = run(&mut lanpush(&["check"]));
    assert_eq!(code, 0);
    let bare = Config::parse(&stdout).unwrap();
    assert!(!bare.server.domain.is_empty() && !bare.server.data.is_empty());
}

#[test]
fn flags_beat_the_file() {
    let directory = Directory::new();
    let file = directory.file(
        "c",
        "[http]\nlisten = \"[::1]:1\"\n[xmpp]\nlisten = \"[::1]:2\"\n",
    );
    let (code, stdout, _) = run(&mut lanpush(&[
        "check", "--config", &file, "--http", "[::1]:3",
    ]));
    assert_eq!(code, 0);
    let config = Config::parse(&stdout).unwrap();
    assert_eq!(config.http.listen.port(), 3);
    assert_eq!(config.xmpp.listen.port(), 2);
}

#[test]
fn a_configuration_that_cannot_be_used() {
    let directory = Directory::new();
    let typo = directory.file("typo.toml", "# mine\n[http]\nlistn = \"[::]:7070\"\n");
    let binary = directory.file("binary.toml", b"# mine\n# \xff\n");
    let long = directory.file("long.toml", "#".repeat(64 * 1024 + 1));
    let missing = format!("{}/missing.toml", directory.path());
    for (words, want) in [
        (
            ["--config", &typo],
            format!("{typo} line 3: unknown key \"listn\" in [http], want one of listen, trusted"),
        ),
        (["--config", &binary], format!("{binary} line 2: not UTF-8")),
        (["--config", &long], format!("{long} is longer than 65536 bytes")),
        (
            ["--config", &missing],
            format!("cannot read {missing}: No such file or directory"),
        ),
        (
            ["--config", directory.path()],
            format!("cannot read {}: Is a directory", directory.path()),
        ),
        (
            ["--xmpp", "5222"],
            "--xmpp is \"5222\", want an address and a port such as \"0.0.0.0:5222\" or \"[::]:5222\"".into(),
        ),
    ] {
        for command in ["check", "serve"] {
            let (code, stdout, stderr) = run(lanpush(&words).arg(command));
            assert_eq!(stderr, format!("lanpush: {want}\n"), "{command}");
            assert_eq!((code, stdout.as_str()), (2, ""), "{command}");
        }
    }
}

#[test]
fn nobody_reads_or_nothing_can_be_written() {
    let closed = || std::io::pipe().unwrap().1;
    for (words, want) in [(&["help"][..], 0), (&["check"], 0), (&["sevre"], 2)] {
        let mut command = lanpush(words);
        let status = command.stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(status.code(), Some(want), "{words:?}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = lanpush(&["help"]);
    let Output { status, stderr, .. } = command
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(
        stderr,
        b"lanpush: cannot write the output: No space left on device\n"
    );
}

#[test]
fn no_server() {
    let directory = Directory::new();
    let socket = format!("{}/admin.sock", directory.path());
    let want = format!(
        "lanpush: no server runs on this data directory: nobody answers at {socket}; choose another with --data or --config\n"
    );
    for words in [&["send", "*", "hi"][..], &["user", "list"]] {
        let (code, stdout, stderr) = run(lanpush(words).args(["--data", directory.path()]));
        assert_eq!(
            (code, stdout.as_str(), stderr.as_str()),
            (1, "", want.as_str())
        );
    }
    // The socket of a server that was killed.
    drop(UnixListener::bind(&socket).unwrap());
    let (code, _, stderr) = run(&mut lanpush(&["user", "list", "--data", directory.path()]));
    assert_eq!((code, stderr.as_str()), (1, want.as_str()));
}

#[test]
fn send() {
    let accepted = |queued, sent| {
        json(
            202,
            &format!(r#"{{"id":"00ff","queued":{queued},"sent":{sent}}}"#),
        )
    };
    for (words, stdin, answer, stdout, body) in [
        (
            &["sam", "hi"][..],
            "",
            accepted(3, 2),
            "stored for 3 devices, sent to 2 now (id 00ff)\n",
            r#"{"to":"sam","title":"","message":"hi","uri":""}"#,
        ),
        (
            &["everyone", "-", "--title", "T \"1\"", "--uri=http://x"],
            "two\nlines ü\n",
            accepted(1, 1),
            "stored for 1 device, sent to 1 now (id 00ff)\n",
            r#"{"to":"*","title":"T \"1\"","message":"two\nlines ü","uri":"http://x"}"#,
        ),
        (
            &["tag:a b", "--", "--hi"],
            "",
            accepted(0, 0),
            "stored for 0 devices, sent to 0 now (id 00ff)\n",
            r#"{"to":"tag:a b","title":"","message":"--hi","uri":""}"#,
        ),
    ] {
        let directory = Directory::new();
        let server = server(&directory.0, vec![answer]);
        let input = directory.file("stdin", stdin);
        let mut command = lanpush(&["--data", directory.path(), "send"]);
        command.args(words).stdin(File::open(input).unwrap());
        let ended = run(&mut command);
        assert_eq!(ended, (0, stdout.to_owned(), String::new()), "{words:?}");
        let request = server.join().unwrap().remove(0);
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(sent, body, "{words:?}");
        let lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(lines[0], "POST /api/v1/notifications HTTP/1.1");
        for want in [
            "Host: localhost",
            "Connection: close",
            "Content-Type: application/json",
        ] {
            assert!(lines.contains(&want), "{head}");
        }
    }
}

#[test]
fn every_flag_of_send_reaches_the_server() {
    let directory = Directory::new();
    let answer = json(202, r#"{"id":"00ff","queued":0,"sent":0,"scheduled":true}"#);
    let server = server(&directory.0, vec![answer]);
    let ended = run(
        lanpush(&["--data", directory.path(), "send", "sam", "hi"]).args([
            "--image=http://i",
            "--priority=5",
            "--tag=a",
            "--tag",
            "b c",
            "--action=Open=http://x/?a=b",
            "--silent",
            "--sequence=bell",
            "--ttl=60",
            "--at=2030-01-01 00:00:00",
        ]),
    );
    let stdout = "stored, goes out at its time (id 00ff)\n".to_owned();
    assert_eq!(ended, (0, stdout, String::new()));
    let request = server.join().unwrap().remove(0);
    let body = request.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        body,
        r#"{"to":"sam","title":"","message":"hi","uri":"","image":"http://i","priority":5,"tags":["a","b c"],"actions":[{"label":"Open","uri":"http://x/?a=b"}],"silent":true,"sequence":"bell","ttl":60,"deliver_at":"2030-01-01 00:00:00"}"#
    );
}

#[test]
fn a_wait_ends_with_its_verdict() {
    let view = |reached: bool, state: &str, total: usize| {
        format!(
            r#"{{"reached":{reached},"scheduled":false,"total":{total},"counts":{{"{state}":1}},"deliveries":[{{"device":"sam/phone","state":"{state}","at":86400,"queued":86399}}]}}"#
        )
    };
    for (name, view, code, more, stderr) in [
        ("reached", view(true, "confirmed", 1), 0, "", ""),
        (
            "not in time",
            view(false, "sent", 3),
            1,
            "and 2 more\n",
            "lanpush: not every device has got as far as confirmed within 0 seconds\n",
        ),
        (
            "never",
            view(false, "dropped", 1),
            1,
            "",
            "lanpush: not every device has got as far as confirmed, and no other will\n",
        ),
    ] {
        let directory = Directory::new();
        let accepted = json(202, r#"{"id":"00ff","queued":1,"sent":1}"#);
        let server = server(&directory.0, vec![accepted, json(200, &view)]);
        let words = ["send", "sam", "hi", "--wait=0", "--for=confirmed"];
        let ended = run(lanpush(&["--data", directory.path()]).args(words));
        assert_eq!((ended.0, ended.2.as_str()), (code, stderr), "{name}");
        let lines: Vec<_> = ended.1.lines().collect();
        assert_eq!(lines[0], "stored for 1 device, sent to 1 now (id 00ff)");
        assert!(lines[1].starts_with("sam/phone "), "{name}: {}", lines[1]);
        assert!(lines[1].ends_with(" 1970-01-02 00:00:00"), "{name}");
        assert!(ended.1.ends_with(more), "{name}: {}", ended.1);
        let asked = server.join().unwrap().remove(1);
        let want = "GET /api/v1/notifications/00ff?wait=0&for=confirmed HTTP/1.1\r\n";
        assert!(asked.starts_with(want), "{name}: {asked}");
    }
}

const TOKENS: &str = r#"{"tokens":[
    {"id":"00ff00ff","uses":2,"created":0,"expires":86400,"expired":false,"note":"the office"},
    {"id":"01ff00ff","uses":1,"created":0,"expires":null,"expired":false,"note":"\u001b[2J"},
    {"id":"02ff00ff","uses":20,"created":0,"expires":86400,"expired":true,"note":""}]}"#;
const NEW_TOKEN: &str = r#"{"token":"5ec4e7","uri":"xmpp:gw?register;preauth=5ec4e7",
    "id":"00ff00ff","uses":20,"created":0,"expires":86400,"expired":false,"note":"a b"}"#;

#[test]
fn topics_tokens_and_withdrawals() {
    let topics =
        r#"{"topics":[{"topic":"doors","resource":null},{"topic":"a","resource":"my phone"}]}"#;
    for (words, answer, stdout, want) in [
        (
            &["topic", "add", "sam/my phone", "a/b"][..],
            json(200, "{}"),
            "topic a/b added\n",
            "PUT /api/v1/users/sam/topics/a%2Fb?resource=my%20phone HTTP/1.1",
        ),
        (
            &["topic", "del", "sam", "doors"],
            json(200, "{}"),
            "topic doors removed\n",
            "DELETE /api/v1/users/sam/topics/doors HTTP/1.1",
        ),
        (
            &["topic", "list", "sam"],
            json(200, topics),
            "doors\na (only my phone)\n",
            "GET /api/v1/users/sam/topics HTTP/1.1",
        ),
        (
            &["withdraw", "00ff"],
            json(200, r#"{"spared":1,"told":2}"#),
            "withdrawn: 1 device will not get it, 2 told\n",
            "DELETE /api/v1/notifications/00ff HTTP/1.1",
        ),
        (
            &["token", "del", "00ff00ff"],
            json(200, "{}"),
            "token 00ff00ff removed\n",
            "DELETE /api/v1/tokens/00ff00ff HTTP/1.1",
        ),
        (
            &["token", "list"],
            json(200, r#"{"tokens":[]}"#),
            "no tokens\n",
            "GET /api/v1/tokens HTTP/1.1",
        ),
        (
            &["token", "list"],
            json(200, TOKENS),
            "ID       USES EXPIRES (UTC)       NOTE\n\
             00ff00ff    2 1970-01-02 00:00:00 the office\n\
             01ff00ff    1 never               \\u{1b}[2J\n\
             02ff00ff   20 expired\n",
            "GET /api/v1/tokens HTTP/1.1",
        ),
        (
            &["token", "add", "--uses=20", "--days", "3", "--note=a b"],
            json(201, NEW_TOKEN),
            "5ec4e7\nxmpp:gw?register;preauth=5ec4e7\n\
             token 00ff00ff: good for 20 accounts, until 1970-01-02 00:00:00 (UTC); it is not shown again\n",
            "POST /api/v1/tokens HTTP/1.1",
        ),
    ] {
        let directory = Directory::new();
        let server = server(&directory.0, vec![answer]);
        let ended = run(lanpush(&["--data", directory.path()]).args(words));
        assert_eq!(ended, (0, stdout.to_owned(), String::new()), "{words:?}");
        let request = server.join().unwrap().remove(0);
        assert_eq!(request.lines().next(), Some(want), "{words:?}");
        if want.starts_with("POST") {
            let body = r#"{"uses":20,"days":3,"note":"a b"}"#;
            assert!(request.ends_with(body), "{request}");
        }
    }
}

#[test]
fn a_message_that_cannot_be_sent() {
    let directory = Directory::new();
    for (stdin, want) in [
        (
            vec![b'a'; 16 * 1024 + 1],
            "message is longer than 16384 bytes",
        ),
        (
            vec![b'a', 0xff],
            "the message on standard input is not UTF-8",
        ),
    ] {
        let input = directory.file("stdin", stdin);
        let mut command = lanpush(&["--data", directory.path(), "send", "sam", "-"]);
        let (code, _, stderr) = run(command.stdin(File::open(input).unwrap()));
        assert_eq!((code, stderr), (1, format!("lanpush: {want}\n")));
    }
}

#[test]
fn what_the_server_refuses() {
    for (answer, want) in [
        (
            json(
                404,
                r#"{"error":"unknown","message":"there is no user \"sam\""}"#,
            ),
            "there is no user \"sam\"",
        ),
        (
            json(507, r#"{"error":"full","message":"a\u001b[2J\nb"}"#),
            r"a\u{1b}[2J\nb",
        ),
        (json(500, "<html>"), "the server answered 500"),
        (
            json(202, "{}"),
            "the server's answer makes no sense: missing field `id` at line 1 column 2",
        ),
        (
            "HTTP/1.1 202 X\r\nContent-Length: 9\r\n\r\n{".into(),
            "the server broke off: its answer is not complete",
        ),
        (
            String::new(),
            "the server broke off: its answer is not complete",
        ),
        (
            "SSH-2.0\r\n".into(),
            "the server broke off: its answer is not HTTP",
        ),
        (
            json(200, &"x".repeat(1024 * 1024)),
            "the server broke off: its answer is too long",
        ),
    ] {
        let directory = Directory::new();
        let listener = UnixListener::bind(directory.0.join("admin.sock")).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            request(&stream);
            // It may hang up before it has everything.
            let _ = stream.write_all(answer.as_bytes());
        });
        let ended = run(&mut lanpush(&[
            "send",
            "sam",
            "hi",
            "--data",
            directory.path(),
        ]));
        assert_eq!(ended, (1, String::new(), format!("lanpush: {want}\n")));
        server.join().unwrap();
    }
}

#[test]
fn users_are_changed() {
    let created = || json(201, r#"{"name":"sam"}"#);
    for (words, stdin, answer, stdout, want, body) in [
        (
            &["add", "sam", "pw"][..],
            "",
            created(),
            "user sam added\n",
            "POST /api/v1/users HTTP/1.1",
            r#"{"name":"sam","password":"pw"}"#,
        ),
        (
            &["add", "sam"],
            "p w\nnot this\n",
            created(),
            "user sam added\n",
            "POST /api/v1/users HTTP/1.1",
            r#"{"name":"sam","password":"p w"}"#,
        ),
        (
            &["passwd", "a/ü?"],
            "secret\r\n",
            json(200, "{}"),
            "password of a/ü? changed\n",
            "PUT /api/v1/users/a%2F%C3%BC%3F HTTP/1.1",
            r#"{"password":"secret"}"#,
        ),
        (
            &["tag", "sam", "office", "R&D"],
            "",
            json(200, "{}"),
            "tags of sam changed\n",
            "PUT /api/v1/users/sam/tags HTTP/1.1",
            r#"["office","R&D"]"#,
        ),
        (
            &["tag", "a/ü?"],
            "",
            json(200, "{}"),
            "tags of a/ü? changed\n",
            "PUT /api/v1/users/a%2F%C3%BC%3F/tags HTTP/1.1",
            "[]",
        ),
        (
            &["del", "sam"],
            "",
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
            "user sam removed\n",
            "DELETE /api/v1/users/sam HTTP/1.1",
            "",
        ),
    ] {
        let directory = Directory::new();
        let server = server(&directory.0, vec![answer]);
        let input = directory.file("stdin", stdin);
        let mut command = lanpush(&["user", "--data", directory.path()]);
        command.args(words).stdin(File::open(input).unwrap());
        let ended = run(&mut command);
        assert_eq!(ended, (0, stdout.to_owned(), String::new()), "{words:?}");
        let request = server.join().unwrap().remove(0);
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(head.lines().next(), Some(want), "{words:?}");
        assert_eq!(sent, body, "{words:?}");
    }
}

#[test]
fn users_are_listed_page_by_page() {
    let user = |number: usize| {
        format!(
            r#"{{"name":"u{number}","online":{},"full_name":"","email":"","alias":"","tags":["t"],"created":86400,"waiting":{number}}}"#,
            number == 0
        )
    };
    let page = |numbers: std::ops::Range<usize>| {
        let users: Vec<_> = numbers.map(user).collect();
        json(200, &format!(r#"{{"users":[{}]}}"#, users.join(",")))
    };
    let directory = Directory::new();
    let asked = server(&directory.0, vec![page(0..50), page(50..60), page(60..60)]);
    let (code, stdout, stderr) = run(&mut lanpush(&["user", "list", "--data", directory.path()]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines.len(), 61);
    assert!(lines[0].starts_with("NAME "), "{}", lines[0]);
    let words: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(words, ["u0", "online", "0", "1970-01-02", "tag:t"]);
    let words: Vec<_> = lines[60].split_whitespace().collect();
    assert_eq!(words, ["u59", "away", "59", "1970-01-02", "tag:t"]);
    let first_lines: Vec<_> = asked.join().unwrap();
    assert!(first_lines[0].starts_with("GET /api/v1/users?limit=50&offset=0 HTTP/1.1\r\n"));
    assert!(first_lines[1].starts_with("GET /api/v1/users?limit=50&offset=50 HTTP/1.1\r\n"));
    assert!(first_lines[2].starts_with("GET /api/v1/users?limit=50&offset=60 HTTP/1.1\r\n"));

    let directory = Directory::new();
    let asked = server(&directory.0, vec![json(200, r#"{"users":[]}"#)]);
    let (code, stdout, _) = run(&mut lanpush(&["user", "list", "--data", directory.path()]));
    assert_eq!((code, stdout.as_str()), (0, "no users\n"));
    asked.join().unwrap();
}

#[test]
fn a_password_that_is_missing() {
    let directory = Directory::new();
    for (stdin, want) in [
        ("", "no password on standard input"),
        ("\n", "no password on standard input"),
        (&"x".repeat(256), "password is longer than 255 bytes"),
    ] {
        let input = directory.file("stdin", stdin);
        let mut command = lanpush(&["--data", directory.path(), "user", "add", "sam"]);
        let (code, _, stderr) = run(command.stdin(File::open(input).unwrap()));
        assert_eq!((code, stderr), (1, format!("lanpush: {want}\n")));
    }
}

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let name = ptsname(&near, Vec::new()).unwrap();
    let far = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (near.into(), far)
}

#[test]
fn a_password_typed_at_a_terminal_is_not_shown() {
    for (typed, code, told) in [
        ("secret\n", 0, "\n"),
        ("secr\u{3}", 1, "\nlanpush: cancelled\n"),
    ] {
        let directory = Directory::new();
        let server = (code == 0).then(|| server(&directory.0, vec![json(201, "{}")]));
        let (mut near, far) = terminal();
        let mut child = lanpush(&["user", "add", "sam", "--data", directory.path()])
            .stdin(far.try_clone().unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let mut prompt = [0; "Password for sam: ".len()];
        stderr.read_exact(&mut prompt).unwrap();
        assert_eq!(&prompt, b"Password for sam: ");
        near.write_all(typed.as_bytes()).unwrap();
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, told);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        if let Some(server) = server {
            assert!(server.join().unwrap()[0].ends_with(r#""password":"secret"}"#));
        }
        assert!(
            tcgetattr(&far)
                .unwrap()
                .local_modes
                .contains(LocalModes::ECHO | LocalModes::ISIG)
        );
        // What follows is shown again, and nothing was before it.
        (&far).write_all(b"END").unwrap();
        let mut shown = [0; 3];
        near.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"END");
    }
}
