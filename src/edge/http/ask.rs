//! What HTTP asks of the gateway, and how long it waits for the answer.

use std::time::Duration;

use super::Desk;
use super::connection::within;
use super::error::HttpError;
use crate::push::invitations::{NewToken, TokenDraft};
use crate::push::notification::NotificationId;
use crate::push::{Done, Draft, Refusal, Request, Until, Withdrawal};

/// A push that has been taken: everything that follows is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Its identity.
    pub(super) id: NotificationId,
    /// Devices it is kept for.
    pub(super) queued: usize,
    /// Those among them that are connected.
    pub(super) sent: usize,
    /// Whether it waits for its time instead.
    pub(super) scheduled: bool,
}

/// Has the gateway carry out `request`.
pub(super) async fn ask<D: Desk>(
    desk: &D,
    request: Request,
    wait: Duration,
) -> Result<Done, HttpError> {
    match within(wait, desk.ask(request)).await {
        Some(answer) => answer.map_err(HttpError::from),
        None => Err(HttpError::new(
            503,
            "no-answer",
            "the disk has not answered in time; the request may still be carried out",
        )),
    }
}

/// Has the gateway push `draft`.
pub(super) async fn notify<D: Desk>(
    desk: &D,
    draft: Draft,
    wait: Duration,
) -> Result<Accepted, HttpError> {
    let accepted = |id, queued, sent, scheduled| Accepted {
        id,
        queued,
        sent,
        scheduled,
    };
    let asked = ask(desk, Request::Notify(draft), wait).await;
    let asked = asked.map_err(|error| match error.code {
        "unknown-target" => HttpError {
            field: Some("to"),
            ..error
        },
        _ => error,
    });
    match asked? {
        Done::Accepted { id, queued, sent } => Ok(accepted(id, queued, sent, false)),
        Done::Scheduled { id } => Ok(accepted(id, 0, 0, true)),
        _ => Err(other_answer()),
    }
}

/// Has the gateway take something back; tells how many devices are spared, and how many told.
pub(super) async fn withdraw<D: Desk>(
    desk: &D,
    withdrawal: Withdrawal,
    wait: Duration,
) -> Result<(usize, usize), HttpError> {
    match ask(desk, Request::Withdraw(withdrawal), wait).await? {
        Done::Withdrawn { spared, told } => Ok((spared, told)),
        _ => Err(other_answer()),
    }
}

/// A token that has been made, and how an app is told of it.
pub(super) struct Invitation {
    pub(super) new: NewToken,
    /// XEP-0445: what Conversations and others open.
    pub(super) uri: String,
}

/// Has the gateway make a token.
pub(super) async fn invite<D: Desk>(
    desk: &D,
    draft: TokenDraft,
    wait: Duration,
) -> Result<Invitation, HttpError> {
    match ask(desk, Request::AddToken(draft), wait).await? {
        Done::Invited(new) => Ok(Invitation {
            uri: format!(
                "xmpp:{}?register;preauth={}",
                desk.config().server.domain,
                new.token.0
            ),
            new: *new,
        }),
        _ => Err(other_answer()),
    }
}

/// Waits until a notification has got somewhere, and tells whether it has reached every device it is for, of
/// which there has to be one.
pub(super) async fn reached<D: Desk>(
    desk: &D,
    id: NotificationId,
    until: Until,
    wait: Duration,
) -> Result<bool, HttpError> {
    let Some(_seat) = desk.seat_to_wait() else {
        return Err(Refusal::Busy.into());
    };
    match within(wait, desk.ask(Request::Wait { id, until })).await {
        None => Ok(false),
        Some(Ok(Done::Settled { reached, devices })) => Ok(devices > 0 && reached == devices),
        Some(Ok(_)) => Err(other_answer()),
        Some(Err(refusal)) => Err(refusal.into()),
    }
}

fn other_answer() -> HttpError {
    HttpError::new(500, "no-answer", "the gateway gave another answer")
}
