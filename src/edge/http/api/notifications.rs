//! Notifications of programs: pushed, looked at, waited for, taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::draft::DraftIn;
use super::{number, read_json};
use crate::edge::http::Desk;
use crate::edge::http::ask;
use crate::edge::http::error::HttpError;
use crate::edge::http::form::Fields;
use crate::edge::http::request::Request;
use crate::edge::http::response::Response;
use crate::limits;
use crate::push::notification::{DeliveryState, Link, NotificationId, Target};
use crate::push::views::{DeliveryView, NotificationView};
use crate::push::{Refusal, Until, Withdrawal};

#[derive(Serialize)]
struct AcceptedOut {
    id: String,
    queued: usize,
    sent: usize,
    /// Only there if it waits for its time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    scheduled: bool,
    /// Only there if that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
}

/// `POST notifications`
pub(super) async fn post<D: Desk>(
    desk: &D,
    request: &Request,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    fields.only(&["wait", "for"])?;
    let patience = patience(fields)?;
    let draft = read_json::<DraftIn>(request)?.draft()?;
    let accepted = ask::notify(desk, draft, wait).await?;
    let reached = match patience {
        None => None,
        Some((until, wait)) => {
            let reached = ask::reached(desk, accepted.id, until, wait).await;
            // It has been taken, whatever becomes of the wait.
            Some(reached.unwrap_or(false))
        }
    };
    let out = AcceptedOut {
        id: accepted.id.to_string(),
        queued: accepted.queued,
        sent: accepted.sent,
        scheduled: accepted.scheduled,
        reached,
    };
    Ok(Response::json(202, &out))
}

/// `GET notifications`
pub(super) fn list<D: Desk>(desk: &D, fields: &Fields) -> Result<Response, HttpError> {
    #[derive(Serialize)]
    struct Out {
        notifications: Vec<NotificationOut>,
    }
    fields.only(&["limit"])?;
    let limit = number(fields, "limit", limits::CONSOLE_ROWS, limits::PAGE_ROWS)?;
    let views = desk.notifications(limit, limits::API_DEVICES)?;
    let notifications = views.into_iter().map(NotificationOut::from).collect();
    Ok(Response::json(200, &Out { notifications }))
}

/// `GET notifications/ID`
pub(super) async fn one<D: Desk>(
    desk: &D,
    id: &str,
    fields: &Fields,
) -> Result<Response, HttpError> {
    #[derive(Serialize)]
    struct Out {
        #[serde(flatten)]
        notification: NotificationOut,
        /// Only there if that was waited for.
        #[serde(skip_serializing_if = "Option::is_none")]
        reached: Option<bool>,
    }
    fields.only(&["wait", "for", "devices", "offset"])?;
    let id = known(id)?;
    let devices = number(fields, "devices", limits::API_DEVICES, limits::API_ROWS)?;
    let offset = number(fields, "offset", 0, usize::MAX)?;
    let reached = match patience(fields)? {
        None => None,
        Some((until, wait)) => Some(ask::reached(desk, id, until, wait).await?),
    };
    let view = desk.notification(id, offset, devices)?;
    let view = view.ok_or(HttpError::from(Refusal::NoNotification))?;
    let out = Out {
        notification: view.into(),
        reached,
    };
    Ok(Response::json(200, &out))
}

/// `DELETE notifications/ID`
pub(super) async fn withdraw<D: Desk>(
    desk: &D,
    id: &str,
    wait: Duration,
) -> Result<Response, HttpError> {
    take_back(desk, Withdrawal::Id(known(id)?), wait).await
}

/// `DELETE notifications?sequence=&to=`
pub(super) async fn withdraw_series<D: Desk>(
    desk: &D,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    fields.only(&["sequence", "to"])?;
    let sequence = fields.get("sequence").unwrap_or_default();
    let target = fields.trimmed("to").parse::<Target>();
    let (false, Ok(target)) = (sequence.is_empty(), target) else {
        let message = "sequence and to are wanted, as they were when it was sent";
        return Err(HttpError::bad("missing-field", message));
    };
    let withdrawal = Withdrawal::Sequence {
        sequence: sequence.to_owned(),
        target,
        sender: String::new(),
    };
    take_back(desk, withdrawal, wait).await
}

async fn take_back<D: Desk>(
    desk: &D,
    withdrawal: Withdrawal,
    wait: Duration,
) -> Result<Response, HttpError> {
    #[derive(Serialize)]
    struct Out {
        spared: usize,
        told: usize,
    }
    let (spared, told) = ask::withdraw(desk, withdrawal, wait).await?;
    Ok(Response::json(200, &Out { spared, told }))
}

/// The id that a text is: what is none names nothing.
fn known(text: &str) -> Result<NotificationId, HttpError> {
    text.parse().map_err(|_| Refusal::NoNotification.into())
}

/// What a request waits for, and how long.
fn patience(fields: &Fields) -> Result<Option<(Until, Duration)>, HttpError> {
    let most = usize::try_from(limits::HTTP_WAIT.as_secs()).unwrap_or(usize::MAX);
    let seconds = number(fields, "wait", 0, most)?;
    let until = match fields.trimmed("for") {
        "sent" => Until::Sent,
        "" | "acknowledged" => Until::Acknowledged,
        "confirmed" => Until::Confirmed,
        _ => {
            let message = "for wants sent, acknowledged or confirmed";
            return Err(HttpError::bad("invalid-field", message));
        }
    };
    let given = !fields.trimmed("wait").is_empty();
    Ok(given.then_some((until, Duration::from_secs(seconds as u64))))
}

#[derive(Serialize)]
struct NotificationOut {
    id: String,
    to: String,
    title: String,
    message: String,
    uri: String,
    image: String,
    priority: u8,
    tags: Vec<String>,
    actions: Vec<LinkOut>,
    silent: bool,
    sequence: String,
    ttl: u32,
    deliver_at: u64,
    created: u64,
    scheduled: bool,
    /// When it expires.
    expires: Option<u64>,
    /// How it ended for those who had not got it by then.
    over: Option<OverOut>,
    /// Devices it is for.
    total: usize,
    /// Devices in each state.
    counts: BTreeMap<&'static str, usize>,
    /// Some of them.
    deliveries: Vec<DeliveryOut>,
}

#[derive(Serialize)]
struct LinkOut {
    label: String,
    uri: String,
}

#[derive(Serialize)]
struct OverOut {
    state: &'static str,
    at: u64,
}

#[derive(Serialize)]
struct DeliveryOut {
    device: String,
    state: &'static str,
    /// When this state was reached.
    at: u64,
    queued: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<u64>,
}

impl From<NotificationView> for NotificationOut {
    fn from(view: NotificationView) -> Self {
        let notification = view.notification;
        let extras = notification.extras;
        let link = |Link { label, uri }| LinkOut { label, uri };
        let over = |(state, at): (DeliveryState, u64)| OverOut {
            state: state.as_str(),
            at,
        };
        let words = DeliveryState::ALL.map(DeliveryState::as_str);
        Self {
            id: notification.id.to_string(),
            to: notification.target.to_string(),
            title: notification.title,
            message: notification.message,
            uri: notification.uri,
            image: extras.image,
            priority: extras.priority.number(),
            tags: extras.tags,
            actions: extras.actions.into_iter().map(link).collect(),
            silent: extras.silent,
            sequence: extras.sequence,
            ttl: extras.ttl,
            deliver_at: extras.deliver_at,
            created: notification.id.seconds(),
            scheduled: view.scheduled,
            expires: view.expires,
            over: view.over.map(over),
            total: view.total,
            counts: words.into_iter().zip(view.counts).collect(),
            deliveries: view.deliveries.into_iter().map(DeliveryOut::from).collect(),
        }
    }
}

impl From<DeliveryView> for DeliveryOut {
    fn from(view: DeliveryView) -> Self {
        let reached = |second: u64| (second > 0).then_some(second);
        Self {
            device: view.device,
            state: view.state.as_str(),
            at: view.at,
            queued: view.queued,
            sent: reached(view.sent),
            acknowledged: reached(view.acknowledged),
        }
    }
}
