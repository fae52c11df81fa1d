//! A board of QEMU: what it boots with, its console, and its plug.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::http;
use crate::harness::scratch::Scratch;

/// A boot takes 5 seconds, and longer on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(240);
/// Phones listen before they log in, so they get no time to settle, and nothing is dropped for want of room.
const CONFIG: &str = "[server]\ndomain = 'push.lan'\n[http]\ntrusted = ['10.0.2.0/24']\n\
                      [xmpp]\nsettle = 0\n[push]\nqueue = 100000\nhistory = 100000\n";

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("LANPUSH_BOARD_BIN")
        .expect("LANPUSH_BOARD_BIN names the binary of the board")
        .into()
}

/// Whether it was built with the feature of that name, by its own.
pub(crate) fn has_tls() -> bool {
    !binary().to_string_lossy().ends_with("without-tls")
}

/// A board without power, with its disk.
pub(crate) struct Board {
    root: Scratch,
    flags: Vec<OsString>,
    address: IpAddr,
}

impl Board {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        // An address of its own, so that boards do not fight for ports.
        let [_, _, middle, low] = std::process::id().to_be_bytes();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = Scratch::new();
        fs::write(root.path().join("lanpush.toml"), CONFIG).unwrap();
        Self {
            root,
            flags: Vec::new(),
            address: Ipv4Addr::new(127, 64 | (middle & 63), low, number).into(),
        }
    }

    /// Adds a flag of `run.sh`, until the next boot.
    pub(crate) fn with(mut self, flag: &str, value: impl Into<OsString>) -> Self {
        self.flags.extend([flag.into(), value.into()]);
        self
    }

    /// A directory whose content a new disk has.
    pub(crate) fn files(&self) -> PathBuf {
        let files = self.root.path().join("files");
        fs::create_dir_all(&files).unwrap();
        files
    }

    /// `run.sh` without the binary.
    pub(crate) fn command(&self) -> Command {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut command = Command::new(format!("{root}/board/qemu/run.sh"));
        command
            .arg("--address")
            .arg(self.address.to_string())
            .arg("--disk")
            .arg(self.root.path().join("disk"))
            .arg("--config")
            .arg(self.root.path().join("lanpush.toml"))
            .args(&self.flags);
        command
    }

    /// Gives it power and waits until the server is ready.
    pub(crate) fn boot(self) -> Guest {
        let guest = self.power_on();
        guest.wait_for("ready http");
        // The host's half of a forwarded port is there long before the guest's.
        assert_eq!(http::get(guest.http, "/").status, 200);
        guest
    }

    /// Gives it power, no more.
    pub(crate) fn power_on(mut self) -> Guest {
        let mut qemu = self
            .command()
            .arg(binary())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        self.flags.clear();
        let text = Arc::default();
        let (sender, news) = channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(qemu.stdout.take().unwrap()),
            Box::new(qemu.stderr.take().unwrap()),
        ];
        for output in outputs {
            let (text, sender) = (Arc::clone(&text), sender.clone());
            thread::spawn(move || copy(output, &text, || sender.send(()).is_ok()));
        }
        Guest {
            keyboard: qemu.stdin.take().unwrap(),
            qemu,
            text,
            news,
            asked: 0,
            xmpp: SocketAddr::new(self.address, 5222),
            http: SocketAddr::new(self.address, 7070),
            board: Some(self),
        }
    }
}

fn copy(mut from: impl Read, to: &Mutex<String>, tell: impl Fn() -> bool) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        to.lock()
            .unwrap()
            .push_str(&String::from_utf8_lossy(&bytes[..read]));
        if !tell() {
            return;
        }
    }
}

/// A board with power; it loses that with its owner.
pub(crate) struct Guest {
    board: Option<Board>,
    qemu: Child,
    keyboard: ChildStdin,
    text: Arc<Mutex<String>>,
    news: Receiver<()>,
    asked: u32,
    pub(crate) xmpp: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Guest {
    /// What the console has shown so far.
    pub(crate) fn console(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Waits until the console shows `text` and returns all that it has shown.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let console = self.console();
            if console.contains(text) {
                return console;
            }
            match self.news.recv_timeout(Duration::from_secs(1)) {
                Err(RecvTimeoutError::Disconnected) => panic!("the board ends before {text:?}"),
                _ => assert!(start.elapsed() < PATIENCE, "no {text:?} on the console"),
            }
        }
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.keyboard
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    /// Runs a command in the guest and returns what it prints.
    pub(crate) fn run(&mut self, command: &str) -> String {
        self.asked += 1;
        let number = self.asked;
        // The sums keep what is typed from looking like what is printed; one `echo` is not torn apart by
        // what the server prints.
        self.type_line(&format!(
            "answer=$({command}); echo \"begin-$((1000+{number})) $answer end-$((1000+{number}))\""
        ));
        let (begin, end) = (
            format!("begin-{}", 1000 + number),
            format!("end-{}", 1000 + number),
        );
        let console = self.wait_for(&end);
        let (_, rest) = console.split_once(&begin).unwrap();
        let (answer, _) = rest.split_once(&end).unwrap();
        answer.trim().replace('\r', "")
    }

    /// A figure of the server's `/proc/PID/status`, such as `VmRSS` in kB.
    pub(crate) fn status(&mut self, key: &str) -> usize {
        let line = self.run(&format!(
            "grep ^{key}: /proc/$(cat /run/lanpush.pid)/status"
        ));
        let figure = line.split_whitespace().nth(1);
        figure
            .unwrap_or_else(|| panic!("{line:?}"))
            .parse()
            .unwrap()
    }

    /// Stops the server and waits for its end.
    pub(crate) fn stop_server(&mut self) {
        self.run("kill $(cat /run/lanpush.pid); while [ -e /run/lanpush.pid ]; do sleep 0.1; done");
    }

    /// Starts the server again, after shell commands that set its limits.
    pub(crate) fn start_server(&mut self, before: &str, ready: &str) {
        let shown = self.console().len();
        self.type_line(&format!("({before} lanpush-start)"));
        let start = Instant::now();
        while !self.console()[shown..].contains(ready) {
            assert!(start.elapsed() < PATIENCE, "no {ready:?} on the console");
            let _ = self.news.recv_timeout(Duration::from_secs(1));
        }
    }

    /// Pulls the plug.
    pub(crate) fn cut(mut self) -> Board {
        self.qemu.kill().unwrap();
        self.qemu.wait().unwrap();
        self.board.take().unwrap()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        if thread::panicking() {
            eprintln!("---- console of the guest:\n{}", self.console());
        }
    }
}
