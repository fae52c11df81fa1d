//! RFC 6120 §4.9 and §8.3: stream errors and stanza errors, with the numbers of XEP-0086.

/// Why a stream ends (RFC 6120 §4.9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The bytes are not what XMPP allows, and no better condition fits.
    BadFormat,
    /// A namespace prefix is not declared, or not the one it has to be.
    BadNamespacePrefix,
    /// Another connection has logged in with the same full JID.
    Conflict,
    /// The phone has been silent too long.
    ConnectionTimeout,
    /// The server has a fault of its own.
    InternalServerError,
    /// The stream's namespaces are not `jabber:client` and the streams namespace.
    InvalidNamespace,
    /// The sender claimed an address that is not its own.
    InvalidFrom,
    /// The account is gone, or the sender may not do this.
    NotAuthorized,
    /// The XML is not well-formed.
    NotWellFormed,
    /// A limit of ours is exceeded.
    PolicyViolation,
    /// The server has no room for another connection.
    ResourceConstraint,
    /// Comments, processing instructions, DTDs or entities (RFC 6120 §11.1).
    RestrictedXml,
    /// The server stops.
    SystemShutdown,
    /// An element at the top level that is no stanza.
    UnsupportedStanzaType,
    /// The bytes are not UTF-8, or another encoding was declared.
    UnsupportedEncoding,
    /// A stream version we do not speak.
    UnsupportedVersion,
    /// `to` cannot be a host name.
    HostUnknown,
    /// The client has acknowledged more than it was sent (XEP-0198 §4).
    HandledTooMany {
        /// What it says it has handled.
        handled: u32,
        /// What it was sent.
        sent: u32,
    },
}

impl StreamError {
    /// The element's name on the wire.
    #[must_use]
    pub fn condition(self) -> &'static str {
        match self {
            Self::BadFormat => "bad-format",
            Self::BadNamespacePrefix => "bad-namespace-prefix",
            Self::Conflict => "conflict",
            Self::ConnectionTimeout => "connection-timeout",
            Self::InternalServerError => "internal-server-error",
            Self::InvalidNamespace => "invalid-namespace",
            Self::InvalidFrom => "invalid-from",
            Self::NotAuthorized => "not-authorized",
            Self::NotWellFormed => "not-well-formed",
            Self::PolicyViolation => "policy-violation",
            Self::ResourceConstraint => "resource-constraint",
            Self::RestrictedXml => "restricted-xml",
            Self::SystemShutdown => "system-shutdown",
            Self::UnsupportedStanzaType => "unsupported-stanza-type",
            Self::UnsupportedEncoding => "unsupported-encoding",
            Self::UnsupportedVersion => "unsupported-version",
            Self::HostUnknown => "host-unknown",
            Self::HandledTooMany { .. } => "undefined-condition",
        }
    }

    /// The element that says what an undefined condition is; empty for all others.
    #[must_use]
    pub fn specific(self) -> String {
        match self {
            Self::HandledTooMany { handled, sent } => format!(
                "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='{handled}' send-count='{sent}'/>"
            ),
            _ => String::new(),
        }
    }
}

/// Why a stanza is answered with an error (RFC 6120 §8.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StanzaError {
    /// The stanza is not what its namespace demands.
    BadRequest,
    /// The sender has blocked whom it is for (XEP-0191 §3.7).
    Blocked,
    /// The name is taken.
    Conflict,
    /// Known, but not done here.
    FeatureNotImplemented,
    /// The sender may not do this.
    Forbidden,
    /// The server has a fault of its own.
    InternalServerError,
    /// What was addressed does not exist.
    ItemNotFound,
    /// An address cannot be one.
    JidMalformed,
    /// A field is missing or too long.
    NotAcceptable,
    /// It may be done by others, elsewhere or later, but not like this.
    NotAllowed,
    /// Log in first, or the credentials are wrong.
    NotAuthorized,
    /// The server has no room for it.
    ResourceConstraint,
    /// Nobody here handles it.
    ServiceUnavailable,
}

impl StanzaError {
    /// The condition's name on the wire.
    #[must_use]
    pub fn condition(self) -> &'static str {
        self.row().0
    }

    /// The `type` attribute: what the sender may do about it.
    #[must_use]
    pub fn kind(self) -> &'static str {
        self.row().1
    }

    /// The legacy `code` attribute (XEP-0086 §3), which androidpn's clients act on.
    #[must_use]
    pub fn code(self) -> u16 {
        self.row().2
    }

    /// Name and namespace of the element that says more than the condition, if there is one.
    #[must_use]
    pub fn specific(self) -> Option<(&'static str, &'static str)> {
        (self == Self::Blocked).then_some(("blocked", "urn:xmpp:blocking:errors"))
    }

    fn row(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::BadRequest => ("bad-request", "modify", 400),
            Self::Blocked => ("not-acceptable", "cancel", 406),
            Self::Conflict => ("conflict", "cancel", 409),
            Self::FeatureNotImplemented => ("feature-not-implemented", "cancel", 501),
            Self::Forbidden => ("forbidden", "auth", 403),
            Self::InternalServerError => ("internal-server-error", "wait", 500),
            Self::ItemNotFound => ("item-not-found", "cancel", 404),
            Self::JidMalformed => ("jid-malformed", "modify", 400),
            Self::NotAcceptable => ("not-acceptable", "modify", 406),
            Self::NotAllowed => ("not-allowed", "cancel", 405),
            Self::NotAuthorized => ("not-authorized", "auth", 401),
            Self::ResourceConstraint => ("resource-constraint", "wait", 500),
            Self::ServiceUnavailable => ("service-unavailable", "cancel", 503),
        }
    }
}
