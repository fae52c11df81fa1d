//! Tokens to register with, for the administrator.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiny_http::Method;

use super::read_json;
use crate::edge::http::Desk;
use crate::edge::http::ask::{ask, invite};
use crate::edge::http::error::HttpError;
use crate::edge::http::form::Fields;
use crate::edge::http::request::Request;
use crate::edge::http::response::Response;
use crate::push;
use crate::push::invitations::TokenDraft;
use crate::push::views::TokenView;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenIn {
    uses: u32,
    days: u32,
    note: String,
}

impl Default for TokenIn {
    fn default() -> Self {
        let TokenDraft { uses, days, note } = TokenDraft::default();
        Self { uses, days, note }
    }
}

#[derive(Serialize)]
struct TokensOut {
    tokens: Vec<TokenOut>,
}

#[derive(Serialize)]
struct TokenOut {
    id: String,
    uses: u32,
    created: u64,
    expires: Option<u64>,
    expired: bool,
    note: String,
}

/// A token that is new, and told this once.
#[derive(Serialize)]
struct NewTokenOut {
    token: String,
    uri: String,
    #[serde(flatten)]
    listed: TokenOut,
}

#[derive(Serialize)]
struct IdOut {
    id: String,
}

impl From<TokenView> for TokenOut {
    fn from(view: TokenView) -> Self {
        Self {
            id: view.id,
            uses: view.uses,
            created: view.created,
            expires: view.expires,
            expired: view.expired,
            note: view.note,
        }
    }
}

/// `GET tokens`; [`crate::limits::INVITATIONS`] bounds it.
pub(super) fn list<D: Desk>(desk: &D, fields: &Fields) -> Result<Response, HttpError> {
    fields.only(&[])?;
    let tokens = desk.tokens().into_iter().map(TokenOut::from).collect();
    Ok(Response::json(200, &TokensOut { tokens }))
}

/// `POST tokens`
pub(super) async fn post<D: Desk>(
    desk: &D,
    request: &Request,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    fields.only(&[])?;
    let TokenIn { uses, days, note } = read_json(request)?;
    let invitation = invite(desk, TokenDraft { uses, days, note }, wait).await?;
    let out = NewTokenOut {
        uri: invitation.uri,
        token: invitation.new.token.0,
        listed: invitation.new.view.into(),
    };
    Ok(Response::json(201, &out))
}

/// `DELETE tokens/ID`
pub(super) async fn remove<D: Desk>(
    desk: &D,
    verb: &Method,
    id: &str,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    fields.only(&[])?;
    if *verb != Method::Delete {
        return Err(HttpError::method("DELETE"));
    }
    let id = id.to_owned();
    ask(desk, push::Request::RemoveToken { id: id.clone() }, wait).await?;
    Ok(Response::json(200, &IdOut { id }))
}
