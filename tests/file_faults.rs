//! Every call that changes a file of the data directory fails once: with no room, with an I/O error, with a
//! short write; then from that call on for good. The server starts or says why not, answers honestly, stops,
//! and has all it promised when it starts again on a disk that works.
//!
//! `tests/faults/shim.c` does it, between the server and the C library. The crash stage runs this.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use rustix::process::Signal;
    use serde_json::{Value, json};

    use crate::harness::http;
    use crate::harness::phone::{Phone, attribute, password};
    use crate::harness::server::{Server, Setup};

    const KINDS: [&str; 3] = ["enospc", "eio", "short"];
    /// Pushes of one run.
    const PUSHES: usize = 8;
    /// Calls after which only every so many-th one fails, so that the test ends in a minute.
    const ALL_OF: u32 = 48;

    /// What the server has said.
    #[derive(Default)]
    struct Told {
        /// Message to id.
        accepted: BTreeMap<String, String>,
        registered: Vec<String>,
    }

    #[test]
    #[ignore = "long: tests/run crash"]
    fn every_call_fails_once_and_for_good() {
        let shim = Shim::build();
        let mut told = Told::default();
        let setup = Setup::new();
        let (setup, calls) = shim.run(setup, "none", (0, 0), &mut told);
        assert!(calls > 20, "{calls} calls are too few to be true");
        assert_eq!(told.accepted.len(), PUSHES);
        let mut setup = Some(setup);
        let mut cases = 0;
        for kind in KINDS {
            let mut call = 1;
            while call <= calls {
                for last in [call, u32::MAX] {
                    let faults = (call, last);
                    println!("{kind}, calls {call} to {last}");
                    setup = Some(shim.run(setup.take().unwrap(), kind, faults, &mut told).0);
                    cases += 1;
                }
                call += if call < ALL_OF { 1 } else { 5 };
            }
        }
        println!("{cases} cases");
    }

    struct Shim(PathBuf);

    impl Shim {
        fn build() -> Self {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
            let library = std::env::temp_dir().join(format!("shim-{}.so", std::process::id()));
            let mut compiler = Command::new("cc");
            compiler.args(["-O1", "-shared", "-fPIC", "-o"]);
            let built = compiler.arg(&library).arg(source).arg("-ldl").status();
            assert!(built.unwrap().success());
            Self(library)
        }

        /// One life of a server whose calls of these numbers fail, and one without failures that has to
        /// show all that was ever promised. The number is that of its calls.
        fn run(
            &self,
            setup: Setup,
            kind: &str,
            (first, last): (u32, u32),
            told: &mut Told,
        ) -> (Setup, u32) {
            let counter = setup.data().with_file_name("counter");
            drop(fs::remove_file(&counter));
            let variables = [
                ("LD_PRELOAD", self.0.to_str().unwrap().to_owned()),
                ("FAULT_DIRECTORY", setup.data().to_str().unwrap().to_owned()),
                ("FAULT_COUNTER", counter.to_str().unwrap().to_owned()),
                ("FAULT_FIRST", first.to_string()),
                ("FAULT_LAST", last.to_string()),
                ("FAULT_KIND", kind.to_owned()),
            ];
            let setup = match setup.environment(variables).try_start() {
                Ok(server) => {
                    load(
                        &server,
                        told,
                        &format!("{kind} {first} {last}"),
                        kind == "short",
                    );
                    server.signal(Signal::TERM);
                    let log = server.log();
                    let (status, setup) = server.end();
                    assert!(matches!(status.code(), Some(0 | 1)), "{status}:\n{log}");
                    // sled may in the trial process of a start, which is there for that.
                    assert!(!log.contains("panicked at"), "{log}");
                    setup
                }
                Err(end) => {
                    let (status, log, setup) = *end;
                    // A disk that fails after the trial has passed may make sled panic as it opens, which
                    // ends the process: its supervisor starts it again, and nothing may be missing then.
                    let aborted = log.contains("thread 'store-open'") && status.code().is_none();
                    assert!(aborted || status.code() == Some(1), "{status}:\n{log}");
                    let said = ["ERROR", "lanpush: ", "panicked at"];
                    assert!(said.iter().any(|word| log.contains(word)), "{log}");
                    assert!(kind != "short", "short writes are no failure:\n{log}");
                    setup
                }
            };
            let calls = fs::read(counter).unwrap();
            let calls = u32::from_ne_bytes(calls.try_into().unwrap());
            let server = setup.environment::<String>([]).start();
            check(&server, told);
            (server.stop(), calls)
        }
    }

    impl Drop for Shim {
        fn drop(&mut self) {
            drop(fs::remove_file(&self.0));
        }
    }

    /// A phone that acknowledges, one that registers, and a sender.
    fn load(server: &Server, told: &mut Told, name: &str, healthy: bool) {
        let mut phone = Phone::open(server.xmpp);
        let mut online = false;
        if register(&mut phone, "sam") {
            online = log_in(&mut phone, "sam");
        }
        for number in 0..PUSHES {
            let message = format!("{name}: {number} {}", "x".repeat(number * 400));
            let reply = http::notify(server.http, &json!({ "to": "*", "message": message }));
            let reply = reply.unwrap();
            match reply.status {
                202 => {
                    let body: Value = serde_json::from_str(&reply.body).unwrap();
                    let id = body["id"].as_str().unwrap().to_owned();
                    told.accepted.insert(message, id);
                }
                503 | 507 if !healthy => {}
                // Nobody could register: there is nobody to push to.
                404 if !healthy => {}
                _ => panic!("{reply:?}"),
            }
            if online {
                phone.ping();
            }
        }
        let user = format!("user-{}", told.registered.len());
        if register(&mut Phone::open(server.xmpp), &user) {
            told.registered.push(user);
        }
    }

    fn register(phone: &mut Phone, user: &str) -> bool {
        let secret = password(user);
        let payload = format!(
            "<query xmlns='jabber:iq:register'><username>{user}</username>\
             <password>{secret}</password></query>"
        );
        is_granted(&phone.ask("set", &payload))
    }

    fn log_in(phone: &mut Phone, user: &str) -> bool {
        let secret = password(user);
        let payload = format!(
            "<query xmlns='jabber:iq:auth'><username>{user}</username>\
             <password>{secret}</password><resource>r</resource></query>"
        );
        let granted = is_granted(&phone.ask("set", &payload));
        if granted {
            phone.available();
        }
        granted
    }

    /// A request may fail for the disk, never for its own sake.
    fn is_granted(reply: &str) -> bool {
        if attribute(reply, "type") == "result" {
            return true;
        }
        let excuse = ["internal-server-error", "resource-constraint"];
        assert!(
            excuse.iter().any(|condition| reply.contains(condition)),
            "{reply}"
        );
        false
    }

    /// All that was promised is there, under the id it was promised with.
    fn check(server: &Server, told: &Told) {
        let reply = http::get(server.http, "/api/v1/notifications?limit=100");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        let rows = body["notifications"].as_array().unwrap();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let found: BTreeMap<String, String> = rows
            .iter()
            .map(|row| (text(row, "id"), text(row, "message")))
            .collect();
        // The API gives the newest hundred.
        let oldest = found.keys().next().cloned().unwrap_or_default();
        for (message, id) in &told.accepted {
            if found.len() < 100 || *id >= oldest {
                let there = found.get(id);
                assert_eq!(there, Some(message), "{message:?} was accepted as {id}");
            }
        }
        for user in &told.registered {
            assert!(
                log_in(&mut Phone::open(server.xmpp), user),
                "{user} is gone"
            );
        }
    }
}
