//! androidpn forks: `setalias` and `settags`, by which a phone says under what names senders reach it.

use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::host::AccountChange;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, child_text};

/// One alias.
pub const SET_ALIAS: &str = "androidpn:iq:setalias";
/// Any number of tags, separated by commas.
pub const SET_TAGS: &str = "androidpn:iq:settags";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::set(SET_ALIAS, set_alias),
    Route::set(SET_TAGS, set_tags),
];

/// `<username/>` in the request is not looked at: a phone names only itself.
fn set_alias(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let alias = child_text(iq.payload, "alias");
    if alias.len() > limits::LABEL {
        return Err(StanzaError::NotAcceptable);
    }
    let change = AccountChange {
        alias: Some(alias),
        ..AccountChange::default()
    };
    context.host.change_account(change).map(|()| Reply::Later)
}

/// Replaces all tags; an empty list takes them away.
fn set_tags(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let mut tags: Vec<String> = Vec::new();
    for tag in child_text(iq.payload, "tags")
        .split([',', '，'])
        .map(str::trim)
    {
        if !tag.is_empty() && !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    if tags.len() > limits::TAGS || tags.iter().any(|tag| tag.len() > limits::LABEL) {
        return Err(StanzaError::NotAcceptable);
    }
    let change = AccountChange {
        tags: Some(tags),
        ..AccountChange::default()
    };
    context.host.change_account(change).map(|()| Reply::Later)
}
