//! `lanpush send TO MESSAGE`: a notification from a terminal or a script.

use std::io::{self, Read as _};

use lanpush::limits;
use serde::{Deserialize, Serialize};

use super::admin::Admin;
use super::{Failure, plain, say};

/// A notification as the arguments have it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub to: String,
    pub message: String,
    pub title: Option<String>,
    pub uri: Option<String>,
}

impl Draft {
    /// A flag that was given and makes sense with `send` only.
    pub(super) fn flag(&self) -> Option<&'static str> {
        let title = self.title.as_ref().map(|_| "--title");
        title.or(self.uri.as_ref().map(|_| "--uri"))
    }
}

#[derive(Serialize)]
struct Notification<'a> {
    to: &'a str,
    title: &'a str,
    message: &'a str,
    uri: &'a str,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
    queued: u64,
    sent: u64,
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
    };
    let accepted: Accepted = admin
        .ask("POST", "/api/v1/notifications", Some(&notification))?
        .json()?;
    let Accepted { id, queued, sent } = accepted;
    let devices = if queued == 1 { "device" } else { "devices" };
    say(&format!(
        "stored for {queued} {devices}, sent to {sent} now (id {id})\n"
    ))
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
