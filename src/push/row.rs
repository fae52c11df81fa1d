//! A row of the stored form: its value is sealed with version and checksum, and long records have several rows.

use std::fmt;

use super::fields::Fields;

/// Version this program writes, and the latest it reads.
///
/// | version | what it added |
/// |---|---|
/// | 1 | accounts, devices, notifications, deliveries |
/// | 2 | subscriptions, what a device's app can do, heads and extras of notifications, more times of deliveries |
/// | 3 | keys of passwords |
pub const VERSION: u8 = 3;

/// First byte of an account's keys.
pub(super) const ACCOUNT: u8 = 1;
/// First byte of a device's key.
pub(super) const DEVICE: u8 = 2;
/// First byte of a notification's key.
pub(super) const NOTIFICATION: u8 = 3;
/// First byte of the key of a notification's deliveries to some devices.
pub(super) const DELIVERIES: u8 = 4;
/// First byte of the keys of a notification's body.
pub(super) const BODY: u8 = 5;
/// First byte of a document's keys.
pub(super) const DOCUMENT: u8 = 6;
/// Bytes of fields in one part of an account or a body.
pub(super) const PART: usize = 512;

/// A record that cannot be read. Its `Display` is for the log and shows the key, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Key of the row, or of the record's first rows if it has several.
    pub key: Vec<u8>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes are not what was written.
    Damaged,
    /// Its bytes are whole, but a later lanpush wrote them in this version.
    Newer(u8),
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.key.first() {
            Some(&ACCOUNT) => "account",
            Some(&DEVICE) => "device",
            Some(&NOTIFICATION) => "notification",
            Some(&DELIVERIES) => "deliveries",
            Some(&BODY) => "notification body",
            Some(&DOCUMENT) => "document",
            _ => "unknown",
        };
        write!(f, "{kind} record ")?;
        // Enough for every key of ours but those of short names.
        for byte in self.key.iter().take(32) {
            write!(f, "{byte:02x}")?;
        }
        match self.fault {
            Fault::Damaged => f.write_str(" is damaged"),
            Fault::Newer(version) => write!(f, " is of version {version}, newer than this program"),
        }
    }
}

/// The value of a row: version, payload, checksum.
pub(super) fn sealed(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(payload.len() + 5);
    value.push(VERSION);
    value.extend(payload);
    value.extend(checksum(key, &value));
    value
}

/// The payload of a row whose checksum is right, with the version it was written in.
pub(super) fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<(u8, &'a [u8]), Fault> {
    let (versioned, crc) = value.split_last_chunk::<4>().ok_or(Fault::Damaged)?;
    let (&version, payload) = versioned.split_first().ok_or(Fault::Damaged)?;
    if *crc != checksum(key, versioned) {
        return Err(Fault::Damaged);
    }
    match version {
        0 => Err(Fault::Damaged),
        1..=VERSION => Ok((version, payload)),
        newer => Err(Fault::Newer(newer)),
    }
}

/// CRC-32 of key, version and payload.
pub(super) fn checksum(key: &[u8], versioned: &[u8]) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(versioned);
    crc.finalize().to_be_bytes()
}

/// The parts of one record, put together in order.
#[derive(Debug)]
pub(super) struct Parts {
    /// What their keys begin with.
    pub(super) prefix: Vec<u8>,
    version: u8,
    fields: Vec<u8>,
    /// Parts that have come, and how many there should be.
    count: u16,
    total: u16,
    fault: Option<Fault>,
}

impl Parts {
    pub(super) fn new(prefix: Vec<u8>) -> Self {
        Self {
            prefix,
            version: VERSION,
            fields: Vec::new(),
            count: 0,
            total: 0,
            fault: None,
        }
    }

    /// Takes the next part.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        let opened = open(key, value);
        match opened.map(|(version, payload)| (version, payload.split_first())) {
            Ok((version, Some((&total, piece))))
                if key.last().copied().map(u16::from) == Some(self.count)
                    && (self.count == 0
                        || (u16::from(total), version) == (self.total, self.version))
                    && piece.len() <= PART =>
            {
                self.version = version;
                self.total = u16::from(total);
                self.fields.extend(piece);
            }
            Ok(_) => self.fault = self.fault.or(Some(Fault::Damaged)),
            Err(fault) => self.fault = self.fault.or(Some(fault)),
        }
        self.count = self.count.saturating_add(1);
    }

    /// The record, if all parts were there and whole.
    pub(super) fn finish<T>(
        self,
        read: impl FnOnce(Fields<'_>) -> Option<T>,
    ) -> Result<T, BadRecord> {
        let whole = self.count == self.total;
        let fault = self.fault.or((!whole).then_some(Fault::Damaged));
        let record = match fault {
            Some(fault) => Err(fault),
            None => read(Fields::new(&self.fields, self.version)).ok_or(Fault::Damaged),
        };
        record.map_err(|fault| BadRecord {
            key: self.prefix,
            fault,
        })
    }
}

/// Looks up the parts of one record through `get`; `None` if the first is not there.
pub(super) fn read_parts<V: AsRef<[u8]>, E>(
    prefix: Vec<u8>,
    mut get: impl FnMut(&[u8]) -> Result<Option<V>, E>,
) -> Result<Option<Parts>, E> {
    let mut parts = Parts::new(prefix);
    for part in 0..=u8::MAX {
        let mut key = parts.prefix.clone();
        key.push(part);
        match get(&key)? {
            Some(value) => parts.add(&key, value.as_ref()),
            None if part == 0 => return Ok(None),
            None => break,
        }
        if parts.fault.is_some() || parts.count >= parts.total {
            break;
        }
    }
    Ok(Some(parts))
}
