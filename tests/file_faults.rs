//! Every call site that changes a file of the data directory fails: with no room, with an I/O error, with a short
//! write; once, and from that call on for good. The server starts or says why not, answers honestly, stops,
//! and has all it promised when it starts again on a disk that works.
//!
//! `tests/faults/shim.c` does it, between the server and the C library. The crash stage runs this.
//!
//! Which sites there are is learned from a start on an empty directory, and from one on a directory with data, in
//! neither of which anything fails. Complete is this as far as the load below goes: of each site that any process
//! of such a run passes through, the trial's too, the first call fails, and the last, which is that of a server
//! under way where the first belongs to its start. Calls in between come from the same code in the same order of
//! calls. Sites that only a failure leads to fail in the runs in which the disk stays broken.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
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
        let (setup, new) = shim.run(setup, "none", Fault::default(), &mut told);
        assert_eq!(told.accepted.len(), PUSHES);
        let (setup, old) = shim.run(setup, "none", Fault::default(), &mut told);
        // The runs to come find a directory with data; what only an empty one leads to needs an empty one.
        let at_first = new.iter().filter(|(site, _)| !old.contains_key(site));
        let at_first = at_first.map(|(site, count)| (true, *site, *count));
        let always = old.iter().map(|(site, count)| (false, *site, *count));
        let sites: Vec<_> = at_first.chain(always).collect();
        assert!(
            sites.len() > 20,
            "{} sites are too few to be true",
            sites.len()
        );
        println!(
            "{} sites, {} of them at first",
            sites.len(),
            sites.iter().filter(|site| site.0).count()
        );
        let mut setup = Some(setup);
        let mut cases = 0;
        for kind in KINDS {
            for (is_first, site, count) in &sites {
                let calls = BTreeSet::from([(1, false), (1, true), (*count, false)]);
                for (nth, forever) in calls {
                    let fault = Fault {
                        site: *site,
                        nth,
                        forever,
                    };
                    println!("{kind}, {fault:x?} of {count}, at first: {is_first}");
                    if *is_first {
                        shim.run(Setup::new(), kind, fault, &mut Told::default());
                    } else {
                        let own = setup.take().unwrap();
                        setup = Some(shim.run(own, kind, fault, &mut told).0);
                    }
                    cases += 1;
                }
            }
        }
        println!("{cases} cases");
    }

    /// Which call fails.
    #[derive(Clone, Copy, Debug, Default)]
    struct Fault {
        site: u64,
        nth: u32,
        forever: bool,
    }

    /// How often each site was passed.
    type Sites = BTreeMap<u64, u32>;

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

        /// One life of a server with this fault, and one without failures that has to show all that was ever
        /// promised. Gives the sites of the first.
        fn run(&self, setup: Setup, kind: &str, fault: Fault, told: &mut Told) -> (Setup, Sites) {
            let record = setup.data().with_file_name("record");
            drop(fs::remove_file(&record));
            let variables = [
                ("LD_PRELOAD", self.0.to_str().unwrap().to_owned()),
                ("FAULT_DIRECTORY", setup.data().to_str().unwrap().to_owned()),
                ("FAULT_RECORD", record.to_str().unwrap().to_owned()),
                ("FAULT_SITE", format!("{:x}", fault.site)),
                ("FAULT_NTH", fault.nth.to_string()),
                ("FAULT_FOREVER", u8::from(fault.forever).to_string()),
                ("FAULT_KIND", kind.to_owned()),
            ];
            let setup = match setup.environment(variables).try_start() {
                Ok(server) => {
                    load(
                        &server,
                        told,
                        &format!("{kind} {fault:x?}"),
                        matches!(kind, "short" | "none"),
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
                    // A disk that fails after the trial has passed may make sled panic as it opens: that
                    // ends like any other failure, and nothing may be missing at the next start.
                    assert_eq!(status.code(), Some(1), "{status}:\n{log}");
                    assert!(log.contains("lanpush: "), "{log}");
                    assert!(!log.contains("panicked at"), "{log}");
                    assert!(kind != "short", "short writes are no failure:\n{log}");
                    setup
                }
            };
            let sites = sites(&fs::read(record).unwrap());
            let server = setup.environment::<String>([]).start();
            check(&server, told);
            (server.stop(), sites)
        }
    }

    impl Drop for Shim {
        fn drop(&mut self) {
            drop(fs::remove_file(&self.0));
        }
    }

    /// The sites in the record that the shim leaves.
    fn sites(record: &[u8]) -> Sites {
        let number = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
        let calls = usize::try_from(number(0)).unwrap();
        let (places, _) = record[16..].as_chunks::<8>();
        assert!(
            calls <= places.len(),
            "{calls} calls are more than the record takes"
        );
        let mut sites = Sites::new();
        for place in &places[..calls] {
            *sites.entry(u64::from_ne_bytes(*place)).or_default() += 1;
        }
        sites
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
