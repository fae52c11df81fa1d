//! A phone of a script: what it is called, what it has still to send, what it has got.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use lanpush::push::ConnId;

use super::words::{Settings, address};
use super::xml::{Item, Node, StreamReader};

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Lines of wire traffic a failure's report shows.
const SHOWN: usize = 8;
/// Characters of each of them.
const SHOWN_WIDTH: usize = 400;

pub(crate) struct Phone {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) resource: String,
    /// How it logs in, if not as androidpn's clients do.
    pub(crate) login: Option<String>,
    /// What it calls the server, if that is not the server's domain.
    pub(crate) domain: Option<String>,
    pub(crate) peer: IpAddr,
    pub(crate) conn: Option<ConnId>,
    /// What it has sent and the server has not yet read.
    pub(crate) outgoing: VecDeque<Vec<u8>>,
    /// What has come and the script has not yet spoken of.
    pub(crate) inbox: VecDeque<(Item, Vec<u8>)>,
    /// Why the server's bytes make no sense, once they do not.
    pub(crate) garbled: Option<String>,
    pub(crate) ignores_rest: bool,
    /// Whether the script speaks of the presence of the phone's own account.
    pub(crate) hears_itself: bool,
    /// False while the phone leaves its socket unread.
    pub(crate) reads: bool,
    /// What waits in the socket of a phone that does not read.
    unread: Vec<u8>,
    /// Whether the server waits for its handshake.
    handshake: bool,
    reader: StreamReader,
    /// Whether the server has ended the stream of this connection.
    ended: bool,
    wire: Vec<String>,
}

impl Phone {
    pub(crate) fn new(name: &str, settings: &Settings) -> Result<Self, String> {
        let mut phone = Self {
            user: name.to_owned(),
            password: "secret".to_owned(),
            resource: "AndroidpnClient".to_owned(),
            login: None,
            domain: None,
            peer: IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20)),
            conn: None,
            outgoing: VecDeque::new(),
            inbox: VecDeque::new(),
            garbled: None,
            ignores_rest: false,
            hears_itself: true,
            reads: true,
            unread: Vec::new(),
            handshake: false,
            reader: StreamReader::new(),
            ended: false,
            wire: Vec::new(),
        };
        for (key, value) in settings {
            match key.as_str() {
                "user" => phone.user = value.clone(),
                "password" => phone.password = value.clone(),
                "resource" => phone.resource = value.clone(),
                "login" => phone.login = Some(value.clone()),
                "domain" => phone.domain = Some(value.clone()),
                "from" => phone.peer = address(value)?,
                _ => return Err(format!("a phone has no setting {key:?}")),
            }
        }
        Ok(phone)
    }

    pub(crate) fn connect(&mut self, conn: ConnId) -> Result<(), String> {
        if self.conn.is_some() {
            return Err("it is connected already".to_owned());
        }
        self.nothing_left()?;
        self.conn = Some(conn);
        self.reader = StreamReader::new();
        self.ended = false;
        self.handshake = false;
        self.reads = true;
        self.wire.push("== connects".to_owned());
        Ok(())
    }

    /// The server has agreed to TLS: plain text that is still under way is lost.
    pub(crate) fn turns_to_tls(&mut self) {
        self.outgoing.clear();
        self.handshake = true;
    }

    /// Does its part of the handshake; both streams begin anew behind it.
    pub(crate) fn shake_hands(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.handshake) {
            return Err("the server has not agreed to TLS".to_owned());
        }
        self.nothing_left()?;
        self.reader = StreamReader::new();
        self.wire.push("== TLS".to_owned());
        Ok(())
    }

    pub(crate) fn send(&mut self, bytes: &[u8], chopped: bool) -> Result<(), String> {
        if self.conn.is_none() {
            return Err("it is not connected".to_owned());
        }
        if self.handshake {
            return Err("it has to shake hands before it sends more".to_owned());
        }
        self.note("->", bytes);
        if chopped {
            self.outgoing.extend(bytes.iter().map(|byte| vec![*byte]));
        } else {
            self.outgoing.push_back(bytes.to_vec());
        }
        Ok(())
    }

    /// Takes bytes of the server; returns the id of a stream that has begun with them.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<String> {
        if !self.reads {
            self.unread.extend(bytes);
            return None;
        }
        self.note("<-", bytes);
        let items = match self.reader.feed(bytes) {
            Ok(items) => items,
            Err(why) => {
                self.garbled.get_or_insert(why);
                return None;
            }
        };
        let stream = items.iter().find_map(|(item, _)| match item {
            Item::Header(node) => node.attribute("id").map(str::to_owned),
            _ => None,
        });
        let begins_anew = |node: &Node| (&*node.name, &*node.namespace) == ("success", SASL);
        if matches!(items.last(), Some((Item::Stanza(node), _)) if begins_anew(node)) {
            // RFC 6120 §6.4.6: what comes next is a stream of its own.
            self.reader = StreamReader::new();
        }
        self.ended |= items.iter().any(|(item, _)| *item == Item::End);
        let own = |node: &Node| !self.hears_itself && self.is_own_presence(node);
        let heard = items.into_iter().filter(|(item, _)| match item {
            Item::Stanza(node) => !own(node),
            _ => true,
        });
        let heard: Vec<_> = heard.collect();
        self.inbox.extend(heard);
        stream
    }

    /// Whether it says that a session of the phone's own account is there, or is no longer.
    fn is_own_presence(&self, node: &Node) -> bool {
        let from = node.attribute("from").and_then(|from| from.split_once('@'));
        node.name == "presence"
            && matches!(node.attribute("type"), None | Some("unavailable"))
            && from.is_some_and(|(user, _)| user == self.user.to_lowercase())
    }

    /// Reads again what has waited in the socket.
    pub(crate) fn read_again(&mut self) -> Option<String> {
        self.reads = true;
        let waited = std::mem::take(&mut self.unread);
        self.take(&waited)
    }

    /// The server closes the connection, which the script has to speak of.
    ///
    /// A stock client comes back only if it has been told; so a close without an end is always a failure.
    pub(crate) fn close(&mut self) -> Result<(), String> {
        self.drop_connection();
        self.inbox.push_back((Item::Closed, Vec::new()));
        if self.ended || self.garbled.is_some() {
            Ok(())
        } else {
            Err("the server has closed a connection without ending its stream".to_owned())
        }
    }

    /// The connection is gone. What has come over it can still be read.
    pub(crate) fn drop_connection(&mut self) {
        self.conn = None;
        self.outgoing.clear();
        self.reads = true;
        let waited = std::mem::take(&mut self.unread);
        self.take(&waited);
        self.wire.push("== connection gone".to_owned());
    }

    /// Whether what has come next has this in it.
    pub(crate) fn is_offered(&self, text: &str) -> bool {
        let next = self.inbox.front();
        next.is_some_and(|(_, raw)| String::from_utf8_lossy(raw).contains(text))
    }

    /// Whether everything that came has been spoken of.
    pub(crate) fn nothing_left(&self) -> Result<(), String> {
        if let Some(why) = &self.garbled {
            return Err(why.clone());
        }
        if self.ignores_rest {
            return Ok(());
        }
        if let Some((item, _)) = self.inbox.front() {
            return Err(format!("it was also sent {item}"));
        }
        if self.reader.is_inside() && self.conn.is_some() {
            return Err("it was also sent the beginning of a stanza".to_owned());
        }
        Ok(())
    }

    /// The last of what went over its wire.
    pub(crate) fn wire(&self) -> String {
        let from = self.wire.len().saturating_sub(SHOWN);
        self.wire[from..].join("\n")
    }

    fn note(&mut self, arrow: &str, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let mut line: String = text.chars().take(SHOWN_WIDTH).collect();
        if line.len() < text.len() {
            line.push('…');
        }
        self.wire.push(format!("{arrow} {line}"));
    }
}
