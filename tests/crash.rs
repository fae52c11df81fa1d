//! The real server is killed a hundred times and loses its power, under load, on real sockets.
//!
//! What may come again: a push whose acknowledgement was not on the disk yet, which takes it at most
//! `RECEIPT_DELAY`; it comes with the id it had. The crash stage runs this.

#[cfg(test)]
mod harness;
#[cfg(test)]
#[path = "scratch/mount.rs"]
mod mount;
#[cfg(test)]
#[path = "scratch/power.rs"]
mod power;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs::{self, File};
    use std::io::Write;
    use std::net::SocketAddr;
    use std::path::Path;
    use std::process::Command;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::{self, JoinHandle};
    use std::time::{Duration, Instant};

    use lanpush::limits::RECEIPT_DELAY;
    use rustix::process::Signal;
    use serde_json::{Value, json};

    use crate::harness::DEADLINE;
    use crate::harness::http;
    use crate::harness::phone::{Phone, RESOURCE, attribute, text};
    use crate::harness::scratch::Scratch;
    use crate::harness::server::Setup;
    use crate::mount::{Mount, succeeds};
    use crate::power::copy_at_once;

    const CYCLES: usize = 100;
    const SENDERS: usize = 3;
    /// Nothing is dropped for want of room.
    const CONFIG: &str = "[push]\nqueue = 100000\nhistory = 100000\n";

    /// What a phone does about a push.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Kind {
        /// Answers pings, as the stock client does.
        Stock,
        /// Answers the push itself.
        Confirming,
        /// Answers nothing at all.
        Silent,
    }

    const PHONES: [(&str, Kind); 3] = [
        ("stock", Kind::Stock),
        ("confirming", Kind::Confirming),
        ("silent", Kind::Silent),
    ];

    /// What the phone of one user knows.
    #[derive(Default)]
    struct Seen {
        /// Message to id.
        pushes: BTreeMap<String, String>,
        newest: String,
        /// When an acknowledgement was sent, by id.
        acknowledged: BTreeMap<String, Instant>,
    }

    impl Seen {
        /// A push has come, on a connection to a server whose forerunner died at `death`.
        fn take(&mut self, user: &str, id: &str, message: &str, death: Option<Instant>) {
            let known = self.pushes.insert(message.to_owned(), id.to_owned());
            match known {
                Some(known) => assert_eq!(known, id, "{user}: {message:?} has a new id"),
                None => {
                    assert!(
                        self.newest.as_str() < id,
                        "{user}: {id} comes behind {}",
                        self.newest
                    );
                    id.clone_into(&mut self.newest);
                }
            }
            if let Some(at) = self.acknowledged.get(id) {
                let death =
                    death.unwrap_or_else(|| panic!("{user}: {id} comes again for no reason"));
                let age = death.saturating_duration_since(*at);
                let allowed = RECEIPT_DELAY + Duration::from_secs(2);
                assert!(
                    age < allowed,
                    "{user}: {id} comes again, acknowledged for {age:?}"
                );
            }
        }
    }

    /// Reads what comes and answers in the manner of its kind, until the connection ends or nothing is missing.
    fn listen(
        mut phone: Phone,
        (user, kind): (&str, Kind),
        seen: &mut Seen,
        death: Option<Instant>,
        missing: &dyn Fn(&Seen) -> bool,
    ) {
        let mut here = BTreeSet::new();
        let mut unanswered = Vec::new();
        while missing(seen) {
            let Ok(stanza) = phone.stanza() else {
                return;
            };
            let id = attribute(&stanza, "id").to_owned();
            let answer = if stanza.contains("androidpn:iq:notification") {
                assert!(
                    here.insert(id.clone()),
                    "{user} gets {id} twice on one connection"
                );
                seen.take(user, &id, &text(&stanza, "message"), death);
                unanswered.push(id.clone());
                (kind == Kind::Confirming).then(|| format!("<iq type='result' id='{id}'/>"))
            } else if stanza.contains("urn:xmpp:ping") && kind != Kind::Silent {
                Some(format!("<iq type='error' id='{id}'/>"))
            } else {
                None
            };
            let Some(answer) = answer else {
                continue;
            };
            if phone.stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
            let now = Instant::now();
            seen.acknowledged
                .extend(unanswered.drain(..).map(|id| (id, now)));
        }
    }

    fn log_in(address: SocketAddr, user: &str) -> Phone {
        let mut phone = Phone::open(address);
        phone.register(user);
        phone.login(user, RESOURCE);
        phone.send("<presence/>");
        phone
    }

    /// Pushes to everyone until the server is gone, and tells what was accepted.
    fn send(
        address: SocketAddr,
        name: String,
        accepted: Sender<(String, String)>,
    ) -> JoinHandle<()> {
        thread::spawn(move || {
            for number in 0.. {
                let message = format!("{name}, {number}");
                let Ok(reply) = http::notify(address, &json!({ "to": "*", "message": message }))
                else {
                    return;
                };
                assert_eq!(reply.status, 202, "{reply:?}");
                let body: Value = serde_json::from_str(&reply.body).unwrap();
                let id = body["id"].as_str().unwrap().to_owned();
                if accepted.send((message, id)).is_err() {
                    return;
                }
            }
        })
    }

    fn senders(
        address: SocketAddr,
        cycle: usize,
    ) -> (Vec<JoinHandle<()>>, Receiver<(String, String)>) {
        let (accepted, results) = channel();
        let names = (0..SENDERS).map(|sender| format!("cycle {cycle}, sender {sender}"));
        let threads = names
            .map(|name| send(address, name, accepted.clone()))
            .collect();
        (threads, results)
    }

    #[test]
    #[ignore = "long: tests/run crash"]
    fn a_hundred_kills_lose_nothing() {
        let mut setup = Setup::new().config(CONFIG);
        let mut accepted = BTreeMap::new();
        let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
        let mut death = None;
        for cycle in 0..CYCLES {
            let server = setup.start();
            let address = server.xmpp;
            let phones: Vec<_> = PHONES
                .iter()
                .map(|(user, kind)| {
                    let mut seen = seen.remove(user).unwrap_or_default();
                    let phone = log_in(address, user);
                    thread::spawn(move || {
                        listen(phone, (user, *kind), &mut seen, death, &|_| true);
                        (*user, seen)
                    })
                })
                .collect();
            let (threads, results) = senders(server.http, cycle);
            // Somewhere: in the middle of an answer, of a commit, of a push.
            accepted.extend(results.iter().take(3 + cycle * 7 % 31));
            setup = server.kill();
            death = Some(Instant::now());
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            accepted.extend(results);
            seen.extend(phones.into_iter().map(|phone| phone.join().unwrap()));
        }
        let server = setup.start();
        let gets_the_rest = |user: &'static str, kind, mut seen: Seen| {
            let all = |seen: &Seen| {
                accepted
                    .keys()
                    .any(|message| !seen.pushes.contains_key(message))
            };
            listen(
                log_in(server.xmpp, user),
                (user, kind),
                &mut seen,
                death,
                &all,
            );
            for (message, id) in &accepted {
                assert_eq!(seen.pushes.get(message), Some(id), "{user}: {message:?}");
            }
        };
        for (user, _) in PHONES {
            gets_the_rest(user, Kind::Confirming, seen.remove(user).unwrap());
        }
        println!("{} pushes were accepted", accepted.len());
    }

    /// An ext4 file system of its own, whose disk can be copied as it is at one moment: what the file system
    /// has not given to the disk by then is not in the copy.
    struct Disk {
        mount: Mount,
        root: Scratch,
    }

    impl Disk {
        fn new() -> Option<Self> {
            let root = Scratch::new();
            let disk = root.path().join("disk");
            let size = 128 * 1024 * 1024;
            File::create(&disk).unwrap().set_len(size).unwrap();
            assert!(succeeds(Command::new("mkfs.ext4").arg("-q").arg(&disk)));
            fs::create_dir(root.path().join("mount")).unwrap();
            fs::create_dir(root.path().join("after")).unwrap();
            // What nobody syncs stays in memory.
            let options = ["-o", "loop,commit=300", disk.to_str().unwrap()];
            let mount = Mount::new(&options, &root.path().join("mount"))?;
            Some(Self { mount, root })
        }

        fn path(&self) -> &Path {
            self.mount.path()
        }

        /// The disk as it is after a power cut at this moment.
        fn cut(&self) -> Mount {
            let copy = self.root.path().join("copy");
            copy_at_once(&self.root.path().join("disk"), &copy);
            let options = ["-o", "loop", copy.to_str().unwrap()];
            Mount::new(&options, &self.root.path().join("after")).unwrap()
        }
    }

    #[test]
    #[ignore = "long: tests/run crash"]
    fn a_power_cut_loses_nothing_accepted() {
        let Some(disk) = Disk::new() else {
            return;
        };
        let server = Setup::new()
            .config(CONFIG)
            .at(disk.path().join("data"))
            .start();
        drop(log_in(server.xmpp, "sam"));
        let (threads, results) = senders(server.http, 0);
        let mut accepted = BTreeMap::new();
        for round in 0..6 {
            accepted.extend(results.iter().take(30 + 11 * round));
            server.signal(Signal::STOP);
            accepted.extend(results.try_iter());
            let after = disk.cut();
            server.signal(Signal::CONT);
            let second = Setup::new()
                .config(CONFIG)
                .at(after.path().join("data"))
                .start();
            let mut seen = Seen::default();
            let missing = |seen: &Seen| {
                accepted
                    .keys()
                    .any(|message| !seen.pushes.contains_key(message))
            };
            let begin = Instant::now();
            let phone = log_in(second.xmpp, "sam");
            listen(phone, ("sam", Kind::Stock), &mut seen, None, &missing);
            assert!(begin.elapsed() < DEADLINE);
            for (message, id) in &accepted {
                assert_eq!(
                    seen.pushes.get(message),
                    Some(id),
                    "{message:?} after cut {round}"
                );
            }
            drop(second.kill());
        }
        println!("{} pushes were accepted", accepted.len());
        drop(server.kill());
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }

    /// The test above can fail: a database that is only flushed, as sled means it, loses what it has
    /// confirmed.
    #[test]
    #[ignore = "long: tests/run crash"]
    fn a_power_cut_takes_what_is_only_flushed() {
        let Some(disk) = Disk::new() else {
            return;
        };
        let open = |path: &Path| {
            sled::Config::new()
                .path(path)
                .segment_size(64 * 1024)
                .open()
                .unwrap()
        };
        let database = open(&disk.path().join("db"));
        // The files themselves are there.
        assert!(succeeds(Command::new("sync").arg("-f").arg(disk.path())));
        // The kernel may write by itself, and somebody else may sync the whole machine: not every time.
        for confirmed in (100_u32..4000).step_by(100) {
            for number in confirmed - 100..confirmed {
                database.insert(number.to_be_bytes(), vec![7; 300]).unwrap();
                database.flush().unwrap();
            }
            let after = disk.cut();
            // Where sled even panics, nothing is left.
            let damaged = after.path().join("db");
            let left = thread::spawn(move || open(&damaged).len())
                .join()
                .unwrap_or(0);
            println!("{left} of {confirmed} are left");
            if left < confirmed as usize {
                return;
            }
        }
        panic!("a power cut takes nothing: this disk proves nothing");
    }
}
