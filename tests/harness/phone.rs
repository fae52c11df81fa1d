//! A phone: what androidpn's client does, one blocking step after the other.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use sha1::{Digest, Sha1};

use super::DEADLINE;

/// Where androidpn's client logs in.
pub(crate) const RESOURCE: &str = "AndroidpnClient";

/// A connection to the push port; `S` is the socket, or what encrypts on top of it.
pub(crate) struct Phone<S = TcpStream> {
    pub(crate) stream: S,
    unread: Vec<u8>,
    stream_id: String,
    count: u32,
    /// Pushes that came while something else was awaited.
    pub(crate) pushes: Vec<Push>,
}

/// A notification as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) iq: String,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) message: String,
    pub(crate) uri: String,
}

impl Phone {
    /// Connects, no more.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::of(stream)
    }

    /// Connects and opens a stream.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut phone = Self::connect(address);
        phone.open_stream();
        phone
    }

    /// Connects, registers (which may be repeated), logs in and is available when this returns.
    pub(crate) fn online(address: SocketAddr, user: &str) -> Self {
        let mut phone = Self::open(address);
        phone.register(user);
        phone.login(user, RESOURCE);
        phone.available();
        phone
    }
}

impl<S: Read + Write> Phone<S> {
    /// Over a connection that is made.
    pub(crate) fn of(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            stream_id: String::new(),
            count: 0,
            pushes: Vec::new(),
        }
    }

    pub(crate) fn open_stream(&mut self) {
        let opening = self.try_open_stream().unwrap();
        assert!(opening.ends_with("</stream:features>"), "{opening}");
    }

    /// Opens a stream and returns the answer, which ends with features or with the stream.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) fn try_open_stream(&mut self) -> io::Result<String> {
        self.stream.write_all(
            b"<stream:stream to=\"push.lan\" xmlns=\"jabber:client\" \
              xmlns:stream=\"http://etherx.jabber.org/streams\" version=\"1.0\">",
        )?;
        let opening = self.until_any(&["</stream:features>", "</stream:stream>"])?;
        self.stream_id = attribute(&opening, "id").to_owned();
        Ok(opening)
    }

    /// Registers with a password made from the name.
    pub(crate) fn register(&mut self, user: &str) {
        let reply = self.ask(
            "set",
            &format!(
                "<query xmlns=\"jabber:iq:register\"><password>{}</password>\
                 <username>{user}</username></query>",
                password(user)
            ),
        );
        assert_eq!(attribute(&reply, "type"), "result", "{reply}");
    }

    /// Logs in as the stock client does: by digest where that is offered, else with the password.
    pub(crate) fn login(&mut self, user: &str, resource: &str) {
        let fields = self.ask(
            "get",
            &format!("<query xmlns=\"jabber:iq:auth\"><username>{user}</username></query>"),
        );
        let proof = if fields.contains("<digest") {
            let digest = Sha1::digest(format!("{}{}", self.stream_id, password(user)));
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("<digest>{digest}</digest>")
        } else {
            format!("<password>{}</password>", password(user))
        };
        let reply = self.ask(
            "set",
            &format!(
                "<query xmlns=\"jabber:iq:auth\"><username>{user}</username>\
                 {proof}<resource>{resource}</resource></query>"
            ),
        );
        assert_eq!(attribute(&reply, "type"), "result", "{reply}");
    }

    /// Sends presence and waits until the server has dealt with it.
    pub(crate) fn available(&mut self) {
        self.send("<presence id=\"p\"></presence>");
        self.ping();
    }

    /// Asks the server whether it is there: when this returns, it has dealt with all sent before.
    pub(crate) fn ping(&mut self) {
        self.ask("get", "<ping xmlns=\"urn:xmpp:ping\"/>");
    }

    /// Sends an IQ and returns its answer. Pushes that come first are kept in `pushes`.
    pub(crate) fn ask(&mut self, kind: &str, payload: &str) -> String {
        self.count += 1;
        let id = format!("ask-{}", self.count);
        self.send(&format!("<iq id=\"{id}\" type=\"{kind}\">{payload}</iq>"));
        loop {
            let stanza = self.stanza().unwrap();
            if attribute(&stanza, "id") == id {
                return stanza;
            }
            self.take_in(&stanza);
        }
    }

    /// The next push.
    pub(crate) fn push(&mut self) -> Push {
        while self.pushes.is_empty() {
            let stanza = self.stanza().unwrap();
            self.take_in(&stanza);
        }
        self.pushes.remove(0)
    }

    /// Answers what a stock client answers, and keeps pushes.
    fn take_in(&mut self, stanza: &str) {
        if stanza.contains("androidpn:iq:notification") {
            self.pushes.push(Push {
                iq: attribute(stanza, "id").to_owned(),
                id: text(stanza, "id"),
                title: text(stanza, "title"),
                message: text(stanza, "message"),
                uri: text(stanza, "uri"),
            });
        } else if stanza.contains("urn:xmpp:ping") && attribute(stanza, "type") == "get" {
            let id = attribute(stanza, "id");
            self.send(&format!(
                "<iq id=\"{id}\" type=\"error\"><error code=\"501\" type=\"CANCEL\">\
                 <feature-not-implemented xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\"/></error></iq>"
            ));
        } else if stanza.starts_with("<stream:error") || stanza.starts_with("</stream:stream") {
            panic!("the stream ended: {stanza}");
        }
    }

    /// Confirms a push as an app does.
    pub(crate) fn confirm(&mut self, push: &Push) {
        self.send(&format!("<iq id=\"{}\" type=\"result\"/>", push.iq));
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Everything up to the end of `end`.
    pub(crate) fn until(&mut self, end: &str) -> String {
        self.until_any(&[end])
            .unwrap_or_else(|error| panic!("{error} before {end:?}: {:?}", lossy(&self.unread)))
    }

    /// Everything up to the end of the first of `ends` that is found.
    ///
    /// # Errors
    /// The connection's; [`io::ErrorKind::UnexpectedEof`] at its end.
    pub(crate) fn until_any(&mut self, ends: &[&str]) -> io::Result<String> {
        loop {
            for end in ends {
                if let Some(at) = find(&self.unread, end) {
                    return Ok(self.cut(at + end.len()));
                }
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next stanza, or the stream's end tag.
    ///
    /// # Errors
    /// The connection's; [`io::ErrorKind::UnexpectedEof`] at its end.
    pub(crate) fn stanza(&mut self) -> io::Result<String> {
        loop {
            if let Some(length) = first_stanza(&self.unread) {
                return Ok(self.cut(length).trim_start().to_owned());
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// All that still comes until the server ends the connection.
    ///
    /// # Errors
    /// The connection's: [`io::ErrorKind::ConnectionReset`] if it did not end but broke.
    pub(crate) fn rest(&mut self) -> io::Result<String> {
        while self.fill()? > 0 {}
        let all = self.unread.len();
        Ok(self.cut(all))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..read]);
        Ok(read)
    }

    fn cut(&mut self, length: usize) -> String {
        let rest = self.unread.split_off(length);
        lossy(&std::mem::replace(&mut self.unread, rest))
    }
}

pub(crate) fn password(user: &str) -> String {
    format!("secret of {user}")
}

/// The value of an attribute of the first element that has it.
pub(crate) fn attribute<'x>(xml: &'x str, name: &str) -> &'x str {
    for quote in ['"', '\''] {
        let start = format!(" {name}={quote}");
        if let Some(at) = xml.find(&start) {
            let value = &xml[at + start.len()..];
            return &value[..value.find(quote).unwrap()];
        }
    }
    ""
}

/// The text of the first element of that name, which has no children.
pub(crate) fn text(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let Some(start) = xml.find(&open) else {
        return String::new();
    };
    let text = &xml[start + open.len()..];
    unescape(&text[..text.find(&close).unwrap()])
}

fn unescape(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, plain)| {
        text.replace(entity, plain)
    })
}

/// Length of the first stanza: an empty element, or all up to the first end tag of that name, which holds
/// because no stanza contains its own name.
fn first_stanza(bytes: &[u8]) -> Option<usize> {
    let start = find(bytes, "<")?;
    let tag_end = start + find(&bytes[start..], ">")? + 1;
    let tag = &bytes[start + 1..tag_end - 1];
    if tag.ends_with(b"/") || tag.starts_with(b"/") {
        return Some(tag_end);
    }
    let name = tag.split(u8::is_ascii_whitespace).next()?;
    let end = format!("</{}>", lossy(name));
    Some(tag_end + find(&bytes[tag_end..], &end)? + end.len())
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
