//! Our own API for programs: JSON in, JSON out, below `/api/v1/`.
//!
//! | route | in | out |
//! |---|---|---|
//! | `POST notifications?wait=&for=` | a notification, see `draft` | 202 `{"id","queued","sent"}`, `"scheduled"` or `"reached"` |
//! | `GET notifications?limit=` | | `{"notifications":[…]}`, newest first |
//! | `DELETE notifications?sequence=&to=` | | `{"spared","told"}` |
//! | `GET notifications/ID?wait=&for=&devices=&offset=` | | the notification, its counts and devices |
//! | `DELETE notifications/ID` | | `{"spared","told"}` |
//! | `GET users?online=&offset=&limit=` | | `{"users":[…],"more":…}` by name |
//! | `POST users` | `{"name","password"}` | 201 `{"name"}` |
//! | `PUT users/NAME` | `{"password"}` | `{"name"}` |
//! | `DELETE users/NAME` | | `{"name"}` |
//! | `PUT users/NAME/tags` | `["TAG",…]`, all there are to be | `{"name","tags"}` |
//! | `GET users/NAME/topics` | | `{"topics":[{"topic","resource"}]}` |
//! | `PUT users/NAME/topics/TOPIC?resource=` | | `{"topic","resource"}` |
//! | `DELETE users/NAME/topics/TOPIC?resource=` | | `{"topic","resource"}` |
//! | `GET tokens` | | `{"tokens":[{"id","uses","created","expires","expired","note"}]}` |
//! | `POST tokens` | `{"uses","days","note"}` | 201, the same and `"token"` and `"uri"`, told this once |
//! | `DELETE tokens/ID` | | `{"id"}` |
//! | `GET sessions?limit=` | | `{"sessions":[…]}`, newest first |
//! | `GET status` | | figures; `clock` is `system`, `hints` or `none` |
//!
//! `wait` is in seconds, at most [`limits::HTTP_WAIT`]; `for` is `sent`, `acknowledged` (if left out) or
//! `confirmed`. `resource` names one device, and without it all of the user's are meant. Times are seconds
//! since 1970. A field nobody knows is an error, because it is a typing error. JSON has to say that it is
//! JSON: a web page of another site cannot without asking first, and is not answered.
//! Errors are `{"error":"stable-code","message":"sentence"}`, with `"field"` if one of them is wrong.

mod draft;
mod notifications;
mod tags;
mod tokens;
mod topics;

use std::net::IpAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tiny_http::Method;

use super::Desk;
use super::androidpn::online;
use super::ask::ask;
use super::error::HttpError;
use super::form::{Fields, decoded};
use super::request::{Framing, Request};
use super::response::Response;
use crate::limits;
use crate::push;
use crate::push::views::{Repaired, SessionView, Status, UserView};

/// Answers a request whose path is `/api/v1/` and `route`.
pub(super) async fn answer<D: Desk>(
    desk: &D,
    request: &Request,
    route: &str,
    wait: Duration,
) -> Result<Response, HttpError> {
    let fields = Fields::of_query(&request.head.query)?;
    match (route, request.head.verb()) {
        ("notifications", Method::Get) => notifications::list(desk, &fields),
        ("notifications", Method::Post) => notifications::post(desk, request, &fields, wait).await,
        ("notifications", Method::Delete) => {
            notifications::withdraw_series(desk, &fields, wait).await
        }
        ("notifications", _) => Err(HttpError::method("GET, HEAD, POST, DELETE")),
        ("users", Method::Get) => users(desk, &fields),
        ("users", Method::Post) => post_user(desk, request, wait).await,
        ("users", _) => Err(HttpError::method("GET, HEAD, POST")),
        ("tokens", Method::Get) => tokens::list(desk, &fields),
        ("tokens", Method::Post) => tokens::post(desk, request, &fields, wait).await,
        ("tokens", _) => Err(HttpError::method("GET, HEAD, POST")),
        ("sessions", Method::Get) => sessions(desk, &fields),
        ("status", Method::Get) => {
            fields.only(&[])?;
            Ok(Response::json(200, &StatusOut::from(desk.status())))
        }
        ("sessions" | "status", _) => Err(HttpError::method("GET, HEAD")),
        _ => below(desk, request, route, &fields, wait).await,
    }
}

/// Answers for what has a name of its own in its path.
async fn below<D: Desk>(
    desk: &D,
    request: &Request,
    route: &str,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    let mut parts = Vec::new();
    for part in route.splitn(5, '/') {
        parts.push(decoded(part.as_bytes(), false)?);
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (parts.as_slice(), request.head.verb()) {
        (["notifications", id], Method::Get) => notifications::one(desk, id, fields).await,
        (["notifications", id], Method::Delete) => {
            fields.only(&[])?;
            notifications::withdraw(desk, id, wait).await
        }
        (["notifications", _], _) => Err(HttpError::method("GET, HEAD, DELETE")),
        (["tokens", id], verb) => tokens::remove(desk, verb, id, fields, wait).await,
        (["users", name], _) => one_user(desk, request, (*name).to_owned(), wait).await,
        (["users", name, "tags"], _) => tags::set(desk, request, name, fields, wait).await,
        (["users", name, "topics"], Method::Get) => topics::list(desk, name, fields),
        (["users", _, "topics"], _) => Err(HttpError::method("GET, HEAD")),
        (["users", name, "topics", topic], verb) => {
            topics::change(desk, verb, name, topic, fields, wait).await
        }
        _ => Err(HttpError::not_found()),
    }
}

/// An error as the API says it.
pub(super) fn failure(error: &HttpError) -> Response {
    #[derive(Serialize)]
    struct Out<'a> {
        error: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'a str>,
    }
    let out = Out {
        error: error.code,
        message: &error.message,
        field: error.field,
    };
    Response::json(error.status, &out)
}

// ---- users -----------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserIn {
    name: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordIn {
    password: String,
}

#[derive(Serialize)]
struct NameOut {
    name: String,
}

async fn post_user<D: Desk>(
    desk: &D,
    request: &Request,
    wait: Duration,
) -> Result<Response, HttpError> {
    let UserIn { name, password } = read_json(request)?;
    let out = NameOut { name: name.clone() };
    ask(desk, push::Request::AddUser { name, password }, wait).await?;
    Ok(Response::json(201, &out))
}

async fn one_user<D: Desk>(
    desk: &D,
    request: &Request,
    name: String,
    wait: Duration,
) -> Result<Response, HttpError> {
    let out = NameOut { name: name.clone() };
    let order = match request.head.verb() {
        Method::Put => {
            let PasswordIn { password } = read_json(request)?;
            push::Request::SetPassword { name, password }
        }
        Method::Delete => push::Request::RemoveUser { name },
        _ => return Err(HttpError::method("PUT, DELETE")),
    };
    ask(desk, order, wait).await?;
    Ok(Response::json(200, &out))
}

#[derive(Serialize)]
struct UsersOut {
    users: Vec<UserOut>,
    /// Whether there are users behind these.
    more: bool,
}

#[derive(Serialize)]
struct UserOut {
    name: String,
    online: bool,
    full_name: String,
    email: String,
    alias: String,
    tags: Vec<String>,
    created: u64,
    waiting: usize,
}

impl From<UserView> for UserOut {
    fn from(view: UserView) -> Self {
        Self {
            name: view.name,
            online: view.online,
            full_name: view.full_name,
            email: view.email,
            alias: view.alias,
            tags: view.tags,
            created: view.created,
            waiting: view.waiting,
        }
    }
}

fn users<D: Desk>(desk: &D, fields: &Fields) -> Result<Response, HttpError> {
    fields.only(&["online", "offset", "limit"])?;
    let offset = number(fields, "offset", 0, limits::ACCOUNTS)?;
    let limit = number(fields, "limit", limits::PAGE_ROWS, limits::API_ROWS)?;
    let mut views = desk.users(online(fields)?, offset, limit + 1)?;
    let more = views.len() > limit;
    views.truncate(limit);
    let users = views.into_iter().map(UserOut::from).collect();
    Ok(Response::json(200, &UsersOut { users, more }))
}

// ---- sessions and status ---------------------------------------------------------------------

#[derive(Serialize)]
struct SessionsOut {
    sessions: Vec<SessionOut>,
}

#[derive(Serialize)]
struct SessionOut {
    user: String,
    resource: String,
    status: &'static str,
    presence: &'static str,
    peer: IpAddr,
    created: u64,
}

impl From<SessionView> for SessionOut {
    fn from(view: SessionView) -> Self {
        Self {
            user: view.user,
            resource: view.resource,
            status: view.status,
            presence: view.presence,
            peer: view.peer.to_canonical(),
            created: view.created,
        }
    }
}

fn sessions<D: Desk>(desk: &D, fields: &Fields) -> Result<Response, HttpError> {
    fields.only(&["limit"])?;
    let limit = number(fields, "limit", limits::PAGE_ROWS, limits::API_ROWS)?;
    let sessions = desk
        .sessions(limit)
        .into_iter()
        .map(SessionOut::from)
        .collect();
    Ok(Response::json(200, &SessionsOut { sessions }))
}

#[derive(Serialize)]
struct StatusOut {
    version: &'static str,
    users: usize,
    users_online: usize,
    connections: usize,
    sessions: usize,
    asleep: usize,
    waiting: usize,
    notifications: usize,
    scheduled: usize,
    dropped: u64,
    expired: u64,
    withdrawn: u64,
    uptime: u64,
    clock: &'static str,
    trouble: Option<String>,
    warnings: Vec<String>,
    written: WrittenOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    repaired: RepairedOut,
}

#[derive(Serialize)]
struct WrittenOut {
    today: u64,
    total: u64,
    budget: u64,
}

#[derive(Serialize)]
struct RepairedOut {
    leftovers_removed: u64,
    snapshots_dropped: u64,
    set_aside: u64,
    restored: u64,
    started_empty: u64,
    damaged_records: u64,
}

impl From<Repaired> for RepairedOut {
    fn from(repaired: Repaired) -> Self {
        Self {
            leftovers_removed: repaired.leftovers_removed,
            snapshots_dropped: repaired.snapshots_dropped,
            set_aside: repaired.set_aside,
            restored: repaired.restored,
            started_empty: repaired.started_empty,
            damaged_records: repaired.damaged_records,
        }
    }
}

impl From<Status> for StatusOut {
    fn from(status: Status) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            users: status.users,
            users_online: status.users_online,
            connections: status.connections,
            sessions: status.sessions,
            asleep: status.asleep,
            waiting: status.waiting,
            notifications: status.notifications,
            scheduled: status.scheduled,
            dropped: status.dropped,
            expired: status.expired,
            withdrawn: status.withdrawn,
            uptime: status.uptime,
            clock: status.clock.as_str(),
            trouble: status.trouble,
            warnings: status.warnings,
            written: WrittenOut {
                today: status.written.today,
                total: status.written.total,
                budget: status.written.budget,
            },
            fingerprint: status.fingerprint,
            repaired: status.repaired.into(),
        }
    }
}

// ---- input -----------------------------------------------------------------------------------

fn read_json<T: DeserializeOwned>(request: &Request) -> Result<T, HttpError> {
    if request.head.framing()? == Framing::None {
        return Err(HttpError::new(411, "no-body", "JSON is wanted in the body"));
    }
    let kind = request.head.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let message = "the body has to be JSON; say so with Content-Type: application/json";
        return Err(HttpError::new(415, "content-type", message));
    }
    serde_json::from_slice(&request.body).map_err(|error| {
        let code = if error.is_data() {
            "invalid-field"
        } else {
            "not-json"
        };
        HttpError::bad(code, error.to_string())
    })
}

/// A number from a query, at most `most`; 0 stands for nothing only where it can be an `offset`.
fn number(
    fields: &Fields,
    name: &'static str,
    default: usize,
    most: usize,
) -> Result<usize, HttpError> {
    let text = fields.trimmed(name);
    if text.is_empty() {
        return Ok(default);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number <= most => Ok(number),
        _ => Err(HttpError::bad(
            "invalid-field",
            format!("{name} wants a number up to {most}"),
        )),
    }
}
