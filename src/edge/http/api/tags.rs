//! Tags of users, for the administrator.

use std::time::Duration;

use serde::Serialize;
use tiny_http::Method;

use super::read_json;
use crate::edge::http::Desk;
use crate::edge::http::ask::ask;
use crate::edge::http::error::HttpError;
use crate::edge::http::form::Fields;
use crate::edge::http::request::Request;
use crate::edge::http::response::Response;
use crate::push;

#[derive(Serialize)]
struct TagsOut {
    name: String,
    /// As they were sent.
    tags: Vec<String>,
}

/// `PUT users/NAME/tags`
pub(super) async fn set<D: Desk>(
    desk: &D,
    request: &Request,
    name: &str,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    if *request.head.verb() != Method::Put {
        return Err(HttpError::method("PUT"));
    }
    fields.only(&[])?;
    let (name, tags) = (name.to_owned(), read_json::<Vec<String>>(request)?);
    let out = TagsOut {
        name: name.clone(),
        tags: tags.clone(),
    };
    ask(desk, push::Request::SetTags { name, tags }, wait).await?;
    Ok(Response::json(200, &out))
}
