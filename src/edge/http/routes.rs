//! Which page answers a request, and what an error looks like there.

use std::time::Duration;

use tiny_http::Method;

use super::date::parse_http_date;
use super::error::HttpError;
use super::form::Fields;
use super::request::{Head, Request};
use super::response::Response;
use super::{Desk, androidpn, api, console, page};

/// Where the API begins.
const API: &str = "/api/";
/// Its only version.
const API_V1: &str = "/api/v1/";
/// Methods of pages that also take forms.
const FORM: &str = "GET, HEAD, POST";

/// What the answers of a page look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// HTML for people.
    Page,
    /// JSON of our API.
    Api,
    /// JSON of androidpn's `notification_api.do`.
    Outcome,
}

impl Shape {
    /// The shape of the page at `path`, be there one or not.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/notification_api.do" => Self::Outcome,
            "/user_api.do" => Self::Api,
            path if path.starts_with(API) => Self::Api,
            _ => Self::Page,
        }
    }

    /// An error in this shape.
    pub(super) fn of_error(self, error: &HttpError) -> Response {
        let response = match self {
            Self::Page => page::failure(error),
            Self::Api => api::failure(error),
            Self::Outcome => androidpn::failure(error),
        };
        with_hints(response, error)
    }
}

/// Adds the headers that some errors have to carry.
pub(super) fn with_hints(response: Response, error: &HttpError) -> Response {
    let response = match error.allow {
        Some(methods) => response.with("Allow", methods),
        None => response,
    };
    match error.status {
        503 => response.with("Retry-After", "5"),
        _ => response,
    }
}

/// Whether a request would change anything: `action=send` makes even a GET a push.
pub(super) fn changes(head: &Head) -> bool {
    let sends = || {
        let fields = Fields::of_query(&head.query).unwrap_or_default();
        fields.trimmed("action") == "send"
    };
    *head.verb() != Method::Get || sends()
}

/// RFC 9110 §6.6.1: a client sends its time if that may matter to the server, and here it may: whoever may
/// use the API can tell a machine with a wrong clock what time it is. Browsers never send it.
fn hear_time<D: Desk>(desk: &D, head: &Head) {
    if let Some(seconds) = head.header("date").and_then(parse_http_date) {
        desk.hint_time(seconds * 1000);
    }
}

/// Answers a request that may be answered.
pub(super) async fn answer<D: Desk>(desk: &D, request: &Request, wait: Duration) -> Response {
    match dispatch(desk, request, wait).await {
        Ok(response) => response,
        Err(error) => Shape::of(&request.head.path).of_error(&error),
    }
}

async fn dispatch<D: Desk>(
    desk: &D,
    request: &Request,
    wait: Duration,
) -> Result<Response, HttpError> {
    let head = &request.head;
    let is_get = *head.verb() == Method::Get;
    let is_form = is_get || *head.verb() == Method::Post;
    match head.path.as_str() {
        "/" if is_form => console::home(desk, request, wait).await,
        "/" => Err(HttpError::method(FORM)),
        "/index.do" if is_get => console::home(desk, request, wait).await,
        "/user.do" if is_form => console::users(desk, &Fields::of(request)?, is_get, wait).await,
        "/user.do" => Err(HttpError::method(FORM)),
        "/session.do" if is_get => console::sessions(desk),
        "/index.do" | "/session.do" => Err(HttpError::method("GET, HEAD")),
        "/notification.do" | "/notification_api.do"
            if head.method == Method::Head && changes(head) =>
        {
            // HEAD must be harmless, so it cannot push.
            Err(HttpError::method("GET, POST"))
        }
        "/notification.do" if is_form => {
            console::notifications(desk, &Fields::of(request)?, is_get, wait).await
        }
        "/notification_api.do" if is_form => {
            androidpn::notification_api(desk, &Fields::of(request)?, wait).await
        }
        "/user_api.do" if is_form => androidpn::user_api(desk, &Fields::of(request)?).await,
        "/notification.do" | "/notification_api.do" | "/user_api.do" => {
            Err(HttpError::method(FORM))
        }
        path => match path.strip_prefix(API_V1) {
            Some(route) => {
                hear_time(desk, head);
                api::answer(desk, request, route, wait).await
            }
            None => Err(HttpError::not_found()),
        },
    }
}
