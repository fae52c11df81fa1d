//! Ten minutes in which nobody wants anything: the release build writes not one byte to the data directory, in
//! either mode of durability, with phones connected that keep their connections alive as androidpn's client does.
//!
//! Real minutes, for there is no clock between the program and the kernel that a test could turn faster: timers
//! and waits are system calls made without the C library. The crash stage runs this beside its other tests.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};
    use std::thread;
    use std::time::{Duration, Instant};

    use lanpush::limits::{RECEIPT_DELAY, STORE_DELAY};
    use serde_json::{Value, json};

    use crate::harness::http;
    use crate::harness::phone::Phone;
    use crate::harness::server::{Server, Setup};

    const IDLE: Duration = Duration::from_secs(600);
    /// How often a phone sends its space.
    const HEARTBEAT: Duration = Duration::from_secs(30);
    const PHONES: usize = 3;

    /// Seconds and nanoseconds at which each file was last changed, with its length.
    type Files = BTreeMap<PathBuf, (i64, i64, u64)>;

    fn files(directory: &Path, into: &mut Files) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let changed = (metadata.ctime(), metadata.ctime_nsec(), metadata.size());
            into.insert(entry.path(), changed);
            if metadata.is_dir() {
                files(&entry.path(), into);
            }
        }
    }

    fn written(server: &Server) -> u64 {
        let reply = http::get(server.http, "/api/v1/status");
        let status: Value = serde_json::from_str(&reply.body).unwrap();
        status["written"]["total"].as_u64().unwrap()
    }

    fn is_still(durability: &str) {
        let setup = Setup::new().config(&format!("[storage]\ndurability = \"{durability}\"\n"));
        let data = setup.data();
        let server = setup.start();
        let mut phones: Vec<Phone> = (0..PHONES)
            .map(|number| Phone::online(server.xmpp, &format!("user-{number}")))
            .collect();
        let reply = http::notify(
            server.http,
            &json!({ "to": "*", "message": "before the silence" }),
        );
        assert_eq!(reply.unwrap().status, 202);
        for phone in &mut phones {
            phone.push();
            phone.ping();
        }
        // What was wanted until now is on the disk, or will be within this time.
        thread::sleep(STORE_DELAY + 2 * RECEIPT_DELAY);
        let look = || {
            let mut found = Files::new();
            files(&data, &mut found);
            found
        };
        let (before, bytes) = (look(), written(&server));
        assert!(before.len() > 3 && bytes > 0, "{before:?}");
        let end = Instant::now() + IDLE;
        while Instant::now() < end {
            for phone in &mut phones {
                phone.send(" ");
            }
            thread::sleep(HEARTBEAT);
        }
        assert_eq!(look(), before, "{durability}");
        assert_eq!(written(&server), bytes, "{durability}");
        // They were there all the time, and the server can still write.
        let reply = http::notify(server.http, &json!({ "to": "*", "message": "after it" }));
        assert_eq!(reply.unwrap().status, 202);
        for phone in &mut phones {
            assert_eq!(phone.push().message, "after it");
        }
        drop(phones);
        let _setup = server.stop();
        assert_ne!(look(), before, "{durability}");
    }

    #[test]
    #[ignore = "long: tests/run crash"]
    fn ten_idle_minutes_write_nothing() {
        let relaxed = thread::spawn(|| is_still("relaxed"));
        is_still("strict");
        relaxed.join().unwrap();
    }
}
