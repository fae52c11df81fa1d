//! The payload of a stored record: its fields one after another, numbers big-endian, texts behind their length.

use std::fmt;

use super::notification::{DeliveryState, Notification, NotificationId, Target};
use super::store::{Account, Delivery, Device, DeviceId};
use crate::limits;

/// The named field cannot be stored: it is longer than the form holds, or a name that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unstorable(pub &'static str);

impl fmt::Display for Unstorable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} cannot be stored", self.0)
    }
}

/// The fields of an account.
///
/// # Errors
/// A field above 65535 bytes, or more than 255 tags.
pub(super) fn of_account(account: &Account) -> Result<Vec<u8>, Unstorable> {
    let mut out = Vec::new();
    put_text(&account.name, "account name", &mut out)?;
    put_text(&account.password, "password", &mut out)?;
    put_text(&account.full_name, "full name", &mut out)?;
    put_text(&account.email, "email", &mut out)?;
    put_text(&account.alias, "alias", &mut out)?;
    out.push(u8::try_from(account.tags.len()).map_err(|_| Unstorable("tags"))?);
    for tag in &account.tags {
        put_text(tag, "tag", &mut out)?;
    }
    out.extend(account.created.to_be_bytes());
    out.extend(account.updated.to_be_bytes());
    Ok(out)
}

/// The account they make, or `None` if they are damaged.
pub(super) fn account(mut fields: Fields<'_>) -> Option<Account> {
    let account = Account {
        name: fields.text()?,
        password: fields.text()?,
        full_name: fields.text()?,
        email: fields.text()?,
        alias: fields.text()?,
        tags: (0..fields.byte()?)
            .map(|_| fields.text())
            .collect::<Option<_>>()?,
        created: fields.number()?,
        updated: fields.number()?,
    };
    fields.end(account)
}

/// The fields of a device; its id is in the key.
///
/// # Errors
/// An account name or a resource above [`limits::JID_PART`] bytes.
pub(super) fn of_device(device: &Device) -> Result<Vec<u8>, Unstorable> {
    let resource = device.resource.as_deref();
    if device.account.len().max(resource.map_or(0, str::len)) > limits::JID_PART {
        return Err(Unstorable("device"));
    }
    let mut out = Vec::new();
    put_text(&device.account, "account name", &mut out)?;
    out.push(u8::from(resource.is_some()));
    put_text(resource.unwrap_or_default(), "resource", &mut out)?;
    out.extend(device.last_seen.to_be_bytes());
    Ok(out)
}

/// The device they make, or `None` if they are damaged.
pub(super) fn device(id: DeviceId, mut fields: Fields<'_>) -> Option<Device> {
    let account = fields.text()?;
    let (given, resource) = (fields.byte()?, fields.text()?);
    let device = Device {
        id,
        account,
        resource: (given != 0).then_some(resource),
        last_seen: fields.number()?,
    };
    fields.end(device)
}

/// The fields of a notification's body; its id is in the key.
///
/// # Errors
/// A field above 65535 bytes.
pub(super) fn of_body(notification: &Notification) -> Result<Vec<u8>, Unstorable> {
    let (kind, target) = match &notification.target {
        Target::Everyone => (0, ""),
        Target::User(user) => (1, user.as_str()),
        Target::Alias(alias) => (2, alias.as_str()),
        Target::Tag(tag) => (3, tag.as_str()),
    };
    let mut out = vec![kind];
    put_text(target, "target", &mut out)?;
    put_text(&notification.title, "title", &mut out)?;
    put_text(&notification.message, "message", &mut out)?;
    put_text(&notification.uri, "uri", &mut out)?;
    Ok(out)
}

/// The notification they make, or `None` if they are damaged.
pub(super) fn body(id: NotificationId, mut fields: Fields<'_>) -> Option<Notification> {
    let kind = fields.byte()?;
    let target = fields.text()?;
    let notification = Notification {
        id,
        target: match kind {
            0 => Target::Everyone,
            1 => Target::User(target),
            2 => Target::Alias(target),
            3 => Target::Tag(target),
            _ => return None,
        },
        title: fields.text()?,
        message: fields.text()?,
        uri: fields.text()?,
    };
    fields.end(notification)
}

/// Deliveries of one notification to 16 devices share a row, as entries in the order of the devices: the low
/// four bits of the device and the state in one byte, then the time.
pub type Entry = [u8; 6];

/// The row of a device.
pub(super) fn block_of(device: DeviceId) -> u32 {
    device.0 >> 4
}

/// The entry of a delivery. 40 bits of seconds last longer than any of us.
pub(super) fn of_delivery(delivery: &Delivery) -> Entry {
    let [_, _, _, device] = delivery.device.0.to_be_bytes();
    let [_, _, _, a, b, c, d, e] = delivery.at.min((1 << 40) - 1).to_be_bytes();
    [device << 4 | delivery.state as u8, a, b, c, d, e]
}

/// The low bits of an entry's device.
pub(super) fn device_of([first, ..]: Entry) -> u8 {
    first >> 4
}

/// The entries a payload holds, or `None` if it is damaged.
pub(super) fn entries(payload: &[u8]) -> Option<&[Entry]> {
    let (entries, rest) = payload.as_chunks();
    let rising = entries.is_sorted_by(|a, b| device_of(*a) < device_of(*b));
    (rising && rest.is_empty() && !entries.is_empty()).then_some(entries)
}

/// The delivery an entry means, or `None` if it is damaged.
pub(super) fn delivery(notification: NotificationId, block: u32, entry: Entry) -> Option<Delivery> {
    let [first, a, b, c, d, e] = entry;
    Some(Delivery {
        notification,
        device: DeviceId(block.checked_mul(16)? | u32::from(device_of(entry))),
        state: DeliveryState::from_byte(first & 0x0f)?,
        at: u64::from_be_bytes([0, 0, 0, a, b, c, d, e]),
    })
}

/// Two bytes of length, then the text.
fn put_text(text: &str, field: &'static str, out: &mut Vec<u8>) -> Result<(), Unstorable> {
    let length = u16::try_from(text.len()).map_err(|_| Unstorable(field))?;
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

/// What is left of a payload. `None` from any of its functions means damage.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    /// `value`, if nothing is left.
    pub(super) fn end<T>(&self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
