//! Whole conversations: phones that send anything, an administrator, a disk and time, on the stage of
//! `tests/conversations`.
//!
//! What a phone sends is bytes as they stand. [`ESCAPE`], which no UTF-8 text has, begins what happens beside:
//! the byte behind it says what (see [`World::act`]). The first byte of all chooses the configuration.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use lanpush::limits;
use lanpush::push::notification::{Extras, Priority};
use lanpush::push::store::Account;
use lanpush::push::{Draft, Request, Withdrawal};

use crate::runner::phone::Phone;
use crate::runner::script::{self, Act, Disk, Step};
use crate::runner::stage::Stage;
use crate::runner::template::{Scope, Template};
use crate::runner::xml::{Item, Node, StreamReader};

/// Begins what is not sent.
pub const ESCAPE: u8 = 0xff;
/// Name, user, resource and address of the phones.
const PHONES: [(&str, &str, &str, &str); 4] = [
    ("sam", "sam", "app", "192.168.1.20"),
    ("kim", "kim", "app", "192.168.1.21"),
    ("tablet", "sam", "Tablet", "192.168.1.22"),
    ("eve", "eve", "app", "203.0.113.9"),
];
/// Who is registered from the beginning.
const USERS: [&str; 2] = ["sam", "kim"];
/// Bytes that may come to all phones of one event: what waits for them, and what each has kept for others.
const BURST: usize = 4 * 1024 * 1024;
/// Events of one input; what stands behind is left out, so that none takes long.
const EVENTS: usize = 400;

/// Plays `input`.
///
/// # Panics
/// If the server does what it must not.
pub fn play(input: &[u8]) {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let mut world = World::new(choice);
    let mut pieces = input.split(|byte| *byte == ESCAPE).take(EVENTS);
    world.say(pieces.next().unwrap_or_default());
    for piece in pieces {
        // An escape at the very end says nothing.
        if let Some((&what, bytes)) = piece.split_first() {
            world.act(what);
            world.say(bytes);
        }
    }
    world.end();
}

/// What one phone waits for.
#[derive(Default)]
struct Wire {
    /// Reads what it sends, until that is no longer a stream.
    said: Option<StreamReader>,
    /// Requests without an answer, by their ids.
    open: BTreeMap<String, usize>,
    /// Requests of the server.
    asked: VecDeque<(String, String)>,
    /// Newest notification.
    pushed: String,
    /// Whether the server waits for its handshake.
    shakes: bool,
}

struct World {
    stage: Stage,
    wires: [Wire; 4],
    /// The phone that speaks.
    me: usize,
}

impl World {
    fn new(choice: u8) -> Self {
        let mut stage = Stage::new(false);
        let pick = |bit: u8, name: &str, yes: &str, no: &str| {
            let value = if choice >> bit & 1 == 1 { yes } else { no };
            (name.to_owned(), value.to_owned())
        };
        let settings = vec![
            pick(0, "registration", "lan", "open"),
            pick(1, "tls", "yes", "no"),
            pick(2, "settle", "2", "0"),
            pick(3, "message-type", "headline", "chat"),
            pick(4, "queue", "3", "50"),
            pick(5, "shared", "family", "nobody"),
            pick(6, "plaintext-login", "no", "yes"),
            ("alias".to_owned(), "gw.lan".to_owned()),
        ];
        stage.configure(&settings).expect("settings that exist");
        for (name, user, resource, from) in PHONES {
            let settings = [("user", user), ("resource", resource), ("from", from)];
            let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
            let phone = Phone::new(name, &settings.to_vec()).expect("settings that exist");
            stage.phones.insert(name.to_owned(), phone);
        }
        stage.begin().expect("a server that starts");
        let mut world = Self {
            stage,
            wires: Default::default(),
            me: 0,
        };
        for user in USERS {
            let account = Account {
                name: user.to_owned(),
                password: "secret".to_owned(),
                tags: vec!["family".to_owned()],
                ..Account::default()
            };
            let replace = false;
            world.ask(Request::PutAccount { account, replace });
        }
        world
    }

    fn name(&self) -> &'static str {
        PHONES[self.me].0
    }

    fn phone(&mut self) -> &mut Phone {
        let name = self.name();
        self.stage.phone(name).expect("all phones are there")
    }

    /// The speaking phone sends these bytes in one piece; it connects first if it has to.
    fn say(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.phone().conn.is_none() {
            self.connect(false);
        }
        // Nothing can be sent while the server waits for a handshake.
        if self.phone().send(bytes, false).is_err() {
            return;
        }
        self.note(bytes);
        self.settle();
    }

    /// Looks for requests in what is sent.
    fn note(&mut self, bytes: &[u8]) {
        let wire = &mut self.wires[self.me];
        let Some(items) = wire.said.as_mut().map(|said| said.feed(bytes)) else {
            return;
        };
        let Ok(items) = items else {
            wire.said = None;
            return;
        };
        for (item, _) in items {
            match item {
                Item::Stanza(node) if is_request(&node) => {
                    if let Some(id) = node.attribute("id").filter(|id| !id.is_empty()) {
                        *wire.open.entry(id.to_owned()).or_default() += 1;
                    }
                }
                Item::End => wire.said = None,
                _ => {}
            }
        }
    }

    fn connect(&mut self, with_tls: bool) {
        let name = self.name();
        let connected = match with_tls {
            true => self.stage.connect_with_tls(name),
            false => self.stage.connect(name),
        };
        connected.expect("a connection");
        self.wires[self.me] = Wire {
            said: Some(StreamReader::new()),
            ..Wire::default()
        };
        self.settle();
    }

    fn settle(&mut self) {
        self.stage.settle().expect("a server that comes to rest");
        self.hear();
    }

    /// Takes what has come to the phones.
    fn hear(&mut self) {
        let mut came = 0;
        for (wire, (name, ..)) in self.wires.iter_mut().zip(PHONES) {
            let phone = self.stage.phone(name).expect("all phones are there");
            for (item, raw) in phone.inbox.drain(..) {
                came += raw.len();
                wire.hear(item);
            }
            if wire.shakes {
                // Before its handshake a phone reads nothing; the edge leaves such a stream error out.
                phone.garbled = None;
            }
            assert_eq!(phone.garbled, None, "{name} cannot read the server");
            if phone.conn.is_none() {
                *wire = Wire::default();
            }
        }
        assert!(came <= BURST, "{came} bytes at once");
    }

    fn ask(&mut self, request: Request) {
        let ask = self
            .stage
            .ask(request)
            .expect("a server that comes to rest");
        self.hear();
        self.stage.answers.remove(&ask);
    }

    fn pass(&mut self, seconds: u64) {
        let time = Duration::from_secs(seconds);
        self.stage
            .advance(time)
            .expect("a server that comes to rest");
        self.hear();
    }

    /// What happens beside the phones' words.
    fn act(&mut self, what: u8) {
        let (_, user, resource, _) = PHONES[self.me];
        match what {
            b'0'..=b'3' => self.me = usize::from(what - b'0'),
            b'c' if self.phone().conn.is_none() => self.connect(false),
            b'C' if self.phone().conn.is_none() => self.connect(true),
            b'o' => self.say(HEADER),
            b'l' => self.log_in_as_androidpn(user, resource),
            b's' => self.log_in_by_sasl(user, resource),
            b'm' => self.say(b"<enable xmlns='urn:xmpp:sm:3' resume='true'/>"),
            b'k' => self.say(b"<iq type='set' id='k'><enable xmlns='urn:xmpp:carbons:2'/></iq>"),
            b'a' => self.answer("result"),
            b'e' => self.answer("error"),
            b'v' => self.confirm(),
            b'x' => self.disconnect(),
            b'n' => self.phone().reads = false,
            b'N' if self.phone().conn.is_some() => self.read_again(),
            // The handshake, where one is due.
            b'h' => {
                if self.phone().shake_hands().is_ok() {
                    self.wires[self.me].shakes = false;
                }
            }
            b't' => self.pass(1),
            b'T' => self.pass(30),
            b'u' => self.pass(600),
            b'U' => self.pass(3 * 86_400),
            b'd' => self.disk(Disk::Held),
            b'D' => self.disk(Disk::Released),
            b'f' => self.disk(Disk::Full),
            b'b' => self.disk(Disk::Broken),
            b'r' => self.disk(Disk::Unreadable),
            b'w' => self.disk(Disk::Works),
            b'p' => self.push("*", 0, ""),
            b'q' => self.push(user, 60, "series"),
            b'y' => self.push("topic:doors", 0, ""),
            b'z' => self.ask(Request::Withdraw(Withdrawal::Sequence {
                sequence: "series".to_owned(),
                target: user.parse().expect("a target"),
                sender: String::new(),
            })),
            b'Z' => self.ask(Request::RemoveUser {
                name: user.to_owned(),
            }),
            b'R' => self.restart(),
            b'K' => self.cut_power(),
            _ => {}
        }
    }

    fn log_in_as_androidpn(&mut self, user: &str, resource: &str) {
        self.say(HEADER);
        self.say(
            format!(
                "<iq id='r' type='set'><query xmlns='jabber:iq:register'><password>secret</password>\
                 <username>{user}</username></query></iq>\
                 <iq id='l' type='set'><query xmlns='jabber:iq:auth'><username>{user}</username>\
                 <password>secret</password><resource>{resource}</resource></query></iq><presence/>"
            )
            .as_bytes(),
        );
    }

    fn log_in_by_sasl(&mut self, user: &str, resource: &str) {
        use base64ct::{Base64, Encoding as _};
        if self.phone().conn.is_none() {
            self.connect(true);
        }
        let secret = Base64::encode_string(format!("\0{user}\0secret").as_bytes());
        self.say(HEADER);
        let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>";
        self.say(format!("{auth}{secret}</auth>").as_bytes());
        self.say(HEADER);
        self.say(
            format!(
                "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                 <resource>{resource}</resource></bind></iq><presence/>"
            )
            .as_bytes(),
        );
    }

    /// Answers the oldest request of the server.
    fn answer(&mut self, how: &str) {
        if let Some((id, from)) = self.wires[self.me].asked.pop_front() {
            let (id, from) = (escaped(&id), escaped(&from));
            self.say(format!("<iq type='{how}' id='{id}' to='{from}'/>").as_bytes());
        }
    }

    fn confirm(&mut self) {
        let id = escaped(&self.wires[self.me].pushed);
        self.say(format!("<iq type='result' id='{id}'/>").as_bytes());
    }

    fn disconnect(&mut self) {
        if self.phone().conn.is_some() {
            let name = self.name();
            self.stage
                .disconnect(name)
                .expect("a server that comes to rest");
            self.hear();
        }
    }

    fn read_again(&mut self) {
        let name = self.name();
        self.stage
            .read_again(name)
            .expect("a server that comes to rest");
        self.hear();
    }

    fn disk(&mut self, how: Disk) {
        self.stage.disk.set(how);
        self.settle();
    }

    fn push(&mut self, target: &str, ttl: u32, sequence: &str) {
        let extras = Extras {
            ttl,
            sequence: sequence.to_owned(),
            priority: Priority::default(),
            ..Extras::default()
        };
        self.ask(Request::Notify(Draft {
            target: target.parse().expect("a target"),
            title: "title".to_owned(),
            message: "a <b> & c".to_owned(),
            uri: String::new(),
            extras: Box::new(extras),
        }));
    }

    fn works_again(&mut self) {
        self.disk(Disk::Works);
        self.disk(Disk::Released);
    }

    fn restart(&mut self) {
        self.works_again();
        self.stage.stop().expect("a server that ends every stream");
        self.hear();
        self.stage.start().expect("a server that starts");
    }

    fn cut_power(&mut self) {
        self.works_again();
        self.stage.cut_power();
        self.hear();
        self.stage.start().expect("a server that starts");
    }

    /// Everybody reads, the disk works, and other phones have had their time to answer: nobody who is still
    /// there may wait for an answer then.
    fn end(&mut self) {
        self.works_again();
        for me in 0..PHONES.len() {
            self.me = me;
            if self.phone().conn.is_some() {
                self.read_again();
            }
        }
        let wait = limits::REQUEST_WAIT.max(limits::LOGIN_LINE) + Duration::from_secs(1);
        self.pass(wait.as_secs());
        for (wire, (name, ..)) in self.wires.iter().zip(PHONES) {
            assert!(
                wire.open.is_empty(),
                "{name} waits for {:?}",
                wire.open.keys()
            );
        }
        self.stage.stop().expect("a server that ends every stream");
    }
}

impl Wire {
    fn hear(&mut self, item: Item) {
        let Item::Stanza(node) = item else {
            return;
        };
        match node.name.as_str() {
            // Streams begin anew; what was asked before is void.
            "success" | "proceed" => {
                *self = Self {
                    said: Some(StreamReader::new()),
                    shakes: node.name == "proceed",
                    ..Self::default()
                };
            }
            "iq" => {
                let id = node.attribute("id").unwrap_or_default().to_owned();
                if is_request(&node) {
                    let from = node.attribute("from").unwrap_or_default().to_owned();
                    self.pushed.clone_from(&id);
                    self.asked.push_back((id, from));
                } else if let Some(open) = self.open.get_mut(&id) {
                    *open -= 1;
                    if *open == 0 {
                        self.open.remove(&id);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether an IQ wants an answer (RFC 6120 §8.2.3).
fn is_request(node: &Node) -> bool {
    node.name == "iq"
        && node.namespace == "jabber:client"
        && matches!(node.attribute("type"), Some("get" | "set"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\'', "&apos;")
}

const HEADER: &[u8] = b"<stream:stream to='push.lan' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// A conversation as input: what its phones send and what befalls them, not what they expect.
#[must_use]
pub fn seed(script: &str) -> Vec<u8> {
    let lines = script::parse(script, &[]).expect("a script that is read");
    let mut seed = vec![0b10];
    let mut slots: BTreeMap<String, usize> = BTreeMap::new();
    let mut sasl: BTreeMap<String, bool> = BTreeMap::new();
    let mut me = usize::MAX;
    for line in &lines {
        match &line.step {
            Step::Phone(settings, name) => {
                let setting = |key: &str| settings.iter().find(|(own, _)| own == key);
                let user = setting("user").map_or(name.as_str(), |(_, value)| value);
                slots.insert(name.clone(), slot(user, &slots));
                sasl.insert(name.clone(), setting("login").is_some());
            }
            Step::Speak(name, act) => {
                let slot = slots.get(name).copied().unwrap_or_default();
                if me != slot {
                    me = slot;
                    seed.extend([ESCAPE, b'0' + u8::try_from(slot).expect("one of four")]);
                }
                let by_sasl = sasl.get(name) == Some(&true);
                speak(act, by_sasl, &mut seed);
            }
            Step::Admin(..) => seed.extend([ESCAPE, b'q']),
            Step::After(time) => {
                let long = [(86_400, b'U'), (300, b'u'), (10, b'T'), (0, b't')];
                let fits = long.iter().find(|(least, _)| time.as_secs() >= *least);
                seed.extend([ESCAPE, fits.expect("the last fits all").1]);
            }
            Step::Restart => seed.extend([ESCAPE, b'R']),
            Step::PowerCut | Step::PowerCutBehindDisk => seed.extend([ESCAPE, b'K']),
            Step::Disk(disk) => seed.extend([ESCAPE, disk_letter(*disk)]),
            _ => {}
        }
    }
    seed
}

/// Sam's first phone, his other one, Kim's, anybody else's.
fn slot(user: &str, taken: &BTreeMap<String, usize>) -> usize {
    match user {
        "sam" if taken.values().all(|slot| *slot != 0) => 0,
        "sam" => 2,
        "kim" => 1,
        _ => 3,
    }
}

fn disk_letter(disk: Disk) -> u8 {
    match disk {
        Disk::Full => b'f',
        Disk::Broken => b'b',
        Disk::Unreadable => b'r',
        Disk::Works => b'w',
        Disk::Held => b'd',
        Disk::Released => b'D',
    }
}

fn speak(act: &Act, by_sasl: bool, seed: &mut Vec<u8>) {
    let what = match act {
        Act::Connects => b'c',
        Act::ConnectsWithTls => b'C',
        Act::OpensStream | Act::BeginsAgain => b'o',
        Act::LogsIn | Act::Authenticates | Act::AuthenticatesBy(_) | Act::LogsInBy(_) => {
            if by_sasl { b's' } else { b'l' }
        }
        Act::ShakesHands => b'h',
        Act::AnswersPing => b'e',
        Act::Confirms(_) => b'v',
        Act::ClosesStream => {
            seed.extend(b"</stream:stream>");
            return;
        }
        Act::StartsTls => {
            seed.extend(HEADER);
            seed.extend(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            seed.extend([ESCAPE, b'h', ESCAPE, b'o']);
            return;
        }
        Act::Disconnects => b'x',
        Act::StopsReading => b'n',
        Act::ReadsAgain => b'N',
        Act::Sends(text) => {
            sends(text, seed);
            return;
        }
        _ => return,
    };
    seed.extend([ESCAPE, what]);
}

/// Names that only a play would fill are left out, with the stanza they stand in.
fn sends(text: &Template, seed: &mut Vec<u8>) {
    if let Ok(bytes) = text.fill(&Scope::default(), "") {
        seed.extend([ESCAPE, b'.']);
        seed.extend(bytes.into_iter().filter(|byte| *byte != ESCAPE));
    }
}
