//! The table from (IQ type, namespace) to feature, and the one fallback for what no feature takes.

use std::rc::Rc;

use minidom::Element;

use super::error::StanzaError;
use super::feature;
use super::host::Host;
use super::session::Bound;
use super::stanza::{Iq, attr};

/// What a feature makes of an IQ it accepts.
pub enum Reply {
    /// `<iq type='result'/>`
    Empty,
    /// A result with this child.
    With(Element),
    /// The session has this full JID from now on; a result to it, with this child if there is one.
    LoggedIn(Bound, Option<Element>),
    /// The disk has to answer first; then an empty result, or an error.
    Later,
}

/// What a feature may look at while it handles one stanza.
pub struct Context<'a> {
    /// The rest of the server.
    pub host: &'a mut dyn Host,
    /// The stream's id, which an XEP-0078 digest is made with.
    pub stream_id: &'a str,
    /// The name the client uses for this server.
    pub domain: &'a str,
    /// Who has logged in here, if anybody: by SASL before a resource is bound.
    pub user: Option<&'a Rc<str>>,
    /// The full JID of who is logged in.
    pub bound: Option<&'a Bound>,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

/// Handles one IQ of one namespace.
pub type Handler = fn(&Iq<'_>, &mut Context<'_>) -> Result<Reply, StanzaError>;

/// One row of the table.
pub struct Route {
    namespace: &'static str,
    is_set: bool,
    stage: Stage,
    handler: Handler,
}

/// When a client may send what a row is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before it has logged in, or when it is bound.
    Always,
    /// When it has logged in, bound or not.
    LoggedIn,
    /// When it is bound.
    Bound,
}

impl Route {
    /// Handles `<iq type='get'>` with a child of this namespace, after login.
    #[must_use]
    pub const fn get(namespace: &'static str, handler: Handler) -> Self {
        Self {
            namespace,
            is_set: false,
            stage: Stage::Bound,
            handler,
        }
    }

    /// Handles `<iq type='set'>` with a child of this namespace, after login.
    #[must_use]
    pub const fn set(namespace: &'static str, handler: Handler) -> Self {
        Self {
            namespace,
            is_set: true,
            stage: Stage::Bound,
            handler,
        }
    }

    /// The same, before login too.
    #[must_use]
    pub const fn before_login(mut self) -> Self {
        self.stage = Stage::Always;
        self
    }

    /// The same, before a resource is bound too, but not before login.
    #[must_use]
    pub const fn before_bind(mut self) -> Self {
        self.stage = Stage::LoggedIn;
        self
    }
}

/// Every feature's rows.
const TABLE: &[&[Route]] = &[
    feature::auth::ROUTES,
    feature::register::ROUTES,
    feature::bind::ROUTES,
    feature::roster::ROUTES,
    feature::ping::ROUTES,
    feature::disco::ROUTES,
    feature::time::ROUTES,
    feature::confirm::ROUTES,
    feature::labels::ROUTES,
    feature::topics::ROUTES,
    feature::carbons::ROUTES,
];

/// Finds the feature for an IQ request and lets it answer.
///
/// # Errors
/// What the feature refuses with; without one, `service-unavailable` (RFC 6120 §8.4), or before login
/// `not-authorized`.
pub fn route(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if let Some(to) = iq.to
        && !is_for_server(to, context)
    {
        return Err(StanzaError::ServiceUnavailable);
    }
    let namespace = iq.payload.ns();
    let bound = context.bound.is_some();
    let logged_in = context.user.is_some();
    let route = TABLE.iter().copied().flatten().find(|route| {
        route.namespace == namespace
            && route.is_set == iq.is_set
            && match route.stage {
                Stage::Always => bound || !logged_in,
                Stage::LoggedIn => logged_in,
                Stage::Bound => bound,
            }
    });
    match route {
        Some(route) => (route.handler)(iq, context),
        None if bound => Err(StanzaError::ServiceUnavailable),
        None => Err(StanzaError::NotAuthorized),
    }
}

/// Every namespace a client may send an IQ of: what service discovery lists.
pub fn namespaces() -> impl Iterator<Item = &'static str> {
    let rows = || TABLE.iter().copied().flatten();
    rows().enumerate().filter_map(move |(index, row)| {
        let seen = rows()
            .take(index)
            .any(|earlier| earlier.namespace == row.namespace);
        (!seen).then_some(row.namespace)
    })
}

/// Whether an IQ is meant for the server: to its domain, or to the sender's own account (RFC 6121 §8.5.1).
fn is_for_server(to: &str, context: &Context<'_>) -> bool {
    let Ok(jid) = to.parse::<super::jid::Jid>() else {
        return false;
    };
    let own_domain = jid.domain == context.domain || context.host.is_own_domain(&jid.domain);
    let own_account = match (&jid.local, context.bound) {
        (None, _) => true,
        (Some(local), Some(bound)) => **local == *bound.user,
        (Some(_), None) => false,
    };
    own_domain && own_account
}

/// An IQ request (`get` or `set`) with an id and exactly one child.
///
/// # Errors
/// `bad-request` for anything else (RFC 6120 §8.2.3).
pub fn request(element: &Element) -> Result<Iq<'_>, StanzaError> {
    let is_set = match attr(element, "type") {
        Some("get") => false,
        Some("set") => true,
        _ => return Err(StanzaError::BadRequest),
    };
    let mut children = element.children();
    let (Some(payload), None) = (children.next(), children.next()) else {
        return Err(StanzaError::BadRequest);
    };
    if attr(element, "id").is_none_or(str::is_empty) {
        return Err(StanzaError::BadRequest);
    }
    Ok(Iq {
        element,
        is_set,
        to: attr(element, "to"),
        payload,
    })
}
