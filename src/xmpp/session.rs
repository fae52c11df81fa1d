//! RFC 6120 §4: the life of one client's stream, from its header to its end.
//!
//! ```text
//! Opening --header--> Open --jabber:iq:auth, or SASL and bind--> Bound
//!    ^---------------------|  STARTTLS, SASL: the stream begins anew
//!    any state --</stream:stream>, error, limit, shutdown--> Closed
//! ```
// Heads up! Read RFC 6120 §4 (streams) and protocol facts on closing before changing this file: a stock
// androidpn client comes back only if a stream error precedes the close.

mod management;
mod negotiation;

use std::fmt;
use std::rc::Rc;

use minidom::Element;

use self::management::Counting;
pub use self::management::Written;
use super::addressee::{self, Addressee};
use super::error::{StanzaError, StreamError};
use super::feature::presence::{self, Taken};
use super::feature::{management as sm, message, register, time};
use super::host::{Attempt, Host};
use super::payload::caps;
use super::router::{self, Context, Reply};
use super::sasl::Exchange;
use super::stanza::{self, attr};
use super::stream::{Frame, StreamReader};
use super::{header, ns};
use crate::limits;

/// The full JID of a logged-in session, in the very domain name its client uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The name the client uses for this server.
    pub domain: Rc<str>,
    /// Local part.
    pub user: Rc<str>,
    /// Resource.
    pub resource: Rc<str>,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.user, self.domain, self.resource)
    }
}

/// What the caller has to do after bytes have been taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Open,
    /// Do not read until [`Session::finish`] or [`Session::try_now`] has been called.
    Waiting,
    /// Send what was written; everything behind it, in both directions, is TLS.
    StartTls,
    /// Send what was written and close.
    Close,
}

/// One client's stream.
#[derive(Debug)]
pub struct Session {
    reader: StreamReader,
    stream_id: u64,
    state: State,
    failures: u8,
    /// Whether TLS lies beneath.
    secure: bool,
    waiting: Option<Box<Waiting>>,
    counting: Option<Box<Counting>>,
}

#[derive(Debug)]
enum State {
    /// A header has to come; somebody may have logged in by SASL before it.
    Opening {
        user: Option<Rc<str>>,
    },
    /// `<proceed/>` is written, and the stream begins anew as soon as it is out.
    StartingTls,
    /// The header has come. Who has logged in by SASL has to bind a resource and may do nothing else.
    Open {
        domain: Rc<str>,
        user: Option<Rc<str>>,
        exchange: Option<Box<Exchange>>,
    },
    Bound(Bound),
    Closed,
}

/// A request that waits for the disk or for its time, and the bytes that came behind it.
#[derive(Debug)]
struct Waiting {
    request: Element,
    behind: Vec<u8>,
}

impl Session {
    /// A stream of which no byte has come yet. `stream_id` must be hard to guess: digests depend on it.
    #[must_use]
    pub fn new(stream_id: u64) -> Self {
        Self {
            reader: StreamReader::new(limits::STANZA_BYTES_BEFORE_LOGIN),
            stream_id,
            state: State::Opening { user: None },
            failures: 0,
            secure: false,
            waiting: None,
            counting: None,
        }
    }

    /// The connection is encrypted from its first byte.
    pub fn secured(&mut self) {
        self.secure = true;
    }

    /// Who is logged in here, if anybody.
    #[must_use]
    pub fn bound(&self) -> Option<&Bound> {
        match &self.state {
            State::Bound(bound) => Some(bound),
            _ => None,
        }
    }

    /// Whether a request waits for the disk, or for its time.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The request of a session that waits for the disk. Its connection is lost, and the answer goes elsewhere.
    pub fn take_waiting(&mut self) -> Option<Element> {
        self.bound()?;
        self.waiting.take().map(|waiting| waiting.request)
    }

    /// Takes in bytes; what there is to answer is appended to `out`.
    pub fn feed(&mut self, mut bytes: &[u8], host: &mut dyn Host, out: &mut Vec<u8>) -> Flow {
        loop {
            if let Some(waiting) = &mut self.waiting {
                waiting.behind.extend_from_slice(bytes);
                return Flow::Waiting;
            }
            match self.state {
                State::Closed => return Flow::Close,
                State::StartingTls => {
                    // What came behind <starttls/> is no TLS: somebody may have slipped it in (RFC 6120 §5.3.2).
                    self.secure = true;
                    self.begin_anew(None, host);
                    return Flow::StartTls;
                }
                _ => {}
            }
            match self.reader.next(&mut bytes) {
                Ok(None) => return Flow::Open,
                Ok(Some(frame)) => self.frame(frame, host, out),
                Err(error) => self.close(error, host, out),
            }
        }
    }

    /// The disk has answered the request that waited; reading goes on behind it.
    pub fn finish(
        &mut self,
        outcome: Result<(), StanzaError>,
        host: &mut dyn Host,
        out: &mut Vec<u8>,
    ) -> Flow {
        let Some(waiting) = self.waiting.take() else {
            return Flow::Open;
        };
        let to = self.peer_address(host);
        let start = out.len();
        match outcome {
            // A message or a presence that has arrived is not answered.
            Ok(()) if waiting.request.name() != "iq" => {}
            Ok(()) => stanza::write(stanza::result(&waiting.request, &to, None), out),
            Err(error) => stanza::write_error(&waiting.request, &to, error, out),
        }
        self.count_written(start, out);
        self.feed(&waiting.behind, host, out)
    }

    /// Ends the stream with an error, after a header of ours if none has been sent (RFC 6120 §4.9.1.2).
    pub fn close(&mut self, error: StreamError, host: &mut dyn Host, out: &mut Vec<u8>) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.waiting = None;
        match state {
            State::Closed => return,
            State::Opening { .. } => {
                let domain = host.config().server.domain.clone();
                header::write(&domain, self.stream_id, "en", out);
            }
            State::StartingTls | State::Open { .. } | State::Bound(_) => {}
        }
        header::write_end(error, out);
    }

    fn frame(&mut self, frame: Frame, host: &mut dyn Host, out: &mut Vec<u8>) {
        match frame {
            Frame::Header(header) => self.header(&header, host, out),
            Frame::Stanza(stanza) => self.stanza(stanza, host, out),
            Frame::End => {
                self.state = State::Closed;
                out.extend_from_slice(b"</stream:stream>");
            }
        }
    }

    fn stanza(&mut self, stanza: Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        if self.is_attempt(&stanza) {
            match host.attempt(register::is_newcomer(&stanza, host)) {
                Attempt::Now => {}
                Attempt::Later => return self.wait(stanza),
                Attempt::Never => return self.refuse_attempt(&stanza, host, out),
            }
        }
        self.take(stanza, host, out);
    }

    fn take(&mut self, stanza: Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        match stanza.ns().as_str() {
            ns::CLIENT => {}
            sm::NS => return self.manage(stanza, host, out),
            _ => return self.foreign_element(&stanza, host, out),
        }
        let start = out.len();
        self.count_handled(&stanza, host);
        match stanza.name() {
            "iq" => self.iq(stanza, host, out),
            "message" => self.message(stanza, host, out),
            "presence" => self.presence(stanza, host, out),
            _ => self.close(StreamError::UnsupportedStanzaType, host, out),
        }
        self.count_written(start, out);
    }

    fn iq(&mut self, element: Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        if let Some(kind @ ("result" | "error")) = attr(&element, "type") {
            if let (Some(id), State::Bound(bound)) = (attr(&element, "id"), &self.state) {
                if let Some(to) = addressee::of_answer(&element, bound, host)
                    && (host.pass_answer(&to, &element) || to.local.as_deref() != Some(&bound.user))
                {
                    return;
                }
                host.answered(id, kind == "result");
                if let Some(question) = caps::question(id) {
                    let info = element.get_child("query", ns::DISCO_INFO);
                    host.told_abilities(question, info.filter(|_| kind == "result"));
                }
                if let Some(millis) = time::answer(&element) {
                    host.told_time(millis);
                }
            }
            return;
        }
        match self.route(&element, host) {
            Ok(Reply::Empty) => self.reply(&element, None, host, out),
            Ok(Reply::With(payload)) => self.reply(&element, Some(payload), host, out),
            Ok(Reply::LoggedIn(bound, payload)) => {
                self.state = State::Bound(bound);
                self.reader.set_stanza_bytes(limits::STANZA_BYTES);
                self.reply(&element, payload, host, out);
            }
            Ok(Reply::Later) => self.wait(element),
            Ok(Reply::Elsewhere) => {}
            Err(error) => self.refuse(&element, error, host, out),
        }
    }

    fn route(&self, element: &Element, host: &mut dyn Host) -> Result<Reply, StanzaError> {
        let (domain, user, bound) = match &self.state {
            State::Open { domain, user, .. } => (domain, user.as_ref(), None),
            State::Bound(bound) => (&bound.domain, Some(&bound.user), Some(bound)),
            State::Opening { .. } | State::StartingTls | State::Closed => {
                return Err(StanzaError::NotAuthorized);
            }
        };
        let iq = router::request(element)?;
        let stream_id = header::id(self.stream_id);
        let mut context = Context {
            host,
            stream_id: &stream_id,
            domain,
            user,
            bound,
            secure: self.secure,
            addressee: Addressee::Server,
        };
        router::route(&iq, &mut context)
    }

    fn presence(&mut self, presence: Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        let taken = match &self.state {
            State::Bound(bound) => presence::update(&presence, bound, host),
            _ => Err(StanzaError::NotAuthorized),
        };
        match taken {
            Ok(Taken::Now) => {}
            Ok(Taken::Later) => self.wait(presence),
            // RFC 6120 §8.3.1: an error is never answered with an error.
            Err(_) if attr(&presence, "type") == Some("error") => {}
            Err(error) => self.refuse(&presence, error, host, out),
        }
    }

    fn message(&mut self, message: Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        let routed = match &self.state {
            State::Bound(bound) => message::route(message.clone(), bound, host),
            _ => Err(StanzaError::NotAuthorized),
        };
        match routed {
            Ok(true) => self.wait(message),
            Err(error) if attr(&message, "type") != Some("error") => {
                self.refuse(&message, error, host, out);
            }
            _ => {}
        }
    }

    fn wait(&mut self, request: Element) {
        self.waiting = Some(Box::new(Waiting {
            request,
            behind: Vec::new(),
        }));
    }

    fn reply(
        &self,
        request: &Element,
        payload: Option<Element>,
        host: &dyn Host,
        out: &mut Vec<u8>,
    ) {
        stanza::write(
            stanza::result(request, &self.peer_address(host), payload),
            out,
        );
    }

    fn refuse(
        &mut self,
        request: &Element,
        error: StanzaError,
        host: &mut dyn Host,
        out: &mut Vec<u8>,
    ) {
        stanza::write_error(request, &self.peer_address(host), error, out);
        if self.bound().is_none() {
            self.count_failure(host, out);
        }
    }

    /// Whoever is not logged in has few refusals: guessing passwords takes a connection each time.
    fn count_failure(&mut self, host: &mut dyn Host, out: &mut Vec<u8>) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= limits::LOGIN_FAILURES {
            self.close(StreamError::PolicyViolation, host, out);
        }
    }

    /// The client's full JID; before login what androidpn used in its place, domain and stream id.
    fn peer_address(&self, host: &dyn Host) -> String {
        match &self.state {
            State::Bound(bound) => bound.to_string(),
            State::Open { domain, .. } => format!("{domain}/{}", header::id(self.stream_id)),
            State::Opening { .. } | State::StartingTls | State::Closed => {
                format!(
                    "{}/{}",
                    host.config().server.domain,
                    header::id(self.stream_id)
                )
            }
        }
    }
}
