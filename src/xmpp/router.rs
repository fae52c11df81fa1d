//! The table from (IQ type, namespace) to feature, and the one fallback for what no feature takes.

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
    /// The credentials are right: an empty result to the full JID that the session has from now on.
    LoggedIn(Bound),
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
    /// Who is logged in here, if anybody.
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
    before_login: bool,
    handler: Handler,
}

impl Route {
    /// Handles `<iq type='get'>` with a child of this namespace, after login.
    #[must_use]
    pub const fn get(namespace: &'static str, handler: Handler) -> Self {
        Self {
            namespace,
            is_set: false,
            before_login: false,
            handler,
        }
    }

    /// Handles `<iq type='set'>` with a child of this namespace, after login.
    #[must_use]
    pub const fn set(namespace: &'static str, handler: Handler) -> Self {
        Self {
            namespace,
            is_set: true,
            before_login: false,
            handler,
        }
    }

    /// The same, before login too.
    #[must_use]
    pub const fn before_login(mut self) -> Self {
        self.before_login = true;
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
    let logged_in = context.bound.is_some();
    let route = TABLE.iter().copied().flatten().find(|route| {
        route.namespace == namespace
            && route.is_set == iq.is_set
            && (route.before_login || logged_in)
    });
    match route {
        Some(route) => (route.handler)(iq, context),
        None if logged_in => Err(StanzaError::ServiceUnavailable),
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
