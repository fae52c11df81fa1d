//! RFC 6120 §5: STARTTLS, offered and never required, because clients of androidpn's first years cannot.

/// What the stream features announce (§5.4.1).
pub const STREAM_FEATURE: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
/// The handshake may begin (§5.4.2.3).
pub const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
/// There is no TLS here; the stream ends behind it (§5.4.2.2).
pub const FAILURE: &str = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
