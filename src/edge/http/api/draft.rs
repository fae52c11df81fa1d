//! A notification as programs write it in JSON.
//!
//! | field | what it is |
//! |---|---|
//! | `to` | `*`, `sam`, `sam/phone`, `alias:kitchen`, `topic:doors` or `tag:office & !night`; has to be there |
//! | `title`, `message`, `uri` (or `click`), `image` | text |
//! | `priority` | 1 to 5, 3 if nothing is said |
//! | `tags` | list of words |
//! | `actions` | list of `{"label","uri"}` |
//! | `silent` | true: for the app, nothing is shown |
//! | `sequence` | name of a series of which only the newest counts |
//! | `ttl` | seconds it is worth delivering, 0 for ever |
//! | `deliver_at` | second since 1970, or `2026-12-24 18:00:00` in UTC |

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::edge::http::error::HttpError;
use crate::push::Draft;
use crate::push::notification::{Extras, Link, Priority, Target};
use crate::time::parse_calendar;

/// The fields as they are, so that one that is wrong can be named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftIn {
    to: Value,
    title: Option<Value>,
    message: Option<Value>,
    #[serde(alias = "click")]
    uri: Option<Value>,
    image: Option<Value>,
    priority: Option<Value>,
    tags: Option<Value>,
    actions: Option<Value>,
    silent: Option<Value>,
    sequence: Option<Value>,
    ttl: Option<Value>,
    deliver_at: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkIn {
    label: String,
    uri: String,
}

impl DraftIn {
    /// What they mean.
    pub(super) fn draft(self) -> Result<Draft, HttpError> {
        let nobody = "to wants *, a user, user/device, alias:…, topic:… or tag:…";
        let to: String = typed("to", self.to)?;
        let links: Vec<LinkIn> = optional("actions", self.actions)?;
        let link = |LinkIn { label, uri }| Link { label, uri };
        Ok(Draft {
            target: to
                .parse::<Target>()
                .map_err(|_| HttpError::field("to", nobody))?,
            title: optional("title", self.title)?,
            message: optional("message", self.message)?,
            uri: optional("uri", self.uri)?,
            extras: Box::new(Extras {
                image: optional("image", self.image)?,
                priority: priority(self.priority)?,
                tags: optional("tags", self.tags)?,
                actions: links.into_iter().map(link).collect(),
                silent: optional("silent", self.silent)?,
                sequence: optional("sequence", self.sequence)?,
                ttl: optional("ttl", self.ttl)?,
                deliver_at: moment(self.deliver_at)?,
                ..Extras::default()
            }),
        })
    }
}

fn typed<T: DeserializeOwned>(name: &'static str, value: Value) -> Result<T, HttpError> {
    serde_json::from_value(value)
        .map_err(|error| HttpError::field(name, format!("{name}: {error}")))
}

fn optional<T: DeserializeOwned + Default>(
    name: &'static str,
    value: Option<Value>,
) -> Result<T, HttpError> {
    value.map_or_else(|| Ok(T::default()), |value| typed(name, value))
}

fn priority(value: Option<Value>) -> Result<Priority, HttpError> {
    let Some(value) = value else {
        return Ok(Priority::default());
    };
    let number = value.as_u64().and_then(|number| u8::try_from(number).ok());
    let wanted = || HttpError::field("priority", "priority wants a number from 1 to 5");
    number.and_then(Priority::new).ok_or_else(wanted)
}

/// A second since 1970, also in quotes, or a date and a time.
fn moment(value: Option<Value>) -> Result<u64, HttpError> {
    let second = match value {
        None => Some(0),
        Some(Value::String(text)) => text.parse().ok().or_else(|| parse_calendar(&text)),
        Some(value) => value.as_u64(),
    };
    let wanted = "deliver_at wants a second since 1970 or a time like 2026-12-24 18:00:00 (UTC)";
    second.ok_or_else(|| HttpError::field("deliver_at", wanted))
}
