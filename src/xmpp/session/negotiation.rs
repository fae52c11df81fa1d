//! RFC 6120 §4.3: what is agreed on before stanzas flow: features, TLS, and who the client is.

use std::rc::Rc;

use minidom::Element;

use super::{Flow, Session, State};
use crate::limits;
use crate::xmpp::error::{StanzaError, StreamError};
use crate::xmpp::feature::{
    auth, bind, client_state, disco, invitation, management, register, roster, starttls,
};
use crate::xmpp::host::Host;
use crate::xmpp::sasl::{self, Failure, Surroundings, Turn};
use crate::xmpp::stanza::attr;
use crate::xmpp::stream::{Header, StreamReader};
use crate::xmpp::{header, jid, ns, subscription};

impl Session {
    /// RFC 6120 §4.7: any host name in `to` is this server, since it has led the client here.
    pub(super) fn header(&mut self, header: &Header, host: &mut dyn Host, out: &mut Vec<u8>) {
        let domain = match header.to.as_deref().map(str::trim) {
            None | Some("") => host.config().server.domain.clone(),
            Some(to) => match jid::domain(to) {
                Some(domain) => domain,
                None => return self.close(StreamError::HostUnknown, host, out),
            },
        };
        if let Some(version) = header.version.as_deref()
            && version
                .split('.')
                .next()
                .and_then(|major| major.parse::<u32>().ok())
                .is_none()
        {
            return self.close(StreamError::UnsupportedVersion, host, out);
        }
        header::write(
            &domain,
            self.stream_id,
            header.lang.as_deref().unwrap_or("en"),
            out,
        );
        let user = match &mut self.state {
            State::Opening { user } => user.take(),
            _ => None,
        };
        self.write_features(user.is_some(), host, out);
        self.state = State::Open {
            domain: host.domain_name(&domain),
            user,
            exchange: None,
        };
    }

    fn write_features(&self, logged_in: bool, host: &dyn Host, out: &mut Vec<u8>) {
        let mut write = |feature: &str| out.extend_from_slice(feature.as_bytes());
        write("<stream:features>");
        if logged_in {
            write(bind::STREAM_FEATURES);
            write(roster::STREAM_FEATURE);
            write(subscription::STREAM_FEATURE);
            write(&disco::stream_feature());
            write(management::STREAM_FEATURE);
            write(client_state::STREAM_FEATURE);
        } else {
            if self.may_start_tls(host) {
                write(starttls::STREAM_FEATURE);
            }
            write(&sasl::stream_feature(self.secure));
            write(auth::STREAM_FEATURE);
            let takes_tokens = host.takes_tokens();
            if takes_tokens || host.may_register() {
                write(register::STREAM_FEATURE);
            }
            if takes_tokens {
                write(invitation::STREAM_FEATURE);
            }
        }
        write("</stream:features>");
    }

    /// RFC 6120 §5.3.1: offered until TLS is there, and not to whom has logged in without it.
    fn may_start_tls(&self, host: &dyn Host) -> bool {
        host.config().tls.enabled && !self.secure && !self.has_login()
    }

    /// Whether somebody has logged in, bound or not.
    fn has_login(&self) -> bool {
        match &self.state {
            State::Opening { user } | State::Open { user, .. } => user.is_some(),
            State::Bound(_) => true,
            State::StartingTls | State::Closed => false,
        }
    }

    /// RFC 6120 §4.3.3: the next byte is the first of a new stream, with an id of its own.
    pub(super) fn begin_anew(&mut self, user: Option<Rc<str>>, host: &mut dyn Host) {
        self.reader = StreamReader::new(limits::STANZA_BYTES_BEFORE_LOGIN);
        self.stream_id = host.new_stream_id();
        self.state = State::Opening { user };
    }

    /// Negotiation that this stream does not offer gets the refusal its own specification has.
    pub(super) fn foreign_element(
        &mut self,
        element: &Element,
        host: &mut dyn Host,
        out: &mut Vec<u8>,
    ) {
        match (element.name(), element.ns().as_str()) {
            ("starttls", ns::TLS) if self.may_start_tls(host) => {
                out.extend_from_slice(starttls::PROCEED.as_bytes());
                self.state = State::StartingTls;
            }
            ("starttls", ns::TLS) => {
                // RFC 6120 §5.4.2.2: the server ends the stream after it.
                out.extend_from_slice(starttls::FAILURE.as_bytes());
                out.extend_from_slice(b"</stream:stream>");
                self.state = State::Closed;
            }
            (_, client_state::NS) if self.bound().is_some() => {
                match client_state::is_active(element) {
                    Some(active) => host.client_state(active),
                    None => self.close(StreamError::UnsupportedStanzaType, host, out),
                }
            }
            ("auth" | "response" | "abort", ns::SASL) => self.sasl(element, host, out),
            _ => self.close(StreamError::UnsupportedStanzaType, host, out),
        }
    }

    /// RFC 6120 §6: one message of the client. Whoever has logged in has no more to prove.
    fn sasl(&mut self, element: &Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        let turn = match &mut self.state {
            State::Open {
                domain,
                user: None,
                exchange,
            } => {
                let exchange = exchange.take().map(|exchange| *exchange);
                let mut around = Surroundings {
                    host,
                    domain,
                    secure: self.secure,
                };
                sasl::turn(element, exchange, &mut around)
            }
            _ => Err(Failure::MalformedRequest),
        };
        match turn {
            Ok(Turn::Challenge(next, message)) => {
                sasl::write_message("challenge", &message, out);
                if let State::Open { exchange, .. } = &mut self.state {
                    *exchange = Some(Box::new(next));
                }
            }
            Ok(Turn::Success(user, message)) => {
                sasl::write_message("success", &message, out);
                self.begin_anew(Some(user.into()), host);
            }
            Err(failure) => {
                failure.write(out);
                if self.bound().is_none() {
                    self.count_failure(host, out);
                }
            }
        }
    }

    /// Whether an element tries a password or a token, or asks whether one is right by registering once more.
    pub(super) fn is_attempt(&self, element: &Element) -> bool {
        if self.has_login() {
            return false;
        }
        match element.ns().as_str() {
            ns::SASL => sasl::is_attempt(element),
            ns::CLIENT => {
                let mut children = element.children();
                let tries = |ns: &str| [auth::NS, register::NS, invitation::NS].contains(&ns);
                attr(element, "type") == Some("set") && children.any(|child| tries(&child.ns()))
            }
            _ => false,
        }
    }

    /// The time of the attempt that waited has come; reading goes on behind it.
    pub fn try_now(&mut self, host: &mut dyn Host, out: &mut Vec<u8>) -> Flow {
        let Some(waiting) = self.waiting.take() else {
            return Flow::Open;
        };
        self.take(waiting.request, host, out);
        self.feed(&waiting.behind, host, out)
    }

    /// Too many attempts wait already. Not a wrong password: androidpn's clients give up their accounts then.
    pub(super) fn refuse_attempt(
        &mut self,
        element: &Element,
        host: &mut dyn Host,
        out: &mut Vec<u8>,
    ) {
        if element.ns() != ns::SASL {
            return self.refuse(element, StanzaError::ResourceConstraint, host, out);
        }
        if let State::Open { exchange, .. } = &mut self.state {
            *exchange = None;
        }
        Failure::TemporaryAuthFailure.write(out);
        self.count_failure(host, out);
    }
}
