//! `lanpush send TO MESSAGE` and `lanpush withdraw ID`: notifications from a terminal or a script.

use std::io::{self, Read as _};

use lanpush::limits;
use serde::{Deserialize, Serialize};

use super::admin::{Admin, NO_BODY, percent_encoded};
use super::wait::{self, Patience};
use super::{Failure, plain, say};

/// A notification as the arguments have it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub to: String,
    pub message: String,
    pub title: Option<String>,
    pub uri: Option<String>,
    pub extras: Extras,
    /// Whether, and how long, to wait for devices.
    pub wait: Option<Patience>,
}

/// What goes to the server as it was given.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Extras {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Link>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_at: Option<String>,
}

/// A link with what it says.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Link {
    pub label: String,
    pub uri: String,
}

#[derive(Serialize)]
struct Notification<'a> {
    to: &'a str,
    title: &'a str,
    message: &'a str,
    uri: &'a str,
    #[serde(flatten)]
    extras: &'a Extras,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
    queued: u64,
    sent: u64,
    #[serde(default)]
    scheduled: bool,
}

#[derive(Deserialize)]
struct Withdrawn {
    spared: u64,
    told: u64,
}

pub(super) fn perform(admin: &Admin, draft: Draft) -> Result<(), Failure> {
    let message = if draft.message == "-" {
        from_stdin()?
    } else {
        draft.message
    };
    let notification = Notification {
        // A shell may take * for itself, the word it leaves alone.
        to: if draft.to == "everyone" {
            "*"
        } else {
            &draft.to
        },
        title: draft.title.as_deref().unwrap_or_default(),
        message: &message,
        uri: draft.uri.as_deref().unwrap_or_default(),
        extras: &draft.extras,
    };
    let accepted: Accepted = admin
        .ask("POST", "/api/v1/notifications", Some(&notification))?
        .json()?;
    let Accepted {
        id, queued, sent, ..
    } = accepted;
    if accepted.scheduled {
        say(&format!("stored, goes out at its time (id {id})\n"))?;
    } else {
        let devices = counted(queued);
        say(&format!(
            "stored for {devices}, sent to {sent} now (id {id})\n"
        ))?;
    }
    match &draft.wait {
        Some(patience) => wait::perform(admin, &id, patience),
        None => Ok(()),
    }
}

/// `lanpush withdraw ID`
pub(super) fn withdraw(admin: &Admin, id: &str) -> Result<(), Failure> {
    let path = format!("/api/v1/notifications/{}", percent_encoded(id));
    let Withdrawn { spared, told } = admin.ask("DELETE", &path, NO_BODY)?.json()?;
    let devices = counted(spared);
    say(&format!(
        "withdrawn: {devices} will not get it, {told} told\n"
    ))
}

fn counted(devices: u64) -> String {
    let noun = if devices == 1 { "device" } else { "devices" };
    format!("{devices} {noun}")
}

/// Standard input without the line break `echo` puts at its end.
fn from_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(limits::MESSAGE as u64 + 2)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Run(format!("cannot read the message: {}", plain(&error))))?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    if bytes.len() > limits::MESSAGE {
        let limit = limits::MESSAGE;
        return Err(Failure::Run(format!(
            "message is longer than {limit} bytes"
        )));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::Run("the message on standard input is not UTF-8".to_owned()))
}
