//! Pages for people: the console, and androidpn's pages of users, sessions and notifications.

use std::time::Duration;

use tiny_http::Method;

use super::Desk;
use super::androidpn::draft;
use super::ask::{Accepted, Invitation, ask, invite, notify, withdraw};
use super::error::HttpError;
use super::form::Fields;
use super::html::Parameter;
use super::page::{self, Notice, Overview};
use super::people;
use super::request::Request;
use super::response::Response;
use super::routes::with_hints;
use super::send_form::SendForm;
use crate::config::Registration;
use crate::limits;
use crate::push::invitations::TokenDraft;
use crate::push::notification::{NotificationId, Target};
use crate::push::views::UserView;
use crate::push::{self, Refusal, TopicOf, Withdrawal};

/// `/` and `/index.do`: everything at a glance, and the form to send.
pub(super) async fn home<D: Desk>(
    desk: &D,
    request: &Request,
    wait: Duration,
) -> Result<Response, HttpError> {
    let fields = Fields::of(request)?;
    if *request.head.verb() != Method::Post {
        let notice = sent_before(&fields);
        return overview(desk, &fields, notice.as_ref(), None);
    }
    match send(desk, &fields, wait).await {
        // Showing the page by a request of its own keeps a reload from sending twice.
        Ok(accepted) => Ok(Response::redirect(303, home_after(&accepted))),
        Err(error) => {
            let notice = Notice::Failed(&error.message);
            let page = overview(desk, &fields, Some(&notice), Some(&error))?;
            Ok(with_hints(page, &error))
        }
    }
}

/// `/user.do`: the list, with `name=` one user; by POST with `action=subscribe` or `unsubscribe`, topics, with
/// `tags` all tags of a user, and with `invite` a token.
pub(super) async fn users<D: Desk>(
    desk: &D,
    fields: &Fields,
    is_get: bool,
    wait: Duration,
) -> Result<Response, HttpError> {
    if !is_get && fields.trimmed("action") == "invite" {
        return invite_somebody(desk, fields, wait).await;
    }
    let name = fields.trimmed("name");
    if is_get && name.is_empty() {
        return user_list(desk, fields, 200, None);
    }
    let result = match fields.trimmed("action") {
        "" if is_get => Ok(()),
        action @ ("subscribe" | "unsubscribe") if !is_get => {
            let topic = TopicOf {
                topic: fields.trimmed("topic").to_owned(),
                user: name.to_owned(),
                resource: Some(fields.get("resource").unwrap_or_default())
                    .filter(|resource| !resource.is_empty())
                    .map(str::to_owned),
            };
            change_topics(desk, action == "subscribe", topic, wait).await
        }
        "tags" if !is_get => set_tags(desk, name, fields, wait).await,
        _ => Err(HttpError::bad(
            "action",
            "nothing is changed without its action",
        )),
    };
    if result.is_ok() && !is_get {
        let done = match fields.trimmed("action") {
            "tags" => "tags",
            _ => "topics",
        };
        let location = format!("/user.do?name={}&done={done}", Parameter(name));
        return Ok(Response::redirect(303, location));
    }
    let unknown = || HttpError::from(Refusal::Unknown(Target::User(name.to_owned())));
    let details = desk.user(name)?.ok_or_else(unknown)?;
    let topics = desk.topics(name).unwrap_or_default();
    let notice = match &result {
        Err(error) => Some(Notice::Failed(&error.message)),
        Ok(()) => match fields.trimmed("done") {
            "topics" => Some(Notice::Topics),
            "tags" => Some(Notice::Tags),
            _ => None,
        },
    };
    let wrong = result.as_ref().err().and_then(|error| error.field);
    let html = people::user(&details, &topics, fields, wrong, notice.as_ref());
    Ok(match result {
        Ok(()) => Response::page(200, html),
        Err(error) => with_hints(Response::page(error.status, html), &error),
    })
}

async fn change_topics<D: Desk>(
    desk: &D,
    wanted: bool,
    topic: TopicOf,
    wait: Duration,
) -> Result<(), HttpError> {
    if topic.topic.is_empty() {
        return Err(HttpError::field("topic", "topic is empty"));
    }
    let request = match wanted {
        true => push::Request::Subscribe(topic),
        false => push::Request::Unsubscribe(topic),
    };
    ask(desk, request, wait).await.map(drop)
}

/// What stands between commas; an empty field takes all tags away.
async fn set_tags<D: Desk>(
    desk: &D,
    name: &str,
    fields: &Fields,
    wait: Duration,
) -> Result<(), HttpError> {
    // A form that came without the field would take them away as well.
    let Some(tags) = fields.get("tags") else {
        return Err(HttpError::field("tags", "there is no field tags"));
    };
    let tags = tags.split([',', '，']).map(str::trim);
    let tags = tags.filter(|tag| !tag.is_empty()).map(str::to_owned);
    let request = push::Request::SetTags {
        name: name.to_owned(),
        tags: tags.collect(),
    };
    ask(desk, request, wait).await.map(drop)
}

/// Makes a token and shows it: it must not stand in an address, so there is no redirect, and a reload, which the
/// browser asks about, makes another.
async fn invite_somebody<D: Desk>(
    desk: &D,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    match invite(desk, TokenDraft::default(), wait).await {
        Ok(Invitation { new, uri }) => {
            let notice = Notice::Invited {
                uri: &uri,
                expires: new.view.expires,
            };
            user_list(desk, fields, 200, Some(&notice))
        }
        Err(error) => {
            let notice = Notice::Failed(&error.message);
            let page = user_list(desk, fields, error.status, Some(&notice))?;
            Ok(with_hints(page, &error))
        }
    }
}

fn user_list<D: Desk>(
    desk: &D,
    fields: &Fields,
    status: u16,
    notice: Option<&Notice<'_>>,
) -> Result<Response, HttpError> {
    let offset = fields.trimmed("offset").parse().unwrap_or(0);
    let offset = offset.min(limits::ACCOUNTS);
    let mut users = desk.users(None, offset, limits::PAGE_ROWS + 1)?;
    let more = users.len() > limits::PAGE_ROWS;
    users.truncate(limits::PAGE_ROWS);
    let with_topics = |user: UserView| {
        let topics = desk.topics(&user.name).unwrap_or_default();
        (user, topics)
    };
    let rows: Vec<_> = users.into_iter().map(with_topics).collect();
    let invites = desk.config().xmpp.registration != Registration::Closed;
    let html = people::users(&rows, offset, more, invites, notice);
    Ok(Response::page(status, html))
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
    let form = SendForm {
        action: "/notification.do?action=send",
        fields,
        wrong: error.as_ref().and_then(|error| error.field),
        now: desk.now().wall,
    };
    let html = page::notifications(&views, &form, notice.as_ref(), form.now);
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
    fields: &Fields,
    notice: Option<&Notice<'_>>,
    error: Option<&HttpError>,
) -> Result<Response, HttpError> {
    let form = SendForm {
        action: "/",
        fields,
        wrong: error.and_then(|error| error.field),
        now: desk.now().wall,
    };
    let status = error.map_or(200, |error| error.status);
    let overview = Overview {
        status: desk.status(),
        users: desk.users(None, 0, limits::CONSOLE_ROWS)?,
        sessions: desk.sessions(limits::CONSOLE_ROWS),
        notifications: desk.notifications(limits::CONSOLE_ROWS, limits::PAGE_DEVICES)?,
        now: desk.now().wall,
    };
    Ok(Response::page(status, page::home(&overview, &form, notice)))
}

/// Where the browser goes after a push: nothing of the request is in it.
fn home_after(accepted: &Accepted) -> String {
    let Accepted {
        id,
        queued,
        sent,
        scheduled,
    } = accepted;
    if *scheduled {
        return format!("/?sent={id}&scheduled=yes");
    }
    format!("/?sent={id}&queued={queued}&now={sent}")
}

/// What [`home_after`] says.
fn sent_before(fields: &Fields) -> Option<Notice<'_>> {
    let number = |name| fields.trimmed(name).parse::<usize>().ok();
    fields.trimmed("sent").parse::<NotificationId>().ok()?;
    if fields.trimmed("scheduled") == "yes" {
        return Some(Notice::Scheduled);
    }
    Some(Notice::Sent {
        queued: number("queued")?,
        now: number("now")?,
    })
}
