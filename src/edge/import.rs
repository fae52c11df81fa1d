//! An export, or the users of an androidpn server, put into a database that nobody else has open.
//!
//! What is there stays: an account keeps its credentials and labels unless it is to be replaced, a device is
//! known by its account and resource, a notification by its id and keeps its own deliveries.

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, BufRead};

pub use self::lines::read;
use super::database::{Commit, Database};
use super::export::{self, ExportError};
use crate::limits;
use crate::push::export::{BadLine, Counts, Kept, Line, Written};
use crate::push::notification::NotificationId;
use crate::push::record;
use crate::push::store::{
    Account, Change, Delivery, Device, DeviceId, Document, DocumentId, Row, StoreError,
};

/// What an import has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// What has been added or replaced.
    pub taken: Counts,
    /// Accounts that were there and stay as they are.
    pub kept: u64,
    /// Records that belong to an account, a device or a notification that is not there, and what a
    /// notification that was there before would have added.
    pub left_out: u64,
    /// Lines of which something could not be taken, counted from 1, and why; the first
    /// [`limits::IMPORT_COMPLAINTS`] of them.
    pub complaints: Vec<(usize, BadLine)>,
    /// How many there are.
    pub bad: u64,
    /// The file is cut short, or has lost lines.
    pub incomplete: bool,
    /// Seconds since 1970 when the export was made, if the file says.
    pub made: Option<u64>,
    /// What had been written to that database by then, if the file says.
    pub written: Option<Written>,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "imported {}", self.taken)?;
        let rest = [
            (self.kept, "accounts kept as they were"),
            (self.left_out, "records left out"),
            (self.bad, "bad lines"),
        ];
        for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "; {what}: {count}")?;
        }
        if self.incomplete {
            f.write_str("; the file is not complete")?;
        }
        Ok(())
    }
}

/// Why an import has ended early; what it had taken by then stays.
#[derive(Debug)]
pub enum ImportError {
    /// The database cannot be read or written.
    Store(StoreError),
    /// The file cannot be read.
    Io(io::Error),
    /// The file is neither an export nor an SQL text of an androidpn server.
    Unknown(BadLine),
    /// The SQL text is longer than [`limits::SQL_BYTES`].
    TooLong,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Io(error) => write!(f, "cannot read the file: {error}"),
            Self::Unknown(why) => write!(
                f,
                "this is neither an export of lanpush nor an SQL text with androidpn's users: {why}"
            ),
            Self::TooLong => write!(
                f,
                "an SQL text may have {} MB at most",
                limits::SQL_BYTES / 1024 / 1024
            ),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for ImportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Puts what `file` holds into `database`.
pub(super) fn run(
    database: &mut Database,
    file: &mut dyn BufRead,
    replace: bool,
) -> Result<Imported, ImportError> {
    let mut import = Import::new(database, replace)?;
    let mut report = Imported::default();
    read(file, &mut report, &mut |line, report| {
        import.record(line, report)
    })?;
    import.subscribe(&mut report)?;
    import.flush(&mut report)?;
    Ok(report)
}

struct Import<'a> {
    database: &'a mut Database,
    replace: bool,
    accounts: BTreeSet<String>,
    devices: BTreeMap<(String, Option<String>), DeviceId>,
    /// Numbers of the file's devices here.
    renamed: BTreeMap<DeviceId, DeviceId>,
    next_device: u32,
    /// Notifications that were there before.
    old: BTreeSet<NotificationId>,
    /// Notifications that have come with the file.
    new: BTreeSet<NotificationId>,
    /// Documents that were there before.
    documents: BTreeSet<DocumentId>,
    /// Accounts with topics of single devices, which are put again when their devices have come.
    subscribers: Vec<Account>,
    changes: Vec<Change>,
}

impl<'a> Import<'a> {
    fn new(database: &'a mut Database, replace: bool) -> Result<Self, ImportError> {
        let mut accounts = BTreeSet::new();
        let mut devices = BTreeMap::new();
        let mut old = BTreeSet::new();
        let mut documents = BTreeSet::new();
        let mut next_device = 1;
        let loaded = export::load(database.rows(), &mut |row| {
            match row {
                Row::Account(account) => {
                    // What belongs to a forgotten device must not become another's.
                    let devices = account.subscriptions.iter().filter_map(|one| one.device);
                    next_device = devices.fold(next_device, above);
                    accounts.insert(account.name);
                }
                Row::Device(device) => {
                    next_device = above(next_device, device.id);
                    devices.insert((device.account, device.resource), device.id);
                }
                Row::Notification(head) => drop(old.insert(head.id)),
                Row::Delivery(delivery) => next_device = above(next_device, delivery.device),
                Row::Document(document) => drop(documents.insert(document.id)),
            }
            Ok(())
        });
        loaded.map_err(|error| match error {
            ExportError::Store(error) => ImportError::Store(error),
            ExportError::Io(error) => ImportError::Io(error),
        })?;
        Ok(Self {
            database,
            replace,
            accounts,
            devices,
            renamed: BTreeMap::new(),
            next_device,
            old,
            new: BTreeSet::new(),
            documents,
            subscribers: Vec::new(),
            changes: Vec::new(),
        })
    }

    fn record(&mut self, line: Line, report: &mut Imported) -> Result<(), ImportError> {
        match line {
            Line::Account(account) => self.account(account, report),
            Line::Device(device) => self.device(device, report),
            Line::Notification(kept) => self.notification(kept, report),
            Line::Delivery(delivery) => self.delivery(delivery, report),
            Line::Document(document) => self.document(document, report),
            Line::Lanpush(_) | Line::End(_) => Ok(()),
        }
    }

    fn account(&mut self, mut account: Account, report: &mut Imported) -> Result<(), ImportError> {
        if !self.accounts.insert(account.name.clone()) && !self.replace {
            report.kept += 1;
            return Ok(());
        }
        report.taken.accounts += 1;
        if account.subscriptions.iter().any(|one| one.device.is_some()) {
            self.subscribers.push(account.clone());
            account.subscriptions.retain(|one| one.device.is_none());
        }
        self.change(Change::PutAccount(account), report)
    }

    fn device(&mut self, device: Device, report: &mut Imported) -> Result<(), ImportError> {
        if !self.accounts.contains(&device.account) {
            report.left_out += 1;
            return Ok(());
        }
        let key = (device.account.clone(), device.resource.clone());
        if let Some(id) = self.devices.get(&key) {
            self.renamed.insert(device.id, *id);
            return Ok(());
        }
        let id = DeviceId(self.next_device);
        self.next_device = self.next_device.saturating_add(1);
        self.devices.insert(key, id);
        self.renamed.insert(device.id, id);
        report.taken.devices += 1;
        self.change(Change::PutDevice(Device { id, ..device }), report)
    }

    fn notification(&mut self, kept: Kept, report: &mut Imported) -> Result<(), ImportError> {
        let head = kept.head();
        if self.old.contains(&head.id) {
            report.left_out += 1;
            return Ok(());
        }
        self.new.insert(head.id);
        report.taken.notifications += 1;
        // In one commit, or a power cut in between would make what was over begin again.
        self.changes
            .push(Change::PutNotification(kept.notification));
        self.change(Change::PutHead(head), report)
    }

    fn delivery(&mut self, delivery: Delivery, report: &mut Imported) -> Result<(), ImportError> {
        let device = self.renamed.get(&delivery.device).copied();
        let Some(device) = device.filter(|_| self.new.contains(&delivery.notification)) else {
            report.left_out += 1;
            return Ok(());
        };
        report.taken.deliveries += 1;
        self.change(Change::PutDelivery(Delivery { device, ..delivery }), report)
    }

    fn document(&mut self, document: Document, report: &mut Imported) -> Result<(), ImportError> {
        let owner = &document.id.owner;
        let is_owned = owner.is_empty() || self.accounts.contains(owner);
        if !is_owned || (self.documents.contains(&document.id) && !self.replace) {
            report.left_out += 1;
            return Ok(());
        }
        report.taken.documents += 1;
        self.change(Change::PutDocument(document), report)
    }

    /// Gives the devices of the file the topics they had.
    fn subscribe(&mut self, report: &mut Imported) -> Result<(), ImportError> {
        for mut account in std::mem::take(&mut self.subscribers) {
            let devices = self.devices.range((account.name.clone(), None)..);
            let own: BTreeSet<DeviceId> = devices
                .take_while(|((name, _), _)| *name == account.name)
                .map(|(_, id)| *id)
                .collect();
            account.subscriptions.retain_mut(|one| {
                let Some(device) = one.device else {
                    return true;
                };
                one.device = self.renamed.get(&device).copied();
                one.device.is_some_and(|device| own.contains(&device))
            });
            self.change(Change::PutAccount(account), report)?;
        }
        Ok(())
    }

    fn change(&mut self, change: Change, report: &mut Imported) -> Result<(), ImportError> {
        self.changes.push(change);
        if self.changes.len() >= limits::IMPORT_CHANGES {
            self.flush(report)?;
        }
        Ok(())
    }

    fn flush(&mut self, report: &mut Imported) -> Result<(), ImportError> {
        let mut commit = Commit::new();
        for change in std::mem::take(&mut self.changes) {
            let mut writes = Vec::new();
            if let Err(why) = record::writes(&change, &mut writes) {
                log::warn!("import: {why}");
                report.left_out += 1;
                continue;
            }
            for write in writes {
                self.database.stage(write, &mut commit)?;
            }
        }
        Ok(self.database.write(commit)?)
    }
}

/// The least number that is at least `next` and above `device`.
fn above(next: u32, device: DeviceId) -> u32 {
    next.max(device.0.saturating_add(1))
}
