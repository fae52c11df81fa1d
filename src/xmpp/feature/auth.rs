//! XEP-0078 Non-SASL Authentication: `jabber:iq:auth`, digest = hex(SHA-1(stream id + password)) (§3).

use std::fmt::Write as _;

use minidom::Element;
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use crate::xmpp::error::StanzaError;
use crate::xmpp::host::Login;
use crate::xmpp::jid;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{Iq, child_text, child_text_verbatim, text_element};

/// This feature's namespace.
pub const NS: &str = "jabber:iq:auth";
/// What the stream features announce (XEP-0078 §4).
pub const STREAM_FEATURE: &str = "<auth xmlns='http://jabber.org/features/iq-auth'/>";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::get(NS, fields).before_login(),
    Route::set(NS, log_in).before_login(),
];

/// §3.1: which fields a login has. A digest needs the clear password, so whose is not kept is not offered it.
/// A name that nobody has gets the answer of a phone's, so that guessing names finds no phones.
fn fields(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let username = child_text(iq.payload, "username");
    let digest = match account(&username, context) {
        Some(user) if context.host.is_user(&user) => {
            context.host.recoverable_password(&user)?.is_some()
        }
        _ => true,
    };
    let mut query = Element::bare("query", NS);
    query.append_child(text_element("username", NS, &username));
    if may_be_plain(context) {
        query.append_child(Element::bare("password", NS));
    }
    if digest {
        query.append_child(Element::bare("digest", NS));
    }
    query.append_child(Element::bare("resource", NS));
    Ok(Reply::With(query))
}

/// Whether a password may be sent as it is.
fn may_be_plain(context: &Context<'_>) -> bool {
    context.secure || context.host.config().xmpp.plaintext_login
}

/// §3.1: the login itself.
fn log_in(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if context.bound.is_some() {
        return Err(StanzaError::NotAllowed);
    }
    let resource = child_text(iq.payload, "resource");
    let resource = jid::resource(&resource).ok_or(StanzaError::NotAcceptable)?;
    let user = account(&child_text(iq.payload, "username"), context);
    let right = credentials_are_right(iq, context, user.as_deref())?;
    let (Some(user), true) = (&user, right) else {
        context.host.failed(user.as_deref().unwrap_or_default());
        return Err(StanzaError::NotAuthorized);
    };
    context.host.succeeded(user);
    let (user, resource) = context.host.bind(user, Some(resource), Login::Legacy)?;
    let bound = Bound {
        domain: context.host.domain_name(context.domain),
        user,
        resource,
    };
    Ok(Reply::LoggedIn(bound, None))
}

/// The local part a client means: `sam`, or `sam@domain` where the domain is ours.
fn account(username: &str, context: &Context<'_>) -> Option<String> {
    let local = match username.split_once('@') {
        Some((local, domain)) => {
            let domain = jid::domain(domain)?;
            let ours = domain == context.domain || context.host.is_own_domain(&domain);
            ours.then_some(local)?
        }
        None => username,
    };
    jid::localpart(local)
}

/// Whether what was sent proves that the client is `user`; an unknown one takes the same steps as a known one.
fn credentials_are_right(
    iq: &Iq<'_>,
    context: &mut Context<'_>,
    user: Option<&str>,
) -> Result<bool, StanzaError> {
    if let Some(password) = child_text_verbatim(iq.payload, "password") {
        if !may_be_plain(context) {
            return Err(StanzaError::NotAcceptable);
        }
        // No account has the empty name.
        let right = context
            .host
            .is_password(user.unwrap_or_default(), &password)?;
        return Ok(right && user.is_some());
    }
    let Some(digest) = child_text_verbatim(iq.payload, "digest") else {
        return Err(StanzaError::NotAcceptable);
    };
    let stored = context
        .host
        .recoverable_password(user.unwrap_or_default())?;
    let expected = self::digest(context.stream_id, stored.as_deref().unwrap_or_default());
    let digest = digest.trim().to_ascii_lowercase();
    let right = digest.as_bytes().ct_eq(expected.as_bytes());
    Ok(bool::from(right) && stored.is_some())
}

/// §3: the digest of a password on one stream.
#[must_use]
pub fn digest(stream_id: &str, password: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(stream_id.as_bytes());
    hash.update(password.as_bytes());
    hash.finalize()
        .iter()
        .fold(String::with_capacity(40), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn digest_of_the_specification() {
        // XEP-0078 §3.2: stream id 3EE948B0, password Calli0pe.
        assert_eq!(
            digest("3EE948B0", "Calli0pe"),
            "48fc78be9ec8f86d8ce1c39c320c97c21d62334d"
        );
    }
}
