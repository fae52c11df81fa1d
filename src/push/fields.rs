//! The payload of a stored record: its fields one after another, numbers big-endian, texts behind their
//! length. A later version adds fields at the end, so what an earlier one wrote is read without them.

use std::fmt;

use super::head::{Head, Over, Reach, Series};
use super::notification::{
    DeliveryState, Extras, Link, Notification, NotificationId, Priority, Target,
};
use super::store::{Account, Device, DeviceId, Document, DocumentId, DocumentKind, Subscription};
use super::tag_expression::TagExpression;
use crate::limits;
use crate::xmpp::sasl::keys::Keys;

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
    put_texts(&account.tags, "tags", &mut out)?;
    out.extend(account.created.to_be_bytes());
    out.extend(account.updated.to_be_bytes());
    of_subscriptions(&account.subscriptions, &mut out)?;
    of_keys(account.keys.as_deref(), &mut out);
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
        tags: fields.texts()?,
        created: fields.number()?,
        updated: fields.number()?,
        subscriptions: fields.since(2, subscriptions)?,
        keys: fields.since(3, keys)?.map(Box::new),
    };
    fields.end(account)
}

fn of_keys(keys: Option<&Keys>, out: &mut Vec<u8>) {
    out.push(u8::from(keys.is_some()));
    if let Some(keys) = keys {
        out.extend(keys.to_bytes());
    }
}

fn keys(fields: &mut Fields<'_>) -> Option<Option<Keys>> {
    if fields.byte()? == 0 {
        return Some(None);
    }
    let bytes = fields.array::<{ Keys::BYTES }>()?;
    Keys::from_bytes(&bytes).map(Some)
}

fn of_subscriptions(all: &[Subscription], out: &mut Vec<u8>) -> Result<(), Unstorable> {
    let count = u16::try_from(all.len()).map_err(|_| Unstorable("subscriptions"))?;
    out.extend(count.to_be_bytes());
    all.iter().try_for_each(|one| {
        // No device has the number 0.
        out.extend(one.device.map_or(0, |device| device.0).to_be_bytes());
        put_text(&one.topic, "topic", out)
    })
}

fn subscriptions(fields: &mut Fields<'_>) -> Option<Vec<Subscription>> {
    let count = u16::from_be_bytes(fields.array()?);
    let one = |_| {
        let device = fields.short()?;
        let topic = fields.text()?;
        let device = (device != 0).then_some(DeviceId(device));
        Some(Subscription { topic, device })
    };
    (0..count).map(one).collect()
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
    out.push(u8::from(device.withdraws));
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
        withdraws: fields.since(2, Fields::byte)? != 0,
    };
    fields.end(device)
}

/// The fields of a notification's body; its id is in the key.
///
/// # Errors
/// A field above 65535 bytes.
pub(super) fn of_body(notification: &Notification) -> Result<Vec<u8>, Unstorable> {
    let mut out = vec![target_kind(&notification.target)];
    put_text(&target_text(&notification.target), "target", &mut out)?;
    put_text(&notification.title, "title", &mut out)?;
    put_text(&notification.message, "message", &mut out)?;
    put_text(&notification.uri, "uri", &mut out)?;
    let extras = &notification.extras;
    put_text(&extras.image, "image", &mut out)?;
    out.push(extras.priority.number());
    put_texts(&extras.tags, "tags", &mut out)?;
    let labels: Vec<&str> = extras.actions.iter().map(|link| &*link.label).collect();
    let uris: Vec<&str> = extras.actions.iter().map(|link| &*link.uri).collect();
    put_texts(&labels, "actions", &mut out)?;
    put_texts(&uris, "actions", &mut out)?;
    out.push(u8::from(extras.silent));
    put_text(&extras.sequence, "sequence", &mut out)?;
    out.extend(extras.ttl.to_be_bytes());
    out.extend(extras.deliver_at.to_be_bytes());
    put_text(&extras.sender, "sender", &mut out)?;
    let withdraws = extras.withdraws.map_or(0, |id| id.0);
    out.extend(withdraws.to_be_bytes());
    Ok(out)
}

/// The notification they make, or `None` if they are damaged.
pub(super) fn body(id: NotificationId, mut fields: Fields<'_>) -> Option<Notification> {
    let kind = fields.byte()?;
    let target = fields.text()?;
    let notification = Notification {
        id,
        target: target_of(kind, target, fields.version)?,
        title: fields.text()?,
        message: fields.text()?,
        uri: fields.text()?,
        extras: fields.since(2, extras)?,
    };
    fields.end(notification)
}

fn extras(fields: &mut Fields<'_>) -> Option<Extras> {
    let (image, priority) = (fields.text()?, Priority::new(fields.byte()?)?);
    let tags = fields.texts()?;
    let (labels, uris) = (fields.texts()?, fields.texts()?);
    let links = labels.into_iter().zip(uris);
    Some(Extras {
        image,
        priority,
        tags,
        actions: links.map(|(label, uri)| Link { label, uri }).collect(),
        silent: fields.byte()? != 0,
        sequence: fields.text()?,
        ttl: fields.short()?,
        deliver_at: fields.number()?,
        sender: fields.text()?,
        withdraws: Some(u128::from_be_bytes(fields.array()?))
            .filter(|id| *id != 0)
            .map(NotificationId),
    })
}

/// The fields of a notification's head; its id is in the key.
pub(super) fn of_head(head: &Head) -> Vec<u8> {
    let mut out = vec![head.priority.number(), head.reach as u8];
    for number in [head.size, head.ttl, head.deliver_at] {
        out.extend(number.to_be_bytes());
    }
    out.push(u8::from(head.fired));
    out.extend(head.begun.to_be_bytes());
    out.extend(head.series.map_or(0, |series| series.0).to_be_bytes());
    let over = head.over.map_or((0, 0), |over| (over.state as u8, over.at));
    out.push(over.0);
    out.extend(over.1.to_be_bytes());
    out
}

/// The head they make, or `None` if they are damaged.
pub(super) fn head(id: NotificationId, mut fields: Fields<'_>) -> Option<Head> {
    if fields.version < 2 {
        return fields.end(Head::new(id));
    }
    let head = Head {
        id,
        priority: Priority::new(fields.byte()?)?,
        reach: Reach::from_byte(fields.byte()?)?,
        size: fields.short()?,
        ttl: fields.short()?,
        deliver_at: fields.short()?,
        fired: fields.byte()? != 0,
        begun: fields.short()?,
        series: Some(fields.number()?)
            .filter(|series| *series != 0)
            .map(Series),
        over: over(fields.byte()?, fields.short()?)?,
    };
    fields.end(head)
}

/// How it ended, or that it has not; `None` if it cannot have.
fn over(state: u8, at: u32) -> Option<Option<Over>> {
    match DeliveryState::from_byte(state)? {
        DeliveryState::Queued => Some(None),
        state @ (DeliveryState::Expired | DeliveryState::Withdrawn) => {
            Some(Some(Over { state, at }))
        }
        _ => None,
    }
}

/// The fields of a document, with all of its key, which may only have digests.
///
/// # Errors
/// A text above [`limits::DOCUMENT`] bytes.
pub(super) fn of_document(document: &Document) -> Result<Vec<u8>, Unstorable> {
    if document.text.len() > limits::DOCUMENT {
        return Err(Unstorable("document"));
    }
    let mut out = vec![document.id.kind as u8];
    put_text(&document.id.owner, "account name", &mut out)?;
    put_text(&document.id.name, "document name", &mut out)?;
    put_text(&document.text, "document", &mut out)?;
    Ok(out)
}

/// The document they make, or `None` if they are damaged.
pub(super) fn document(mut fields: Fields<'_>) -> Option<Document> {
    let kind = DocumentKind::from_byte(fields.byte()?)?;
    let document = Document {
        id: DocumentId {
            owner: fields.text()?,
            kind,
            name: fields.text()?,
        },
        text: fields.text()?,
    };
    fields.end(document)
}

fn target_kind(target: &Target) -> u8 {
    match target {
        Target::Everyone => 0,
        Target::User(_) => 1,
        Target::Alias(_) => 2,
        Target::Tags(_) => 3,
        Target::Device { .. } => 4,
        Target::Topic(_) => 5,
    }
}

fn target_text(target: &Target) -> String {
    match target {
        Target::Everyone => String::new(),
        Target::User(text) | Target::Alias(text) | Target::Topic(text) => text.clone(),
        Target::Tags(expression) => expression.to_string(),
        Target::Device { user, resource } => format!("{user}/{resource}"),
    }
}

fn target_of(kind: u8, text: String, version: u8) -> Option<Target> {
    Some(match kind {
        0 => Target::Everyone,
        1 => Target::User(text),
        2 => Target::Alias(text),
        // A version without conditions had one tag, whatever was in it.
        3 if version < 2 => Target::Tags(TagExpression::exactly(&text)),
        3 => Target::Tags(text.parse().ok()?),
        4 => {
            let (user, resource) = text.split_once('/')?;
            Target::Device {
                user: user.to_owned(),
                resource: resource.to_owned(),
            }
        }
        5 => Target::Topic(text),
        _ => return None,
    })
}

/// Two bytes of length, then the text.
fn put_text(text: &str, field: &'static str, out: &mut Vec<u8>) -> Result<(), Unstorable> {
    let length = u16::try_from(text.len()).map_err(|_| Unstorable(field))?;
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

/// One byte of count, then the texts.
fn put_texts<T: AsRef<str>>(
    texts: &[T],
    field: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), Unstorable> {
    out.push(u8::try_from(texts.len()).map_err(|_| Unstorable(field))?);
    texts
        .iter()
        .try_for_each(|text| put_text(text.as_ref(), field, out))
}

/// What is left of a payload. `None` from any of its functions means damage.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    version: u8,
}

impl<'a> Fields<'a> {
    pub(super) fn new(payload: &'a [u8], version: u8) -> Self {
        Self {
            rest: payload,
            version,
        }
    }

    /// A field that a version has added; what was written before has the default.
    fn since<T: Default>(
        &mut self,
        version: u8,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if self.version < version {
            Some(T::default())
        } else {
            read(self)
        }
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        (0..self.byte()?).map(|_| self.text()).collect()
    }

    pub(super) fn short(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
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
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    /// `value`, if nothing is left.
    pub(super) fn end<T>(&self, value: T) -> Option<T> {
        self.rest.is_empty().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_the_first_version_stays_one_tag() {
        for tag in ["office", "R&D", "a | !b", "(", "\"a\" & b", " a "] {
            let read = target_of(3, tag.to_owned(), 1).unwrap();
            let Target::Tags(expression) = &read else {
                panic!("{read:?}");
            };
            assert!(expression.matches(&|own| own == tag), "{tag}");
            assert!(!expression.matches(&|own| own != tag), "{tag}");
            // As it is written now, to the database and to exports.
            assert_eq!(
                target_of(3, target_text(&read), 2),
                Some(read.clone()),
                "{tag}"
            );
            assert_eq!(read.to_string().parse(), Ok(read), "{tag}");
        }
    }
}
