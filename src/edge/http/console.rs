//! Pages for people: the console, and androidpn's pages of users, sessions and notifications.

use std::time::Duration;

use tiny_http::Method;

use super::Desk;
use super::androidpn::draft;
use super::ask::{Accepted, notify, withdraw};
use super::error::HttpError;
use super::form::Fields;
use super::page::{self, Notice, Overview};
use super::request::Request;
use super::response::Response;
use super::routes::with_hints;
use super::send_form::SendForm;
use crate::limits;
use crate::push::notification::NotificationId;
use crate::push::{Refusal, Withdrawal};

/// `/` and `/index.do`: everything at a glance, and the form to send.
pub(super) async fn home<D: Desk>(
    desk: &D,
    request: &Request,
    wait: Duration,
) -> Result<Response, HttpError> {
    let fields = Fields::of(request)?;
    if *request.head.verb() != Method::Post {
        let notice = sent_before(&fields);
        return overview(desk, &form(&fields, "/"), notice.as_ref(), 200);
    }
    match send(desk, &fields, wait).await {
        // Showing the page by a request of its own keeps a reload from sending twice.
        Ok(accepted) => Ok(Response::redirect(303, home_after(&accepted))),
        Err(error) => {
            let notice = Notice::Failed(&error.message);
            let page = overview(desk, &form(&fields, "/"), Some(&notice), error.status)?;
            Ok(with_hints(page, &error))
        }
    }
}

/// `/user.do`
pub(super) fn users<D: Desk>(desk: &D, fields: &Fields) -> Result<Response, HttpError> {
    let offset = fields
        .trimmed("offset")
        .parse()
        .unwrap_or(0)
        .min(limits::ACCOUNTS);
    let mut users = desk.users(None, offset, limits::PAGE_ROWS + 1)?;
    let more = users.len() > limits::PAGE_ROWS;
    users.truncate(limits::PAGE_ROWS);
    Ok(Response::page(200, page::users(&users, offset, more)))
}

/// `/session.do`
pub(super) fn sessions<D: Desk>(desk: &D) -> Result<Response, HttpError> {
    let sessions = desk.sessions(limits::PAGE_ROWS);
    let total = desk.status().connections;
    Ok(Response::page(200, page::sessions(&sessions, total)))
}

/// `/notification.do`: the form and what has been sent; with `action=send`, a push; by POST with
/// `action=withdraw`, the end of one.
pub(super) async fn notifications<D: Desk>(
    desk: &D,
    fields: &Fields,
    is_get: bool,
    wait: Duration,
) -> Result<Response, HttpError> {
    let result = match fields.trimmed("action") {
        "send" => send(desk, fields, wait)
            .await
            .map(|_| Some("/notification.do".to_owned())),
        "withdraw" if !is_get => take_back(desk, fields, wait).await.map(Some),
        "" | "list" if is_get => Ok(None),
        _ => Err(HttpError::bad(
            "action",
            "nothing is sent without action=send",
        )),
    };
    let error = match result {
        Ok(Some(location)) => return Ok(Response::redirect(302, location)),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    let notice = match &error {
        Some(error) => Some(Notice::Failed(&error.message)),
        None => withdrawn_before(fields),
    };
    let views = desk.notifications(limits::PAGE_ROWS, limits::PAGE_DEVICES)?;
    let form = form(fields, "/notification.do?action=send");
    let html = page::notifications(&views, &form, notice.as_ref(), desk.now().wall);
    let response = Response::page(error.as_ref().map_or(200, |error| error.status), html);
    Ok(match error {
        Some(error) => with_hints(response, &error),
        None => response,
    })
}

async fn send<D: Desk>(desk: &D, fields: &Fields, wait: Duration) -> Result<Accepted, HttpError> {
    notify(desk, draft(fields)?, wait).await
}

/// Takes a notification back, and tells where the browser goes after that.
async fn take_back<D: Desk>(
    desk: &D,
    fields: &Fields,
    wait: Duration,
) -> Result<String, HttpError> {
    let id = fields.trimmed("id").parse();
    let id = id.map_err(|_| HttpError::from(Refusal::NoNotification))?;
    let (spared, told) = withdraw(desk, Withdrawal::Id(id), wait).await?;
    Ok(format!("/notification.do?spared={spared}&told={told}"))
}

/// What [`take_back`] says.
fn withdrawn_before(fields: &Fields) -> Option<Notice<'static>> {
    Some(Notice::Withdrawn {
        spared: fields.trimmed("spared").parse().ok()?,
        told: fields.trimmed("told").parse().ok()?,
    })
}

fn overview<D: Desk>(
    desk: &D,
    form: &SendForm<'_>,
    notice: Option<&Notice<'_>>,
    status: u16,
) -> Result<Response, HttpError> {
    let overview = Overview {
        status: desk.status(),
        users: desk.users(None, 0, limits::CONSOLE_ROWS)?,
        sessions: desk.sessions(limits::CONSOLE_ROWS),
        notifications: desk.notifications(limits::CONSOLE_ROWS, limits::PAGE_DEVICES)?,
        now: desk.now().wall,
    };
    Ok(Response::page(status, page::home(&overview, form, notice)))
}

/// The form as it was filled in, or as a link in the table of users fills it in (`?to=`).
fn form<'a>(fields: &'a Fields, action: &'static str) -> SendForm<'a> {
    let to = fields.trimmed("to");
    let (kind, who) = match fields.trimmed("broadcast") {
        "" if !to.is_empty() => ("1", to),
        kind => (kind, fields.trimmed("who")),
    };
    let named = || {
        let names = ["username", "alias", "tag", "topic"].into_iter();
        let mut values = names.map(|name| fields.trimmed(name));
        values.find(|value| !value.is_empty()).unwrap_or_default()
    };
    SendForm {
        action,
        kind,
        who: if who.is_empty() { named() } else { who },
        title: fields.get("title").unwrap_or_default(),
        message: fields.get("message").unwrap_or_default(),
        uri: fields.get("uri").unwrap_or_default(),
        image: fields.trimmed("image"),
        priority: fields.trimmed("priority"),
        ttl: fields.trimmed("ttl"),
    }
}

/// Where the browser goes after a push: nothing of the request is in it.
fn home_after(accepted: &Accepted) -> String {
    let Accepted {
        id, queued, sent, ..
    } = accepted;
    format!("/?sent={id}&queued={queued}&now={sent}")
}

/// What [`home_after`] says.
fn sent_before(fields: &Fields) -> Option<Notice<'_>> {
    let number = |name| fields.trimmed(name).parse::<usize>().ok();
    fields.trimmed("sent").parse::<NotificationId>().ok()?;
    Some(Notice::Sent {
        queued: number("queued")?,
        now: number("now")?,
    })
}
