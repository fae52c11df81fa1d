//! A client that counts as XEP-0198 says, and sends again what the server has not counted.

use std::collections::{BTreeMap, VecDeque};

use lanpush::push::ConnId;

use super::random::Random;
use super::scram;
use super::xml::{Item, Node, StreamReader};

const HEADER: &str = "<stream:stream to='push.lan' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// The client's half of its keys is made once, the server's is stored: no login takes long.
const MECHANISM: &str = "SCRAM-SHA-256";

/// One connection, with the bytes on their way in both directions.
pub(crate) struct Wire {
    pub(crate) conn: ConnId,
    pub(crate) to_server: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    /// The server has closed it.
    pub(crate) closed: bool,
    reader: StreamReader,
    step: Step,
}

/// How far a client has got on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Authenticating,
    Resuming,
    Binding,
    Enabling,
    On,
}

/// What a client has read, and whether it came over a session that was lost since.
#[derive(Default)]
pub(crate) struct Got {
    pub(crate) messages: Vec<String>,
    pub(crate) pushes: Vec<String>,
    /// Messages that came back with an error.
    pub(crate) bounced: Vec<String>,
    pub(crate) answers: BTreeMap<String, usize>,
}

pub(crate) struct Client {
    pub(crate) user: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) wire: Option<Wire>,
    /// What resumes the session.
    pub(crate) session: Option<String>,
    /// Stanzas read in this session.
    handled: u32,
    /// Stanzas the server has counted, and those it has not.
    counted: u32,
    uncounted: VecDeque<String>,
    /// Requests of the server that are not answered yet.
    asked: usize,
    pub(crate) got: Got,
    pub(crate) resumptions: usize,
    /// Sessions that were lost, and what was not counted in them.
    pub(crate) losses: usize,
    pub(crate) perhaps: Vec<String>,
    /// Begins a resumption with something that cannot be right.
    pub(crate) errs: Option<String>,
    pub(crate) note: Vec<String>,
}

impl Client {
    pub(crate) fn new(user: &'static str, resource: &'static str) -> Self {
        Self {
            user,
            resource,
            wire: None,
            session: None,
            handled: 0,
            counted: 0,
            uncounted: VecDeque::new(),
            asked: 0,
            got: Got::default(),
            resumptions: 0,
            losses: 0,
            perhaps: Vec::new(),
            errs: None,
            note: Vec::new(),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.wire
            .as_ref()
            .is_some_and(|wire| wire.step == Step::On && !wire.closed)
    }

    /// Whether it has yet to prove who it is.
    pub(crate) fn is_logging_in(&self) -> bool {
        self.wire
            .as_ref()
            .is_some_and(|wire| wire.step == Step::Authenticating)
    }

    pub(crate) fn connect(&mut self, conn: ConnId) {
        let mut wire = Wire {
            conn,
            to_server: Vec::new(),
            to_client: Vec::new(),
            closed: false,
            reader: StreamReader::new(),
            step: Step::Authenticating,
        };
        wire.to_server.extend_from_slice(HEADER.as_bytes());
        self.asked = 0;
        if self.session.is_none() {
            self.uncounted.clear();
        }
        self.wire = Some(wire);
    }

    fn write(&mut self, text: &str) {
        if let Some(wire) = &mut self.wire {
            wire.to_server.extend_from_slice(text.as_bytes());
        }
    }

    /// Sends a stanza, again after a resumption until the server has counted it.
    pub(crate) fn send(&mut self, stanza: &str) {
        self.uncounted.push_back(stanza.to_owned());
        self.write(stanza);
    }

    pub(crate) fn ask(&mut self) {
        if !self.is_on() {
            return;
        }
        self.write("<r xmlns='urn:xmpp:sm:3'/>");
    }

    /// Answers the server's requests, which it may put off.
    pub(crate) fn answer(&mut self) {
        if !self.is_on() {
            return;
        }
        for _ in 0..std::mem::take(&mut self.asked) {
            let answer = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.handled);
            self.write(&answer);
        }
    }

    /// Reads so many of the bytes on their way.
    pub(crate) fn read(&mut self, count: usize) {
        let Some(wire) = &mut self.wire else {
            return;
        };
        let bytes: Vec<u8> = wire.to_client.drain(..count).collect();
        // Tag by tag: behind `<success/>` a stream of its own begins.
        for tag in bytes.split_inclusive(|byte| *byte == b'>') {
            let Some(wire) = &mut self.wire else {
                return;
            };
            let items = wire.reader.feed(tag);
            for (item, _) in items.unwrap_or_else(|why| panic!("{why}")) {
                match item {
                    Item::Header(_) | Item::Closed | Item::End => {}
                    Item::Stanza(node) => self.stanza(&node),
                }
            }
        }
    }

    fn stanza(&mut self, node: &Node) {
        let step = self.wire.as_ref().map(|wire| wire.step);
        let name = node.name.as_str();
        if self.session.is_some()
            && step == Some(Step::On)
            && matches!(name, "message" | "presence" | "iq")
        {
            self.handled = self.handled.wrapping_add(1);
        }
        match (name, step) {
            ("features", Some(Step::Authenticating)) => self.after_features(node),
            ("challenge", _) => {
                let last = scram::last(MECHANISM, self.user, "secret", &node.text()).unwrap();
                self.write(&format!("<response xmlns='{SASL}'>{last}</response>"));
            }
            ("success", _) => {
                // A stream of its own begins.
                if let Some(wire) = &mut self.wire {
                    wire.reader = StreamReader::new();
                }
                self.write(HEADER);
            }
            ("resumed", _) => self.resumed(node),
            ("failed", Some(Step::Resuming)) => self.not_resumed(),
            ("enabled", _) => {
                self.session = Some(node.attribute("id").unwrap().to_owned());
                (self.handled, self.counted) = (0, 0);
                self.enter(Step::On);
            }
            ("r", _) => self.asked += 1,
            ("a", _) => self.count(node),
            ("iq", _) => self.iq(node),
            ("message", _) => self.message(node),
            ("presence", _) => {}
            ("error", _) => self.note.push(format!("{}: {node}", self.resource)),
            _ => panic!("{} does not know {node}", self.resource),
        }
    }

    fn enter(&mut self, step: Step) {
        if let Some(wire) = &mut self.wire {
            wire.step = step;
        }
    }

    fn after_features(&mut self, features: &Node) {
        if features
            .nodes()
            .iter()
            .any(|node| node.name == "mechanisms")
        {
            let first = scram::first(self.user);
            self.write(&format!(
                "<auth xmlns='{SASL}' mechanism='{MECHANISM}'>{first}</auth>"
            ));
            return;
        }
        match &self.session {
            Some(own) => {
                let id = self.errs.take().unwrap_or_else(|| own.clone());
                // `!` counts wrongly.
                let wrong = if id == "!" { 1_000 } else { 0 };
                let id = if id == "!" { own.clone() } else { id };
                let handled = self.handled.wrapping_add(wrong);
                self.enter(Step::Resuming);
                self.write(&format!(
                    "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{handled}'/>"
                ));
            }
            None => self.bind(),
        }
    }

    fn bind(&mut self) {
        self.enter(Step::Binding);
        let resource = self.resource;
        self.write(&format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        ));
    }

    fn resumed(&mut self, node: &Node) {
        assert_eq!(node.attribute("previd"), self.session.as_deref());
        self.resumptions += 1;
        self.count(node);
        self.enter(Step::On);
        for stanza in self.uncounted.clone() {
            self.write(&stanza);
        }
    }

    /// The session is over, or it was the wrong one.
    fn not_resumed(&mut self) {
        let own = self.session.clone().unwrap_or_default();
        if self.note.last().is_some_and(|note| note == "errs") {
            self.note.pop();
            let handled = self.handled;
            self.write(&format!(
                "<resume xmlns='urn:xmpp:sm:3' previd='{own}' h='{handled}'/>"
            ));
            return;
        }
        self.losses += 1;
        self.session = None;
        self.perhaps.extend(self.uncounted.drain(..));
        self.bind();
    }

    /// The server says how many stanzas it has counted: no more than were sent, no fewer than before.
    fn count(&mut self, node: &Node) {
        let handled: u32 = node.attribute("h").unwrap().parse().unwrap();
        let newly = handled.wrapping_sub(self.counted) as usize;
        assert!(
            newly <= self.uncounted.len(),
            "{} has sent {} behind {}, of which the server counts {handled}",
            self.resource,
            self.uncounted.len(),
            self.counted
        );
        self.uncounted.drain(..newly);
        self.counted = handled;
    }

    fn iq(&mut self, node: &Node) {
        let id = node.attribute("id").unwrap().to_owned();
        match node.attribute("type").unwrap() {
            "result" if id == "bind" => {
                self.enter(Step::Enabling);
                self.write("<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence/>");
                self.uncounted.push_back("<presence/>".to_owned());
            }
            "get" if node.nodes().iter().any(|node| node.name == "ping") => {
                let to = node.attribute("from").unwrap().to_owned();
                self.send(&format!("<iq type='result' id='{id}' to='{to}'/>"));
            }
            "get" => {
                let to = node.attribute("from").unwrap().to_owned();
                self.send(&format!(
                    "<iq type='error' id='{id}' to='{to}'><error type='cancel'>\
                     <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
                ));
            }
            _ => *self.got.answers.entry(id).or_default() += 1,
        }
    }

    fn message(&mut self, node: &Node) {
        let id = node.attribute("id").unwrap().to_owned();
        if node.attribute("type") == Some("error") {
            self.got.bounced.push(id);
        } else if node.attribute("from").unwrap().starts_with("push@") {
            self.got.pushes.push(id);
        } else {
            self.got.messages.push(id);
        }
    }

    /// Whether all it has sent is counted and all it was asked is answered.
    pub(crate) fn is_done(&self) -> bool {
        self.is_on() && self.uncounted.is_empty() && self.asked == 0
    }

    /// The connection is gone; of what was on its way, some may have arrived.
    pub(crate) fn cut(&mut self, random: &Random) -> Option<(ConnId, Vec<u8>)> {
        let waiting = self.wire.as_ref()?.to_client.len();
        let count = random.below(waiting + 1);
        self.read(count);
        let mut wire = self.wire.take()?;
        let count = random.below(wire.to_server.len() + 1);
        wire.to_server.truncate(count);
        Some((wire.conn, wire.to_server))
    }
}
