//! Damaged data directories: each kind of damage × open ends with the data, with the last export and a
//! visible warning, or, where nothing is damaged, with a refusal in one sentence; always in bounded time.
//!
//! Where damage lies is drawn from fixed seeds, so a failing case fails again.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops at the first surprise, and says where it is"
)]

#[path = "scratch/mount.rs"]
mod mount;
mod scratch;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lanpush::config::Storage;
use lanpush::edge::data_dir::DataDir;
use lanpush::edge::repair::{self, Repairs, Step};
use lanpush::edge::storage::{Outcomes, SledStore};
use lanpush::edge::trial::Trial;
use lanpush::limits;
use lanpush::push::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use lanpush::push::store::{
    Account, Change, Delivery, Device, DeviceId, Row, Store, Ticket, Urgency,
};
use lanpush::push::views::Repaired;

use mount::{Mount, succeeds};
use scratch::Scratch;

const CACHE: u64 = 1_000_000;
const PROGRAM: &str = env!("CARGO_BIN_EXE_lanpush");
/// Longest a trial may take here; above [`limits::STORE_LOCK`].
const DEADLINE: Duration = Duration::from_secs(7);
/// Longest an open may take: two trials, a restore, a busy machine.
const BOUND: Duration = Duration::from_secs(25);
const ACCOUNTS: u32 = 200;

fn trial() -> Trial {
    Trial {
        program: PROGRAM.into(),
        arguments: vec![Trial::COMMAND.into()],
        deadline: DEADLINE,
    }
}

/// A process that one test starts would for a moment hold the lock on another test's directory.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an open has led to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Running with so many accounts.
    Data(usize),
    /// Running with so many accounts, and a warning that the last export has more.
    Fewer(usize),
    /// Running with so many accounts of the last export, and a warning.
    Restored(usize),
    /// Running with nothing, and a warning.
    Empty,
    /// One sentence.
    Refused(String),
}

fn open(path: &Path) -> Outcome {
    open_after(&trial(), path)
}

fn open_after(trial: &Trial, path: &Path) -> Outcome {
    let data = match DataDir::open(path) {
        Ok(data) => data,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let (store, _outcomes, repairs) = match repair::open(&data, &config(), trial, 1_700_000_000) {
        Ok(opened) => opened,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let mut accounts = 0;
    let count = &mut |row| accounts += usize::from(matches!(row, Row::Account(_)));
    store.load(count).unwrap();
    let has = |wanted: fn(&Step) -> bool| repairs.steps.iter().any(wanted);
    if has(|step| matches!(step, Step::Restored(_))) {
        assert!(warned(&repairs, "restored"));
        Outcome::Restored(accounts)
    } else if has(|step| matches!(step, Step::StartedEmpty(_))) {
        assert!(warned(&repairs, "started empty"));
        assert_eq!(accounts, 0);
        Outcome::Empty
    } else if has(|step| matches!(step, Step::Fewer { .. })) {
        assert!(warned(&repairs, "lanpush import"));
        Outcome::Fewer(accounts)
    } else {
        Outcome::Data(accounts)
    }
}

fn write(store: &mut SledStore, outcomes: &Outcomes, changes: Vec<Change>) {
    store.submit(Ticket(0), changes, Urgency::Now);
    outcomes.recv_blocking().unwrap().1.unwrap();
}

fn fill(store: &mut SledStore, outcomes: &Outcomes) {
    for number in 1..=ACCOUNTS {
        let id = NotificationId(number.into());
        let name = format!("user{number}");
        let changes = vec![
            Change::PutAccount(Account {
                name: name.clone(),
                password: "pw".repeat(10),
                ..Account::default()
            }),
            Change::PutDevice(Device {
                id: DeviceId(number),
                account: name,
                resource: None,
                last_seen: 0,
                withdraws: false,
            }),
            Change::PutNotification(Notification {
                id,
                target: Target::Everyone,
                title: String::new(),
                message: format!("{number} ").repeat(200),
                uri: String::new(),
                extras: Extras::default(),
            }),
            Change::PutDelivery(Delivery {
                notification: id,
                device: DeviceId(number),
                state: DeliveryState::Queued,
                at: 0,
                queued: 0,
                sent: 0,
                acknowledged: 0,
            }),
        ];
        write(store, outcomes, changes);
    }
}

fn config() -> Storage {
    Storage {
        cache: CACHE,
        ..Storage::default()
    }
}

fn warned(repairs: &Repairs, text: &str) -> bool {
    repairs.warnings.iter().any(|line| line.contains(text))
}

/// A directory with [`ACCOUNTS`] accounts and its automatic export: closed in good order, and as it is while
/// a server that will be killed has it open.
struct Samples {
    closed: Scratch,
    killed: Scratch,
}

impl Samples {
    fn make() -> Self {
        let (closed, killed) = (Scratch::new(), Scratch::new());
        let data = DataDir::open(closed.path()).unwrap();
        let (mut store, outcomes) = SledStore::open(&data, CACHE).unwrap();
        fill(&mut store, &outcomes);
        copy(closed.path(), killed.path());
        drop((store, data));
        // A snapshot is made when a database is opened again.
        assert_eq!(open(closed.path()), Outcome::Data(ACCOUNTS as usize));
        let backup = closed.path().join("backup.jsonl");
        let mut export = Command::new(PROGRAM);
        export.arg("--data").arg(closed.path()).arg("export");
        assert!(
            export
                .arg(&backup)
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        fs::copy(backup, killed.path().join("backup.jsonl")).unwrap();
        Self { closed, killed }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn copy_database(data: &Path, name: &str) {
    let to = data.join(name);
    fs::create_dir(&to).unwrap();
    copy(&data.join("db"), &to);
}

/// Numbers that look random and are the same at every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

fn edit(file: &Path, change: impl FnOnce(&File, u64)) {
    let open = File::options().read(true).write(true).open(file).unwrap();
    change(&open, open.metadata().unwrap().len());
}

fn log(data: &Path) -> PathBuf {
    data.join("db/db")
}

fn snapshots(data: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(data.join("db")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let is_snapshot = |file: &PathBuf| {
        file.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("snap.")
    };
    files.filter(is_snapshot).collect()
}

/// `conf` as sled writes it, its checksum included.
fn write_conf(data: &Path, text: &str) {
    let mut conf = text.as_bytes().to_vec();
    conf.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
    fs::write(data.join("db/conf"), conf).unwrap();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// All accounts, without a word.
    All,
    /// All accounts, out of the export.
    Restored,
    /// Either of them, or what is left of a log that was cut.
    Running,
    /// A sentence with this in it.
    Refused(&'static str),
    /// Nothing, and a warning.
    Empty,
}

struct Case {
    name: &'static str,
    want: Want,
    /// How often, each time with another seed.
    seeds: u64,
    damage: fn(&Path, &mut Seeded),
}

const fn case(name: &'static str, want: Want, seeds: u64, damage: fn(&Path, &mut Seeded)) -> Case {
    Case {
        name,
        want,
        seeds,
        damage,
    }
}

const CASES: &[Case] = &[
    case("nothing", Want::All, 1, |_, _| ()),
    case("log cut short", Want::Running, 4, |data, seed| {
        edit(&log(data), |file, length| {
            file.set_len(seed.below(length)).unwrap()
        });
    }),
    case("log with a zeroed block", Want::Running, 6, |data, seed| {
        edit(&log(data), |file, length| {
            let at = seed.below(length / 4096) * 4096;
            file.write_all_at(&[0; 4096], at).unwrap();
        });
    }),
    case("log with a flipped bit", Want::Running, 6, |data, seed| {
        edit(&log(data), |file, length| {
            let at = seed.below(length);
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1 << seed.below(8)], at)
                .unwrap();
        });
    }),
    case("log all zero", Want::Restored, 1, |data, _| {
        edit(&log(data), |file, length| {
            file.set_len(0).unwrap();
            file.set_len(length).unwrap();
        });
    }),
    case("log of garbage", Want::Restored, 1, |data, seed| {
        let garbage: Vec<u8> = (0..300_000).map(|_| seed.below(256) as u8).collect();
        fs::write(log(data), garbage).unwrap();
    }),
    case("log empty", Want::Restored, 1, |data, _| {
        edit(&log(data), |file, _| file.set_len(0).unwrap());
    }),
    case("log missing", Want::Restored, 1, |data, _| {
        fs::remove_file(log(data)).unwrap()
    }),
    case("database missing", Want::Restored, 1, |data, _| {
        fs::remove_dir_all(data.join("db")).unwrap();
    }),
    case("snapshot cut short", Want::All, 3, |data, seed| {
        for snapshot in snapshots(data) {
            edit(&snapshot, |file, length| {
                file.set_len(seed.below(length)).unwrap()
            });
        }
    }),
    case("snapshot zeroed", Want::All, 1, |data, _| {
        for snapshot in snapshots(data) {
            edit(&snapshot, |file, length| {
                file.set_len(0).unwrap();
                file.set_len(length).unwrap();
            });
        }
    }),
    case("snapshot with a flipped bit", Want::All, 4, |data, seed| {
        for snapshot in snapshots(data) {
            edit(&snapshot, |file, length| {
                let at = seed.below(length);
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ 1 << seed.below(8)], at)
                    .unwrap();
            });
        }
    }),
    case("snapshot missing", Want::All, 1, |data, _| {
        snapshots(data)
            .iter()
            .for_each(|file| fs::remove_file(file).unwrap());
    }),
    case("snapshot left half made", Want::All, 1, |data, _| {
        fs::write(data.join("db/snap.FFFFFFFFFFFFFFFF.generating"), "half").unwrap();
    }),
    case("conf missing", Want::All, 1, |data, _| {
        fs::remove_file(data.join("db/conf")).unwrap()
    }),
    case("conf empty", Want::All, 1, |data, _| {
        fs::write(data.join("db/conf"), "").unwrap()
    }),
    case("conf of garbage", Want::All, 1, |data, _| {
        fs::write(data.join("db/conf"), [0xff; 80]).unwrap();
    }),
    case("conf with another segment size", Want::All, 1, |data, _| {
        write_conf(
            data,
            "segment_size: 524288\nuse_compression: false\nversion: 0.34\n",
        );
    }),
    case(
        "conf of a later sled",
        Want::Refused("a later lanpush wrote it"),
        1,
        |data, _| {
            write_conf(
                data,
                "segment_size: 65536\nuse_compression: false\nversion: 1.0\n",
            );
        },
    ),
    case("blobs missing", Want::All, 1, |data, _| {
        fs::remove_dir_all(data.join("db/blobs")).unwrap();
    }),
    case("a foreign file", Want::All, 1, |data, _| {
        fs::write(data.join("db/notes"), "x").unwrap();
        fs::write(data.join("notes"), "x").unwrap();
    }),
    case(
        "a later lanpush",
        Want::Refused("made by a later lanpush"),
        1,
        |data, _| {
            fs::write(data.join("lanpush.data"), "lanpush data, format 9\n").unwrap();
        },
    ),
    case("a restore cut short", Want::Restored, 1, |data, _| {
        fs::rename(data.join("db"), data.join("db.restoring")).unwrap();
        edit(&data.join("db.restoring/db"), |file, length| {
            file.set_len(length / 2).unwrap()
        });
    }),
    case("a copy cut short", Want::All, 1, |data, _| {
        copy_database(data, "db.new");
        edit(&data.join("db.new/db"), |file, length| {
            file.set_len(length / 2).unwrap()
        });
    }),
    case("a copy about to take its place", Want::All, 1, |data, _| {
        copy_database(data, "db.new");
        fs::rename(data.join("db"), data.join("db.old")).unwrap();
    }),
    case(
        "a copy that has taken its place",
        Want::All,
        1,
        |data, _| {
            copy_database(data, "db.old");
        },
    ),
    case("a copied database alone", Want::All, 1, |data, _| {
        fs::rename(data.join("db"), data.join("db.old")).unwrap();
    }),
    case("log and export gone", Want::Empty, 1, |data, _| {
        fs::remove_file(log(data)).unwrap();
        fs::remove_file(data.join("backup.jsonl")).unwrap();
    }),
    case("log gone, export of garbage", Want::Empty, 1, |data, _| {
        fs::remove_file(log(data)).unwrap();
        fs::write(data.join("backup.jsonl"), [0xff; 5000]).unwrap();
    }),
    case(
        "log gone, export cut short",
        Want::Running,
        2,
        |data, seed| {
            fs::remove_file(log(data)).unwrap();
            edit(&data.join("backup.jsonl"), |file, length| {
                // At least some accounts are left, which come first.
                file.set_len(10_000 + seed.below(length - 10_000)).unwrap();
            });
        },
    ),
];

#[test]
fn every_damage_has_its_outcome() {
    let _alone = alone();
    let samples = Samples::make();
    let all = ACCOUNTS as usize;
    for (sample, path) in [
        ("closed", samples.closed.path()),
        ("killed", samples.killed.path()),
    ] {
        for case in CASES {
            for seed in 0..case.seeds {
                let scratch = Scratch::new();
                copy(path, scratch.path());
                (case.damage)(scratch.path(), &mut Seeded(seed));
                let start = Instant::now();
                let outcome = open(scratch.path());
                let took = start.elapsed();
                let name = format!("{}, {sample}, seed {seed}", case.name);
                eprintln!("{name}: {outcome:?} after {took:?}");
                let fits = match (&case.want, &outcome) {
                    (Want::All, outcome) => *outcome == Outcome::Data(all),
                    (Want::Restored, outcome) => *outcome == Outcome::Restored(all),
                    (Want::Running, Outcome::Data(count)) => *count == all,
                    (Want::Running, Outcome::Fewer(count) | Outcome::Restored(count)) => *count > 0,
                    (Want::Refused(why), Outcome::Refused(sentence)) => sentence.contains(why),
                    (Want::Empty, outcome) => *outcome == Outcome::Empty,
                    _ => false,
                };
                assert!(fits, "{name}: {outcome:?}, not {:?}", case.want);
                assert!(took < BOUND, "{name}: {took:?}");
                if !matches!(outcome, Outcome::Refused(_)) {
                    // What has been repaired once is sound.
                    let again = open(scratch.path());
                    let count = |outcome: &Outcome| match outcome {
                        Outcome::Data(count) | Outcome::Fewer(count) | Outcome::Restored(count) => {
                            *count
                        }
                        Outcome::Empty | Outcome::Refused(_) => 0,
                    };
                    let runs = matches!(again, Outcome::Data(_) | Outcome::Fewer(_));
                    assert!(runs, "{name}: then {again:?}");
                    assert_eq!(count(&again), count(&outcome), "{name}");
                }
            }
        }
    }
}

#[test]
fn every_way_a_trial_ends_has_its_outcome() {
    let _alone = alone();
    let samples = Samples::make();
    let all = ACCOUNTS as usize;
    let refused = "the database does not open: no way";
    for (script, want) in [
        ("exec sleep 100", Outcome::Restored(all)),
        ("kill -ABRT $$", Outcome::Restored(all)),
        ("echo damaged it is broken; exit 1", Outcome::Restored(all)),
        ("echo fine 0", Outcome::Restored(all)),
        ("echo fine 7", Outcome::Fewer(all)),
        ("echo fine 200", Outcome::Data(all)),
        (
            "echo refused no way; exit 1",
            Outcome::Refused(refused.into()),
        ),
        (
            "echo full -; exit 1",
            Outcome::Refused("the database does not open: no space left".into()),
        ),
        (
            "kill -9 $$",
            Outcome::Refused(
                "the database does not open: the process that tried it was killed, as happens when \
                 memory runs out"
                    .into(),
            ),
        ),
    ] {
        let scratch = Scratch::new();
        copy(samples.closed.path(), scratch.path());
        let trial = Trial {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            deadline: Duration::from_secs(1),
        };
        assert_eq!(open_after(&trial, scratch.path()), want, "{script}");
    }
    let none = Trial {
        program: "/nowhere".into(),
        ..trial()
    };
    assert_eq!(open_after(&none, samples.closed.path()), Outcome::Data(all));
}

#[test]
fn files_in_use_are_no_damage() {
    let _alone = alone();
    let scratch = Scratch::new();
    let data = DataDir::open(scratch.path()).unwrap();
    let (store, _outcomes) = SledStore::open(&data, CACHE).unwrap();
    let second = open(scratch.path());
    assert!(matches!(&second, Outcome::Refused(why) if why.ends_with("in use by another lanpush")));
    drop((store, data));
    assert!(limits::STORE_LOCK < DEADLINE);
    let held = File::open(log(scratch.path())).unwrap();
    held.lock().unwrap();
    let why = Outcome::Refused("the database does not open: another program has it open".into());
    assert_eq!(open(scratch.path()), why);
    drop(held);
    assert_eq!(open(scratch.path()), Outcome::Data(0));
}

#[test]
fn a_file_system_that_is_read_only_is_no_damage() {
    let _alone = alone();
    let scratch = Scratch::new();
    let Some(mount) = Mount::new(
        &["-t", "tmpfs", "-o", "mode=700", "lanpush-test"],
        scratch.path(),
    ) else {
        return;
    };
    let path = mount.path().join("data");
    assert_eq!(open(&path), Outcome::Data(0));
    let remount = &mut Command::new("mount");
    assert!(succeeds(
        remount.args(["-o", "remount,ro"]).arg(mount.path())
    ));
    let outcome = open(&path);
    let fits = |why: &str| why.contains("cannot be written: Read-only file system");
    assert!(
        matches!(&outcome, Outcome::Refused(why) if fits(why)),
        "{outcome:?}"
    );
}

#[test]
fn bad_databases_are_kept_up_to_a_bound() {
    let _alone = alone();
    let samples = Samples::make();
    let data = samples.closed.path();
    for round in 1..=4 {
        fs::remove_file(log(data)).unwrap();
        assert_eq!(open(data), Outcome::Restored(ACCOUNTS as usize), "{round}");
    }
    let files = fs::read_dir(data).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut kept: Vec<String> = names.filter(|name| name.starts_with("db.")).collect();
    kept.sort();
    assert_eq!(kept, ["db.bad.3", "db.bad.4"]);
    let repairs = fs::read_to_string(data.join("repairs.txt")).unwrap();
    assert_eq!(repairs.lines().count(), 8, "{repairs}");
}

#[test]
fn what_has_been_written_is_counted_through_trials_and_repairs() {
    let _alone = alone();
    let samples = Samples::make();
    let data = samples.closed.path();
    let total = |trial: &Trial| {
        let data = DataDir::open(data).unwrap();
        let (store, _outcomes, _) = repair::open(&data, &config(), trial, 1_700_000_000).unwrap();
        store.wear().view().bytes_total
    };
    // A trial that writes 256 KB.
    let file = data.join("written");
    let dd = format!(
        "dd if=/dev/zero of={} bs=64k count=4 conv=fsync",
        file.display()
    );
    let writes = Trial {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), format!("{dd} && echo fine {ACCOUNTS}").into()],
        deadline: DEADLINE,
    };
    let quiet = Trial {
        arguments: vec!["-c".into(), format!("echo fine {ACCOUNTS}").into()],
        ..writes.clone()
    };
    let without = total(&quiet);
    assert!(total(&writes) >= without + (256 << 10));
    // What is restored goes on where the export says that its database had stopped.
    let backup = data.join("backup.jsonl");
    let text = fs::read_to_string(&backup).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    let head =
        "{\"lanpush\":{\"format\":1,\"made\":5,\"written\":{\"total\":7000000000,\"today\":9}}}";
    fs::write(&backup, format!("{head}\n{rest}")).unwrap();
    fs::remove_file(log(data)).unwrap();
    let restored = total(&trial());
    assert!(restored > 7_000_000_000, "{restored}");
    assert!(restored < 7_100_000_000, "{restored}");
}

#[test]
fn every_step_is_counted_over_all_starts() {
    let _alone = alone();
    let samples = Samples::make();
    let path = samples.closed.path();
    let count = |path: &Path| {
        let data = DataDir::open(path).unwrap();
        let opened = repair::open(&data, &config(), &trial(), 1_700_000_000);
        opened.unwrap().2.counts
    };
    let mut want = Repaired::default();
    assert_eq!(count(path), want);
    assert!(!path.join("repairs.count").exists(), "nothing was repaired");
    fs::write(path.join("db/snap.FFFFFFFFFFFFFFFF.generating"), "half").unwrap();
    want.leftovers_removed = 1;
    assert_eq!(count(path), want);
    for snapshot in snapshots(path) {
        fs::write(snapshot, "torn").unwrap();
    }
    want.snapshots_dropped = 1;
    assert_eq!(count(path), want);
    for round in 1..=2 {
        fs::remove_file(log(path)).unwrap();
        (want.set_aside, want.restored) = (round, round);
        assert_eq!(count(path), want);
    }
    fs::remove_file(log(path)).unwrap();
    fs::write(path.join("backup.jsonl"), "nonsense").unwrap();
    (want.set_aside, want.started_empty) = (3, 1);
    assert_eq!(count(path), want);
    assert_eq!(count(path), want, "a sound start repairs nothing");
}

#[test]
fn the_server_starts_on_a_damaged_directory_and_says_so() {
    let _alone = alone();
    let samples = Samples::make();
    let data = samples.closed.path();
    edit(&log(data), |file, length| {
        file.set_len(0).unwrap();
        file.set_len(length).unwrap();
    });
    let mut server = Command::new(PROGRAM)
        .arg("--data")
        .arg(data)
        .args(["--xmpp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .args(["--xmpps", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let ready = lines.next().map(Result::unwrap);
    let http = lines.next().map(Result::unwrap);
    let list = Command::new(PROGRAM)
        .arg("--data")
        .arg(data)
        .args(["user", "list"])
        .output()
        .unwrap();
    let address = http
        .as_deref()
        .map(|line| line.trim_start_matches("ready http "));
    let status = address.map(|address| page(address, "/api/v1/status"));
    let page = address.map(|address| page(address, "/"));
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(ready.is_some_and(|line| line.starts_with("ready xmpp ")));
    let users = String::from_utf8(list.stdout).unwrap();
    assert!(users.contains("user200"), "{users}");
    let page = page.unwrap();
    assert!(
        page.contains("the database was damaged") && page.contains("restored from"),
        "{page}"
    );
    let figure = "<dt>Restored from the export</dt><dd>1</dd>";
    assert!(
        page.contains(figure) && !page.contains("Started empty"),
        "{page}"
    );
    let status = status.unwrap();
    for count in [
        "\"set_aside\":1,",
        "\"restored\":1,",
        "\"started_empty\":0,",
    ] {
        assert!(status.contains(count), "{status}");
    }
}

fn page(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .write_all(
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
        .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}
