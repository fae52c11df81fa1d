//! The table from (IQ type, namespace) to feature, and the one fallback for what no feature takes.

use std::rc::Rc;

use minidom::Element;

use super::addressee::{self, Addressee};
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
    /// Another client answers.
    Elsewhere,
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
    /// Whose business the stanza is.
    pub addressee: Addressee,
}

/// Handles one IQ of one namespace.
pub type Handler = fn(&Iq<'_>, &mut Context<'_>) -> Result<Reply, StanzaError>;

/// One row of the table.
pub struct Route {
    namespace: &'static str,
    is_set: bool,
    stage: Stage,
    scope: Scope,
    handler: Handler,
}

/// Whose requests a row answers, besides those to the server.
#[derive(Clone, Copy)]
struct Scope {
    /// It belongs to what an account is, and is listed among its features.
    account: bool,
    /// Those about other users too.
    others: bool,
    /// Those to the address pushes come from too.
    push: bool,
}

/// When a client may send what a row is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before it has logged in, or when it is bound.
    Always,
    /// Before it has logged in. When it is bound it is told why not then.
    Newcomer,
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
            scope: NOBODY_ELSE,
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
            scope: NOBODY_ELSE,
            handler,
        }
    }

    /// The same, and a feature of every account.
    #[must_use]
    pub const fn of_accounts(mut self) -> Self {
        self.scope.account = true;
        self
    }

    /// The same, also when it is addressed to another user's account.
    #[must_use]
    pub const fn about_others(mut self) -> Self {
        self.scope.others = true;
        self
    }

    /// The same, also when it is addressed to where pushes come from.
    #[must_use]
    pub const fn about_pushes(mut self) -> Self {
        self.scope.push = true;
        self
    }

    /// The same, before login too.
    #[must_use]
    pub const fn before_login(mut self) -> Self {
        self.stage = Stage::Always;
        self
    }

    /// The same, before login only.
    #[must_use]
    pub const fn only_before_login(mut self) -> Self {
        self.stage = Stage::Newcomer;
        self
    }

    /// The same, before a resource is bound too, but not before login.
    #[must_use]
    pub const fn before_bind(mut self) -> Self {
        self.stage = Stage::LoggedIn;
        self
    }
}

const NOBODY_ELSE: Scope = Scope {
    account: false,
    others: false,
    push: false,
};

/// Every feature's rows.
const TABLE: &[&[Route]] = &[
    feature::auth::ROUTES,
    feature::register::ROUTES,
    feature::invitation::ROUTES,
    feature::bind::ROUTES,
    feature::roster::ROUTES,
    feature::ping::ROUTES,
    feature::disco::ROUTES,
    feature::time::ROUTES,
    feature::confirm::ROUTES,
    feature::labels::ROUTES,
    feature::topics::ROUTES,
    feature::carbons::ROUTES,
    feature::vcard::ROUTES,
    feature::private::ROUTES,
    feature::blocking::ROUTES,
    feature::version::ROUTES,
    feature::last_activity::ROUTES,
];

/// Finds the feature for an IQ request and lets it answer, or the client it is addressed to.
///
/// # Errors
/// What the feature refuses with; without one, `service-unavailable` (RFC 6120 §8.4), or before login
/// `not-authorized`.
pub fn route(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    context.addressee = addressee::of(iq.to, context)?;
    let (others, push) = match &context.addressee {
        Addressee::Server | Addressee::Own => (false, false),
        Addressee::User(user) => {
            context.host.may_address(user, None)?;
            (true, false)
        }
        Addressee::Push => (false, true),
        Addressee::Session(session) => {
            let bound = context.bound.ok_or(StanzaError::NotAuthorized)?;
            context.host.ask(session, iq.element, bound)?;
            return Ok(Reply::Elsewhere);
        }
    };
    let namespace = iq.payload.ns();
    let bound = context.bound.is_some();
    let logged_in = context.user.is_some();
    let route = TABLE.iter().copied().flatten().find(|route| {
        route.namespace == namespace
            && route.is_set == iq.is_set
            && (route.scope.others || !others)
            && (route.scope.push || !push)
            && match route.stage {
                Stage::Always | Stage::Newcomer => bound || !logged_in,
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

/// Every namespace a client that has logged in may send the server an IQ of: what service discovery lists.
pub fn namespaces() -> impl Iterator<Item = &'static str> {
    listed(|row| row.stage != Stage::Newcomer)
}

/// Those that belong to a user's account.
pub fn account_namespaces() -> impl Iterator<Item = &'static str> {
    listed(|row| row.scope.account)
}

/// Those by which others may ask about an account.
pub fn public_namespaces() -> impl Iterator<Item = &'static str> {
    listed(|row| row.scope.others)
}

/// Those that the address pushes come from answers.
pub fn push_namespaces() -> impl Iterator<Item = &'static str> {
    listed(|row| row.scope.push)
}

fn listed(wanted: fn(&Route) -> bool) -> impl Iterator<Item = &'static str> {
    let rows = move || {
        TABLE
            .iter()
            .copied()
            .flatten()
            .filter(move |row| wanted(row))
    };
    rows().enumerate().filter_map(move |(index, row)| {
        let seen = rows()
            .take(index)
            .any(|earlier| earlier.namespace == row.namespace);
        (!seen).then_some(row.namespace)
    })
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
