//! What HTTP asks of the gateway, and how long it waits for the answer.

use std::time::Duration;

use super::Desk;
use super::connection::within;
use super::error::HttpError;
use crate::push::notification::NotificationId;
use crate::push::{Done, Draft, Request};

/// A push that has been taken: everything that follows is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Its identity.
    pub(super) id: NotificationId,
    /// Devices it is kept for.
    pub(super) queued: usize,
    /// Those among them that are connected.
    pub(super) sent: usize,
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
    let nothing = [&draft.title, &draft.message, &draft.uri];
    if nothing.iter().all(|text| text.trim().is_empty()) {
        let message = "there is nothing to send: title, message and uri are all empty";
        return Err(HttpError::bad("nothing-to-send", message));
    }
    match ask(desk, Request::Notify(draft), wait).await? {
        Done::Accepted { id, queued, sent } => Ok(Accepted { id, queued, sent }),
        Done::Scheduled { id } => Ok(Accepted {
            id,
            queued: 0,
            sent: 0,
        }),
        _ => Err(HttpError::new(
            500,
            "no-answer",
            "the gateway gave another answer",
        )),
    }
}
