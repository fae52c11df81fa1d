//! A lanpush process of a test's own, with its own data directory.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use lanpush::edge::HAS_TLS;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::DEADLINE;
use super::scratch::Scratch;

/// What to run and where.
pub(crate) struct Setup {
    root: Scratch,
    program: PathBuf,
    args: Vec<OsString>,
    open_files: Option<u64>,
    environment: Vec<(OsString, OsString)>,
    elsewhere: Option<PathBuf>,
}

impl Setup {
    /// The binary under test (`LANPUSH_BIN`, or the one cargo has built) over an empty directory.
    pub(crate) fn new() -> Self {
        let built = env!("CARGO_BIN_EXE_lanpush");
        Self::of(std::env::var_os("LANPUSH_BIN").unwrap_or_else(|| built.into()))
    }

    /// A binary over an empty directory.
    pub(crate) fn of(program: impl Into<PathBuf>) -> Self {
        Self {
            root: Scratch::new(),
            // It runs in a directory of its own.
            program: fs::canonicalize(program.into()).unwrap(),
            args: Vec::new(),
            open_files: None,
            environment: Vec::new(),
            elsewhere: None,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        let own = || self.root.path().join("data");
        self.elsewhere.clone().unwrap_or_else(own)
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Runs with this configuration file.
    pub(crate) fn config(self, text: &str) -> Self {
        self.write_config(text);
        self
    }

    /// Our phones listen before they log in: unless the text has its own `[xmpp]`, they get no time to
    /// settle.
    pub(crate) fn write_config(&self, text: &str) -> PathBuf {
        let file = self.config_file();
        let settle = match text.contains("[xmpp]") {
            true => "",
            false => "\n[xmpp]\nsettle = 0\n",
        };
        fs::write(&file, format!("{text}{settle}")).unwrap();
        file
    }

    /// Keeps its data here instead of below `root`.
    pub(crate) fn at(mut self, data: PathBuf) -> Self {
        self.elsewhere = Some(data);
        self
    }

    /// Runs with this environment besides the test's own.
    pub(crate) fn environment<V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Self {
        let own = |(name, value): (&str, V)| (name.into(), value.into());
        self.environment = variables.into_iter().map(own).collect();
        self
    }

    fn config_file(&self) -> PathBuf {
        self.root.path().join("lanpush.toml")
    }

    /// Runs with this limit of open files.
    pub(crate) fn open_files(mut self, limit: u64) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// The binary without arguments.
    pub(crate) fn program(&self) -> Command {
        Command::new(&self.program)
    }

    /// The command, with everything but `user`'s own arguments chosen so that tests do not collide.
    pub(crate) fn command(&self) -> Command {
        if !self.config_file().exists() {
            self.write_config("");
        }
        let mut command = match self.open_files {
            None => Command::new(&self.program),
            Some(limit) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
                shell.arg("-c").arg(script).arg(&self.program);
                shell
            }
        };
        command
            .args(["--xmpp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--xmpps", "127.0.0.1:0"])
            .args(["--domain", "push.lan", "--data"])
            .arg(self.data())
            .arg("--config")
            .arg(self.config_file())
            .args(&self.args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn start(self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(end) => panic!("ended before it was ready, {}:\n{}", end.0, end.1),
        }
    }

    /// Starts the server and waits until it is ready, or has ended: its status, its log and the setup.
    pub(crate) fn try_start(self) -> Result<Server, Box<(ExitStatus, String, Self)>> {
        let mut child = self.command().spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let log = collect(child.stderr.take().unwrap());
        let mut server = Server {
            setup: Some(self),
            child,
            lines,
            log,
            xmpp: ([0, 0, 0, 0], 0).into(),
            xmpps: ([0, 0, 0, 0], 0).into(),
            http: ([0, 0, 0, 0], 0).into(),
        };
        let listeners = match HAS_TLS {
            true => &["ready xmpp ", "ready http ", "ready xmpps "][..],
            false => &["ready xmpp ", "ready http "],
        };
        for prefix in listeners.iter().copied() {
            let Some(address) = server.ready(prefix) else {
                let status = server.wait();
                let log = server.log.whole();
                return Err(Box::new((status, log, server.setup.take().unwrap())));
            };
            match prefix {
                "ready xmpp " => server.xmpp = address,
                "ready xmpps " => server.xmpps = address,
                _ => server.http = address,
            }
        }
        Ok(server)
    }

    /// Runs a command that is expected to end by itself: its exit code and what it wrote to stderr.
    pub(crate) fn fail(&self) -> (Option<i32>, String) {
        let mut child = self.command().spawn().unwrap();
        let log = collect(child.stderr.take().unwrap());
        let status = wait(&mut child);
        (status.code(), log.whole())
    }
}

/// A running server; dropping it kills it.
pub(crate) struct Server {
    setup: Option<Setup>,
    child: Child,
    lines: Receiver<String>,
    log: Log,
    pub(crate) xmpp: SocketAddr,
    pub(crate) xmpps: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Self {
        Setup::new().start()
    }

    /// The address of a listener; `None` if the server ends before it has one.
    fn ready(&mut self, prefix: &str) -> Option<SocketAddr> {
        let line = match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("not ready in time:\n{}", self.log.text()),
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        let address = line
            .strip_prefix(prefix)
            .unwrap_or_else(|| panic!("want {prefix:?}, got {line:?}"));
        Some(address.parse().unwrap())
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.setup().data()
    }

    pub(crate) fn setup(&self) -> &Setup {
        self.setup.as_ref().unwrap()
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until it has written `text` to stderr.
    pub(crate) fn wait_for_log(&self, text: &str) {
        self.log.wait_for(text);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Stops it gracefully; its setup can start again.
    pub(crate) fn stop(mut self) -> Setup {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.log.text());
        self.setup.take().unwrap()
    }

    /// Waits for its end; its setup can start again.
    pub(crate) fn end(mut self) -> (ExitStatus, Setup) {
        let status = self.wait();
        (status, self.setup.take().unwrap())
    }

    /// Kills it with SIGKILL; its setup can start again.
    pub(crate) fn kill(mut self) -> Setup {
        self.signal(Signal::KILL);
        self.wait();
        self.setup.take().unwrap()
    }

    /// A figure of `/proc/PID/status` in kB, such as `VmRSS`.
    pub(crate) fn status(&self, key: &str) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        let figure = line.split_whitespace().nth(1).unwrap();
        figure.parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- log of the server:\n{}", self.log.text());
        }
    }
}

/// Waits for the end of a process.
fn wait(child: &mut Child) -> ExitStatus {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    let mut polled = [PollFd::new(&end, PollFlags::IN)];
    let limit = Timespec::try_from(DEADLINE).unwrap();
    if poll(&mut polled, Some(&limit)).unwrap() == 0 {
        let _ = child.kill();
        panic!("the server did not end");
    }
    child.wait().unwrap()
}

fn lines_of(out: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            if line.is_ok_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    receiver
}

/// What a process writes to stderr.
struct Log {
    text: Arc<Mutex<String>>,
    lines: Receiver<String>,
}

fn collect(err: impl Read + Send + 'static) -> Log {
    let text = Arc::new(Mutex::new(String::new()));
    let (sender, lines) = channel();
    let copy = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(err).lines().map_while(Result::ok) {
            let mut text = copy.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
            let _ = sender.send(line);
        }
    });
    Log { text, lines }
}

impl Log {
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Everything, once the process has closed it.
    fn whole(&self) -> String {
        while self.lines.recv_timeout(DEADLINE).is_ok() {}
        self.text()
    }

    fn wait_for(&self, text: &str) {
        while !self.text().contains(text) {
            if self.lines.recv_timeout(DEADLINE).is_err() {
                panic!("the log does not say {text:?}:\n{}", self.text());
            }
        }
    }
}

/// Whether a path exists with exactly these permission bits.
pub(crate) fn has_mode(path: &Path, mode: u32) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o777 == mode)
}
