//! XML namespaces that more than one file needs; a feature's own namespace stands in its file.

/// RFC 6120 §4.8: the stream element.
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// RFC 6120 §4.8: stanzas between a client and its server.
pub const CLIENT: &str = "jabber:client";
/// RFC 6120 §8.3: conditions of stanza errors.
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// RFC 6120 §4.9: conditions of stream errors.
pub const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// RFC 6120 §5: STARTTLS.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// XEP-0030 §3: what an entity is and can do.
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// RFC 6120 §6: SASL.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
