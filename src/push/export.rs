//! The export: everything the store holds as one text file, JSON Lines.
//!
//! The first line names the format, each line in between is one record, the last line counts them, so that
//! a file that was cut short is noticed:
//!
//! ```text
//! {"lanpush":{"format":1,"made":1700000000}}
//! {"account":{"name":"sam","password":"…",…}}
//! {"device":{"id":1,"account":"sam","resource":"phone",…}}
//! {"notification":{"id":"018b…","target":{"user":"sam"},…,"begun":1700000000}}
//! {"delivery":{"notification":"018b…","device":1,"state":"queued",…}}
//! {"document":{"owner":"sam","kind":"vcard","name":"","text":"…"}}
//! {"end":{"accounts":1,"devices":1,"notifications":1,"deliveries":1,"documents":1}}
//! ```
//!
//! Records are written as the store's own types are: a field added there is a field here, one that is missing
//! has its default, one that is unknown is passed over. A device comes behind its account, a delivery behind
//! its device and its notification.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::head::{Head, Over};
use super::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use super::record;
use super::store::{Account, Change, Delivery, Device, Document};
use crate::limits;
use crate::xmpp::jid;

/// Format this program writes, and the latest it reads.
pub const FORMAT: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The first.
    Lanpush(Header),
    /// An account with its credentials.
    Account(Account),
    /// A device.
    Device(Device),
    /// A notification with its body and its head.
    Notification(Kept),
    /// How far one device has got with one notification.
    Delivery(Delivery),
    /// What a feature keeps for an account.
    Document(Document),
    /// The last.
    End(Counts),
}

/// What the first line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Header {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Seconds since 1970 when it was written, by that machine's clock.
    #[serde(default)]
    pub made: u64,
    /// Bytes that had been written to that database and its automatic exports by then; only in these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
}

/// What flash has had to take, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Written {
    /// Ever.
    pub total: u64,
    /// On the day of [`Header::made`].
    pub today: u64,
}

/// A notification as an export has it: what its head says that does not follow from its body stands with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "FlatKept")]
pub struct Kept {
    /// The body.
    #[serde(flatten)]
    pub notification: Notification,
    /// [`Head::fired`]; what was never scheduled needs no word of it.
    pub fired: bool,
    /// [`Head::begun`].
    pub begun: u32,
    /// [`Head::over`].
    pub over: Option<Over>,
}

/// What [`Kept`] is read from. Were it read flattened, all of a body would be kept in between, of whatever type.
#[derive(Deserialize)]
struct FlatKept {
    id: NotificationId,
    target: Target,
    title: String,
    message: String,
    uri: String,
    #[serde(default)]
    extras: Extras,
    #[serde(default)]
    fired: bool,
    #[serde(default)]
    begun: u32,
    #[serde(default)]
    over: Option<Over>,
}

impl From<FlatKept> for Kept {
    fn from(flat: FlatKept) -> Self {
        Self {
            notification: Notification {
                id: flat.id,
                target: flat.target,
                title: flat.title,
                message: flat.message,
                uri: flat.uri,
                extras: flat.extras,
            },
            fired: flat.fired,
            begun: flat.begun,
            over: flat.over,
        }
    }
}

impl Kept {
    /// A body with its head.
    #[must_use]
    pub fn new(notification: Notification, head: &Head) -> Self {
        Self {
            notification,
            fired: head.fired,
            begun: head.begun,
            over: head.over,
        }
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> Head {
        let head = Head::of(&self.notification);
        Head {
            fired: head.fired || self.fired,
            begun: self.begun,
            over: self.over,
            ..head
        }
    }
}

/// How many records there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Devices.
    pub devices: u64,
    /// Notifications.
    pub notifications: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Documents.
    pub documents: u64,
}

impl Counts {
    /// Counts a line that is a record.
    pub fn add(&mut self, line: &Line) {
        let count = match line {
            Line::Account(_) => &mut self.accounts,
            Line::Device(_) => &mut self.devices,
            Line::Notification(_) => &mut self.notifications,
            Line::Delivery(_) => &mut self.deliveries,
            Line::Document(_) => &mut self.documents,
            Line::Lanpush(_) | Line::End(_) => return,
        };
        *count += 1;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accounts,
            devices,
            notifications,
            deliveries,
            documents,
        } = self;
        write!(
            f,
            "accounts: {accounts}, devices: {devices}, notifications: {notifications}, \
             deliveries: {deliveries}, documents: {documents}"
        )
    }
}

impl Line {
    /// The line as text, its line feed included.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Only maps with keys that are no strings fail to serialise, and there are none.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The line that `text` is.
    ///
    /// # Errors
    /// What is wrong with it, in words that show none of its values.
    pub fn parse(text: &[u8]) -> Result<Self, BadLine> {
        let line: Self = serde_json::from_slice(text).map_err(|error| {
            // serde_json's own words quote what stands there, which may be a password.
            let kind = match error.classify() {
                serde_json::error::Category::Eof => "it is cut short",
                serde_json::error::Category::Data => "it is no record this program knows",
                _ => "it is not JSON",
            };
            BadLine(format!("{kind} (column {})", error.column()))
        })?;
        match line {
            Self::Account(account) => checked(account).map(Self::Account),
            Self::Notification(kept) if !kept.over.is_none_or(is_end) => {
                Err(BadLine("its end cannot be kept".into()))
            }
            Self::Notification(kept) => {
                storable(Change::PutNotification(kept.notification.clone()))?;
                Ok(Self::Notification(kept))
            }
            Self::Document(document) => {
                storable(Change::PutDocument(document.clone()))?;
                Ok(Self::Document(document))
            }
            Self::Lanpush(header) if header.format > FORMAT => Err(BadLine(format!(
                "a later lanpush wrote it (format {}, this one knows {FORMAT})",
                header.format
            ))),
            line => Ok(line),
        }
    }
}

fn storable(change: Change) -> Result<(), BadLine> {
    record::writes(&change, &mut Vec::new()).map_err(|why| BadLine(why.to_string()))
}

fn is_end(over: Over) -> bool {
    matches!(
        over.state,
        DeliveryState::Expired | DeliveryState::Withdrawn
    )
}

/// What is wrong with a line, in words that show none of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine(pub String);

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The account as the server could have made it itself: the name in its stored form, no field above its
/// limit.
///
/// # Errors
/// Which field cannot be kept.
pub fn checked(mut account: Account) -> Result<Account, BadLine> {
    let bad = |field: &str| Err(BadLine(format!("its {field} cannot be kept")));
    let Some(name) = jid::localpart(&account.name) else {
        return bad("name");
    };
    account.name = name;
    if account.password.len() > limits::PASSWORD {
        return bad("password");
    }
    if account.full_name.len() > limits::REGISTERED_FIELD {
        return bad("full name");
    }
    if account.email.len() > limits::REGISTERED_FIELD {
        return bad("e-mail address");
    }
    if account.alias.len() > limits::LABEL {
        return bad("alias");
    }
    if account.tags.len() > limits::TAGS || account.tags.iter().any(|tag| tag.len() > limits::LABEL)
    {
        return bad("tags");
    }
    let topic_is_bad = |topic: &str| {
        topic.trim().is_empty() || topic.len() > limits::LABEL || topic.contains(char::is_control)
    };
    let topics = &account.subscriptions;
    if topics.len() > limits::SUBSCRIPTIONS || topics.iter().any(|one| topic_is_bad(&one.topic)) {
        return bad("topics");
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::notification::{Link, Priority};
    use crate::push::store::{DeviceId, DocumentId, DocumentKind, Subscription};
    use crate::push::tag_expression::TagExpression;
    use crate::xmpp::sasl::keys::{Keys, SALT};

    fn extras() -> Extras {
        Extras {
            image: "http://x/y.png".into(),
            priority: Priority::new(5).unwrap(),
            tags: vec!["t".into()],
            actions: vec![Link {
                label: "Open".into(),
                uri: "http://x/".into(),
            }],
            silent: true,
            sequence: "s".into(),
            ttl: u32::MAX,
            deliver_at: u64::MAX,
            sender: "cron".into(),
            withdraws: Some(NotificationId(u128::MAX)),
        }
    }

    fn topic(device: Option<DeviceId>) -> Subscription {
        Subscription {
            topic: "doors".into(),
            device,
        }
    }

    fn lines() -> Vec<Line> {
        let notification = |id, target| {
            Line::Notification(Kept {
                notification: Notification {
                    id: NotificationId(id),
                    target,
                    title: "a \"title\"\n".into(),
                    message: "m\u{0}\u{2028}ü".into(),
                    uri: "http://x/".into(),
                    extras: extras(),
                },
                fired: true,
                begun: 8,
                over: Some(Over {
                    state: DeliveryState::Withdrawn,
                    at: u32::MAX,
                }),
            })
        };
        let device = |id, resource: Option<&str>| {
            Line::Device(Device {
                id: DeviceId(id),
                account: "sam".into(),
                resource: resource.map(str::to_owned),
                last_seen: 7,
                withdraws: true,
            })
        };
        let delivery = |state| {
            Line::Delivery(Delivery {
                notification: NotificationId(u128::MAX),
                device: DeviceId(u32::MAX),
                state,
                at: u64::MAX,
                queued: 1,
                sent: 2,
                acknowledged: u32::MAX,
            })
        };
        vec![
            Line::Lanpush(Header {
                format: 1,
                made: 5,
                written: None,
            }),
            Line::Account(Account {
                name: "sam".into(),
                password: " p\\w\t".into(),
                keys: Some(Box::new(Keys::new("p", [9; SALT]))),
                tags: vec!["a".into(), "b c".into()],
                subscriptions: vec![topic(None), topic(Some(DeviceId(1)))],
                ..Account::default()
            }),
            device(1, None),
            device(u32::MAX, Some("phone/1")),
            notification(0, Target::Everyone),
            notification(1, Target::User("*".into())),
            notification(2, Target::Alias("tag:x".into())),
            notification(3, Target::Topic("doors".into())),
            notification(
                4,
                Target::Device {
                    user: "sam".into(),
                    resource: "a/b".into(),
                },
            ),
            notification(u128::MAX, Target::Tags("a & !(b | c)".parse().unwrap())),
            notification(5, Target::Tags(TagExpression::exactly("R&D (\"new\")"))),
            delivery(DeliveryState::Queued),
            delivery(DeliveryState::Confirmed),
            Line::Document(Document {
                id: DocumentId {
                    owner: "sam".into(),
                    kind: DocumentKind::Private,
                    name: "a\u{1f511}".into(),
                },
                text: "<x/>\n".into(),
            }),
            Line::End(Counts {
                accounts: 1,
                ..Counts::default()
            }),
        ]
    }

    #[test]
    fn every_line_comes_back() {
        for line in lines() {
            let text = line.to_text();
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert_eq!(
                Line::parse(text.trim_end().as_bytes()),
                Ok(line),
                "{text:?}"
            );
        }
    }

    #[test]
    fn every_line_chopped_at_every_byte_is_noticed() {
        for line in lines() {
            let text = line.to_text();
            for cut in 0..text.len() - 1 {
                let parsed = Line::parse(&text.as_bytes()[..cut]);
                assert!(parsed.is_err(), "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn fields_may_be_missing_or_unknown() {
        let line = Line::parse(br#"{"account":{"name":"Sam","shoe":{"size":[1]}}}"#);
        let account = Account {
            name: "sam".into(),
            ..Account::default()
        };
        assert_eq!(line, Ok(Line::Account(account)));
    }

    #[test]
    fn a_head_follows_from_its_body_and_what_is_said_of_it() {
        let text = |rest: &str| {
            format!(
                r#"{{"notification":{{"id":"00000000000000000000000000000001","target":{{"topic":"t"}},"title":"","message":"m","uri":""{rest}}}}}"#
            )
        };
        for (rest, fired, begun, over) in [
            ("", true, 0, None),
            (r#","extras":{"deliver_at":9}"#, false, 0, None),
            (
                r#","extras":{"deliver_at":9},"fired":true,"begun":8"#,
                true,
                8,
                None,
            ),
            (
                r#","over":{"state":"expired","at":7}"#,
                true,
                0,
                Some(Over {
                    state: DeliveryState::Expired,
                    at: 7,
                }),
            ),
        ] {
            let Ok(Line::Notification(kept)) = Line::parse(text(rest).as_bytes()) else {
                panic!("{rest}");
            };
            let want = Head {
                fired,
                begun,
                over,
                ..Head::of(&kept.notification)
            };
            assert_eq!(kept.head(), want, "{rest}");
            assert_eq!(
                Kept::new(kept.notification.clone(), &want),
                Kept { fired, ..kept }
            );
        }
    }

    #[test]
    fn bad_lines_are_told_without_their_values() {
        let long = format!(
            r#"{{"account":{{"name":"sam","password":"{}"}}}}"#,
            "s".repeat(limits::PASSWORD + 1)
        );
        for (text, want) in [
            ("", "it is cut short"),
            ("secret", "it is not JSON"),
            ("\u{0}", "it is not JSON"),
            (r#"{"secret":{}}"#, "it is no record"),
            (r#"{"account":"secret"}"#, "it is no record"),
            (r#"{"account":{"password":5}}"#, "it is no record"),
            (r#"{"account":{"name":"a b"}}"#, "its name cannot be kept"),
            (r#"{"account":{}}"#, "its name cannot be kept"),
            (
                r#"{"account":{"name":"sam","subscriptions":[{"topic":"\n"}]}}"#,
                "its topics cannot be kept",
            ),
            (
                r#"{"notification":{"id":"00000000000000000000000000000001","target":{"tags":"&"},"title":"","message":"","uri":""}}"#,
                "it is no record",
            ),
            (
                r#"{"notification":{"id":"00000000000000000000000000000001","target":"everyone","title":"","message":"","uri":"","extras":{"priority":6}}}"#,
                "it is no record",
            ),
            (
                r#"{"notification":{"id":"00000000000000000000000000000001","target":"everyone","title":"","message":"","uri":"","over":{"state":"sent","at":1}}}"#,
                "its end cannot be kept",
            ),
            (&long, "its password cannot be kept"),
            (
                r#"{"delivery":{"notification":"secret"}}"#,
                "it is no record",
            ),
            (r#"{"lanpush":{"format":2}}"#, "a later lanpush wrote it"),
            (r#"{"account":{"name":"sam"}} {}"#, "it is not JSON"),
        ] {
            let BadLine(why) = Line::parse(text.as_bytes()).unwrap_err();
            assert!(why.starts_with(want), "{text:?}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn counting() {
        let mut counts = Counts::default();
        lines().iter().for_each(|line| counts.add(line));
        let text = "accounts: 1, devices: 2, notifications: 7, deliveries: 2, documents: 1";
        assert_eq!(counts.to_string(), text);
    }
}
