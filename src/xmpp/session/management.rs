//! XEP-0198: the counting half of a session, and how it begins and goes on.

use std::ops::Range;
use std::rc::Rc;

use minidom::Element;

use super::{Bound, Flow, Session, State};
use crate::xmpp::error::StreamError;
use crate::xmpp::feature::{bind, management};
use crate::xmpp::host::Host;
use crate::xmpp::stanza::attr;

/// What a session that is managed counts.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// Stanzas the client has sent.
    handled: u32,
    /// Where stanzas lie in the bytes written since they were last asked for.
    written: Written,
}

/// Where in the bytes a session has written there is what the client counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Behind this byte the client begins to count.
    pub begins: Option<usize>,
    /// Stanzas that it counts, in order.
    pub stanzas: Vec<Range<usize>>,
}

impl Session {
    /// Whether the client counts what it is sent.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.counting.is_some()
    }

    /// Stanzas of the client's that have been handled; 0 while nobody counts.
    #[must_use]
    pub fn handled(&self) -> u32 {
        self.counting
            .as_ref()
            .map_or(0, |counting| counting.handled)
    }

    /// Where stanzas lie in what the last call has written.
    pub fn take_written(&mut self) -> Written {
        let counting = self.counting.as_mut();
        counting.map_or_else(Written::default, |counting| {
            std::mem::take(&mut counting.written)
        })
    }

    /// A stanza has come.
    pub(super) fn count_handled(&mut self, stanza: &Element, host: &mut dyn Host) {
        if let Some(counting) = &mut self.counting {
            counting.handled = counting.handled.wrapping_add(1);
        } else if self.bound().is_some() && !stanza.has_child("session", bind::SESSION) {
            host.goes_unmanaged();
        }
    }

    /// A stanza has been written behind `start`, if anything has.
    pub(super) fn count_written(&mut self, start: usize, out: &[u8]) {
        if let Some(counting) = &mut self.counting
            && out.len() > start
            && !matches!(self.state, State::Closed)
        {
            counting.written.stanzas.push(start..out.len());
        }
    }

    /// An element of the namespace.
    pub(super) fn manage(&mut self, element: Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        match element.name() {
            "enable" => self.enable(&element, host, out),
            "r" if self.is_managed() => management::write_answer(self.handled(), out),
            "a" if self.is_managed() => {
                let Some(handled) = management::handled(&element) else {
                    return self.close(StreamError::BadFormat, host, out);
                };
                if let Err(sent) = host.acknowledged(handled) {
                    self.close(StreamError::HandledTooMany { handled, sent }, host, out);
                }
            }
            "resume" => self.resume(element, host, out),
            _ => self.unexpected(host, out),
        }
    }

    fn enable(&mut self, enable: &Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        let State::Bound(bound) = &self.state else {
            return self.unexpected(host, out);
        };
        if self.is_managed() {
            return self.unexpected(host, out);
        }
        let enabled = host.manage(bound, management::wants_resumption(enable));
        management::write_enabled(&enabled, out);
        let mut counting = Box::<Counting>::default();
        counting.written.begins = Some(out.len());
        self.counting = Some(counting);
    }

    /// The gateway has to find the session; it answers with [`Session::resumed`] or
    /// [`Session::not_resumed`].
    fn resume(&mut self, resume: Element, host: &mut dyn Host, out: &mut Vec<u8>) {
        let Some(user) = self.authenticated() else {
            return self.unexpected(host, out);
        };
        let (Some(id), Some(handled)) = (attr(&resume, "previd"), management::handled(&resume))
        else {
            management::write_failed("bad-request", out);
            return self.count_failure(host, out);
        };
        host.resume(&user, id, handled);
        self.wait(resume);
    }

    /// The session goes on here as `bound`, of which so much had been handled. What follows in `out`, up to
    /// [`Session::go_on`], is not counted.
    pub fn resumed(&mut self, bound: Bound, handled: u32, out: &mut Vec<u8>) {
        let id = self
            .waiting
            .as_ref()
            .and_then(|waiting| attr(&waiting.request, "previd"));
        management::write_resumed(id.unwrap_or_default(), handled, out);
        self.reader.set_stanza_bytes(crate::limits::STANZA_BYTES);
        self.state = State::Bound(bound);
        self.counting = Some(Box::new(Counting {
            handled,
            ..Counting::default()
        }));
    }

    /// There is no such session any longer.
    pub fn not_resumed(&mut self, out: &mut Vec<u8>) {
        management::write_failed("item-not-found", out);
    }

    /// Reads on behind the request to resume.
    pub fn go_on(&mut self, host: &mut dyn Host, out: &mut Vec<u8>) -> Flow {
        match self.waiting.take() {
            Some(waiting) => self.feed(&waiting.behind, host, out),
            None => Flow::Open,
        }
    }

    /// Who has logged in by SASL and not bound a resource.
    fn authenticated(&self) -> Option<Rc<str>> {
        match &self.state {
            State::Open { user, .. } => user.clone(),
            _ => None,
        }
    }

    /// §3 and §5: refused, and the stream goes on.
    fn unexpected(&mut self, host: &mut dyn Host, out: &mut Vec<u8>) {
        management::write_failed("unexpected-request", out);
        if self.bound().is_none() {
            self.count_failure(host, out);
        }
    }
}
