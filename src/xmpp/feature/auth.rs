//! XEP-0078 Non-SASL Authentication: `jabber:iq:auth`, digest = hex(SHA-1(stream id + password)) (§3).

use std::fmt::Write as _;

use minidom::Element;
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use crate::xmpp::error::StanzaError;
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

/// §3.1: which fields a login has. The same for every name, so that nobody can ask who exists.
fn fields(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let mut query = Element::bare("query", NS);
    query.append_child(text_element(
        "username",
        NS,
        &child_text(iq.payload, "username"),
    ));
    if context.host.config().xmpp.plaintext_login {
        query.append_child(Element::bare("password", NS));
    }
    query.append_child(Element::bare("digest", NS));
    query.append_child(Element::bare("resource", NS));
    Ok(Reply::With(query))
}

/// §3.1: the login itself.
fn log_in(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if context.bound.is_some() {
        return Err(StanzaError::NotAllowed);
    }
    let resource = child_text(iq.payload, "resource");
    let resource = jid::resource(&resource).ok_or(StanzaError::NotAcceptable)?;
    let user = account(&child_text(iq.payload, "username"), context);
    let password = match &user {
        Some(user) => context.host.password(user)?,
        None => None,
    };
    let right = credentials_are_right(iq, context, password.as_deref())?;
    let (Some(user), true) = (user, right) else {
        return Err(StanzaError::NotAuthorized);
    };
    let (user, resource) = context.host.bind(&user, resource)?;
    Ok(Reply::LoggedIn(Bound {
        domain: context.host.domain_name(context.domain),
        user,
        resource,
    }))
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

/// Compares what was sent with the stored password; an unknown user takes the same steps as a known one.
fn credentials_are_right(
    iq: &Iq<'_>,
    context: &Context<'_>,
    stored: Option<&str>,
) -> Result<bool, StanzaError> {
    let expected = stored.unwrap_or_default();
    let matches = if let Some(password) = child_text_verbatim(iq.payload, "password") {
        if !context.host.config().xmpp.plaintext_login {
            return Err(StanzaError::NotAcceptable);
        }
        password.as_bytes().ct_eq(expected.as_bytes())
    } else if let Some(digest) = child_text_verbatim(iq.payload, "digest") {
        let digest = digest.trim().to_ascii_lowercase();
        digest
            .as_bytes()
            .ct_eq(self::digest(context.stream_id, expected).as_bytes())
    } else {
        return Err(StanzaError::NotAcceptable);
    };
    Ok(bool::from(matches) && stored.is_some())
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
