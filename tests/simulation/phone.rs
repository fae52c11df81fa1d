//! Simulated phones: what each kind says on a connection, in real bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lanpush::push::ConnId;
use lanpush::push::notification::NotificationId;
use lanpush::xmpp::feature::auth;

use super::model::DeviceKey;
use super::random::Random;
use super::xml::{Item, Node, StreamReader};

/// What a phone does that not every phone does. The stock client does none of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// Never answers a ping, and may not even read.
    pub(crate) silent: bool,
    /// Answers pings with a result instead of 501.
    pub(crate) pongs: bool,
    /// Answers a push with a result.
    pub(crate) results: bool,
    /// Answers a push with the forks' confirmation.
    pub(crate) confirms: bool,
    /// Confirms ids that are another phone's, old, or nobody's.
    pub(crate) lies: bool,
    /// Connects again without closing what it has.
    pub(crate) doubles: bool,
    /// Sends header, registration, login and presence without waiting.
    pub(crate) pipelines: bool,
    /// Is unavailable every now and then.
    pub(crate) hides: bool,
    /// Takes a resource nobody has had at each login.
    pub(crate) wanders: bool,
    /// Sets alias and tags.
    pub(crate) labels: bool,
    /// Subscribes to topics, and so is known to understand what is taken back.
    pub(crate) topics: bool,
}

/// A phone.
pub(crate) struct Phone {
    pub(crate) user: String,
    pub(crate) resource: String,
    pub(crate) habits: Habits,
}

/// A request that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Register { password: String },
    Fields,
    Login { resource: String, version: u64 },
    Labels,
    Ping,
    Confirmation,
}

/// What bytes mean once the server has taken them in.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    /// The phone has read these pushes: it answers the ping behind them.
    Pong {
        ping: String,
        read: Vec<NotificationId>,
    },
    /// The app has this push.
    Confirmed(NotificationId),
}

/// One connection of a phone.
pub(crate) struct Wire {
    pub(crate) conn: ConnId,
    pub(crate) phone: usize,
    /// Bytes on their way to the server.
    pub(crate) outgoing: VecDeque<u8>,
    /// How many bytes were sent, and what the bytes up to some point mean.
    sent: usize,
    pub(crate) given: usize,
    pub(crate) meanings: VecDeque<(usize, Meaning)>,
    reader: StreamReader,
    /// What has come and the phone has not read: chunks for the bound of the edge, items to read.
    pub(crate) inbox: VecDeque<Item>,
    pub(crate) unread: usize,
    /// The server wants to know when everything is read.
    pub(crate) tell: bool,
    /// The phone is gone, and the server has not noticed.
    pub(crate) dead: bool,
    /// The server has said the last word of the stream.
    pub(crate) ended: bool,
    /// The server has closed the connection.
    pub(crate) closed: bool,
    pub(crate) asked: BTreeMap<String, Asked>,
    stream: String,
    count: u32,
    /// How often the password had changed when the server said how it can be proved.
    pub(crate) offered: u64,
    /// Who is logged in on it.
    pub(crate) device: Option<DeviceKey>,
    /// Pushes the phone has read.
    pub(crate) read: Vec<NotificationId>,
    /// Pushes that were sent to it; the newest of those that had not to wait for a time of their own; and
    /// the newest ping.
    pub(crate) got: BTreeSet<NotificationId>,
    pub(crate) newest: Option<NotificationId>,
    pub(crate) newest_ping: String,
}

/// What the phone knows that its wire does not.
pub(crate) struct Knowledge<'a> {
    pub(crate) phone: &'a Phone,
    pub(crate) password: &'a str,
    /// How often the password has changed.
    pub(crate) version: u64,
    /// Some id, perhaps of a push for somebody else.
    pub(crate) any_id: NotificationId,
}

impl Wire {
    pub(crate) fn new(conn: ConnId, phone: usize) -> Self {
        Self {
            conn,
            phone,
            outgoing: VecDeque::new(),
            sent: 0,
            given: 0,
            meanings: VecDeque::new(),
            reader: StreamReader::new(),
            inbox: VecDeque::new(),
            unread: 0,
            tell: false,
            dead: false,
            ended: false,
            closed: false,
            asked: BTreeMap::new(),
            stream: String::new(),
            count: 0,
            offered: 0,
            device: None,
            read: Vec::new(),
            got: BTreeSet::new(),
            newest: None,
            newest_ping: String::new(),
        }
    }

    /// The server has sent bytes.
    pub(crate) fn arrive(&mut self, bytes: &[u8]) -> Vec<Item> {
        let items = self
            .reader
            .feed(bytes)
            .unwrap_or_else(|why| panic!("{why}"));
        self.unread += bytes.len();
        let items: Vec<Item> = items.into_iter().map(|(item, _)| item).collect();
        self.inbox.extend(items.iter().cloned());
        items
    }

    pub(crate) fn is_inside_a_stanza(&self) -> bool {
        self.reader.is_inside()
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.outgoing.extend(text.as_bytes());
        self.sent += text.len();
    }

    fn mean(&mut self, meaning: Meaning) {
        self.meanings.push_back((self.sent, meaning));
    }

    /// Sends a request and notes that an answer has to come.
    fn ask(&mut self, kind: &str, payload: &str, asked: Asked) {
        self.count += 1;
        let id = format!("{}-{}", self.conn.0, self.count);
        self.send(&format!("<iq type='{kind}' id='{id}'>{payload}</iq>"));
        self.asked.insert(id, asked);
    }

    pub(crate) fn open(&mut self, known: &Knowledge<'_>) {
        self.send(
            "<stream:stream to='push.lan' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
        );
        if known.phone.habits.pipelines {
            self.register(known);
            let secret = format!("<password>{}</password>", known.password);
            self.log_in(known, &secret, known.version);
            self.send("<presence/>");
        }
    }

    fn register(&mut self, known: &Knowledge<'_>) {
        let (user, password) = (&known.phone.user, known.password.to_owned());
        let payload = format!(
            "<query xmlns='jabber:iq:register'><username>{user}</username>\
             <password>{password}</password></query>"
        );
        self.ask("set", &payload, Asked::Register { password });
    }

    fn ask_fields(&mut self, known: &Knowledge<'_>) {
        let user = &known.phone.user;
        let payload = format!("<query xmlns='jabber:iq:auth'><username>{user}</username></query>");
        self.ask("get", &payload, Asked::Fields);
    }

    /// By digest where that is offered, which needs a password that is kept in the clear.
    fn prove(&mut self, fields: &Node, known: &Knowledge<'_>) {
        let query = *fields.nodes().first().unwrap();
        let has_digest = query.nodes().iter().any(|field| field.name == "digest");
        let proof = if has_digest {
            let digest = auth::digest(&self.stream, known.password);
            format!("<digest>{digest}</digest>")
        } else {
            format!("<password>{}</password>", known.password)
        };
        // A password that has changed since may be kept in another way.
        self.log_in(known, &proof, self.offered.min(known.version));
    }

    fn log_in(&mut self, known: &Knowledge<'_>, secret: &str, version: u64) {
        let Phone { user, resource, .. } = known.phone;
        let payload = format!(
            "<query xmlns='jabber:iq:auth'><username>{user}</username>{secret}\
             <resource>{resource}</resource></query>"
        );
        let resource = resource.clone();
        self.ask("set", &payload, Asked::Login { resource, version });
    }

    /// The phone reads what has come next and does what phones of its kind do.
    pub(crate) fn read_one(&mut self, known: &Knowledge<'_>, random: &Random) {
        match self.inbox.pop_front() {
            Some(Item::Header(node)) => {
                node.attribute("id").unwrap().clone_into(&mut self.stream);
            }
            Some(Item::Stanza(node)) => self.stanza(&node, known, random),
            Some(Item::End | Item::Closed) | None => {}
        }
        if self.inbox.is_empty() {
            self.unread = 0;
        }
    }

    fn stanza(&mut self, node: &Node, known: &Knowledge<'_>, random: &Random) {
        let habits = known.phone.habits;
        match (node.name.as_str(), node.attribute("type")) {
            ("features", _) if !habits.pipelines => self.register(known),
            ("iq", Some("set")) => self.push(node.attribute("id").unwrap(), known, random),
            ("iq", Some("get")) => self.ping(node.attribute("id").unwrap(), habits),
            ("iq", Some("result")) => {
                let id = node.attribute("id").unwrap();
                match self.asked.remove(id) {
                    Some(Asked::Register { .. }) if !habits.pipelines => self.ask_fields(known),
                    Some(Asked::Fields) => self.prove(node, known),
                    Some(Asked::Login { .. }) => self.greet(known, random),
                    Some(_) => {}
                    None => panic!("an answer to {id:?}, which was not asked or has one"),
                }
            }
            ("iq", Some("error")) => {
                let id = node.attribute("id").unwrap();
                let asked = self.asked.remove(id);
                match asked.expect("an answer to what was not asked") {
                    Asked::Register { .. } | Asked::Fields | Asked::Login { .. } => {
                        self.send("</stream:stream>")
                    }
                    Asked::Labels | Asked::Ping | Asked::Confirmation => {}
                }
            }
            _ => {}
        }
    }

    fn greet(&mut self, known: &Knowledge<'_>, random: &Random) {
        let habits = known.phone.habits;
        if !habits.pipelines {
            self.send("<presence/>");
        }
        if habits.labels {
            let (alias, tag) = (random.below(3), random.below(3));
            let alias = format!("<alias>a{alias}</alias>");
            let alias = format!("<setalias xmlns='androidpn:iq:setalias'>{alias}</setalias>");
            self.ask("set", &alias, Asked::Labels);
            let tags = format!("<tags>t{tag},t9</tags>");
            let tags = format!("<settags xmlns='androidpn:iq:settags'>{tags}</settags>");
            self.ask("set", &tags, Asked::Labels);
        }
        if habits.topics {
            let (wanted, other) = (random.below(3), random.below(3));
            let payload = format!(
                "<query xmlns='lanpush:iq:topics'><subscribe>p{wanted}</subscribe>\
                 <subscribe scope='user'>p9</subscribe><unsubscribe>p{other}</unsubscribe></query>"
            );
            self.ask("set", &payload, Asked::Labels);
        }
    }

    fn push(&mut self, id: &str, known: &Knowledge<'_>, random: &Random) {
        let habits = known.phone.habits;
        let notification: NotificationId = id.parse().expect("a push has the id of a notification");
        self.read.push(notification);
        if habits.results {
            self.send(&format!("<iq type='result' id='{id}'/>"));
            self.mean(Meaning::Confirmed(notification));
        }
        if habits.confirms {
            self.confirm(notification);
        }
        if habits.lies && random.one_in(3) {
            self.confirm(known.any_id);
        }
    }

    fn confirm(&mut self, id: NotificationId) {
        let payload = format!(
            "<deliverconfirm xmlns='androidpn:iq:deliverconfirm'><uuid>{id}</uuid></deliverconfirm>"
        );
        self.ask("set", &payload, Asked::Confirmation);
        self.mean(Meaning::Confirmed(id));
    }

    fn ping(&mut self, id: &str, habits: Habits) {
        if habits.silent {
            return;
        }
        if habits.pongs {
            self.send(&format!("<iq type='result' id='{id}'/>"));
        } else {
            self.send(&format!(
                "<iq type='error' id='{id}'><error code='501' type='CANCEL'>\
                 <feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            ));
        }
        let read = self.read.clone();
        let ping = id.to_owned();
        self.mean(Meaning::Pong { ping, read });
    }

    /// Something a phone says of its own accord.
    pub(crate) fn chat(&mut self, habits: Habits, random: &Random) {
        if self.device.is_none() {
            return;
        }
        match random.below(6) {
            0 if habits.hides => self.send("<presence type='unavailable'/>"),
            1 | 2 if habits.hides => self.send("<presence><show>away</show></presence>"),
            0 => self.ask("get", "<ping xmlns='urn:xmpp:ping'/>", Asked::Ping),
            1 => self.send("</stream:stream>"),
            _ => self.send(" "),
        }
    }
}
