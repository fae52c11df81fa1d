//! An app made with tokio-xmpp: it registers, logs in, and keeps what comes in the order in which it comes.

use std::collections::VecDeque;
use std::str::FromStr;

use futures::{SinkExt, StreamExt};
use sasl::common::Credentials;
use tokio_xmpp::connect::{
    DirectTlsServerConnector, DnsConfig, ServerConnector, StartTlsServerConnector,
};
use tokio_xmpp::error::AuthError;
use tokio_xmpp::jid::Jid;
use tokio_xmpp::minidom::Element;
use tokio_xmpp::parsers::sasl::DefinedCondition;
use tokio_xmpp::stanzastream::{Event, StanzaStream, StreamEvent};
use tokio_xmpp::xmlstream::{Timeouts, XmlStream, XmppStreamElement};
use tokio_xmpp::{client_login, Error, Stanza};

use crate::gateway::{equal, port, within, Outcome, DOMAIN};

pub const PASSWORD: &str = "secret of tokio-xmpp";
const CLIENT: &str = "jabber:client";

pub struct Phone {
    stream: StanzaStream,
    /// The address the server has bound.
    pub address: Jid,
    asked: u32,
    came: VecDeque<Element>,
}

/// Where to connect; the name of the certificate is compared with the domain of the address.
fn at(port: u16) -> DnsConfig {
    DnsConfig::addr(&format!("127.0.0.1:{port}"))
}

pub fn jid(user: &str) -> String {
    format!("{user}@{DOMAIN}")
}

/// A stanza from its text, in which the namespace may be left out.
fn stanza(text: &str) -> Outcome<Box<Stanza>> {
    let element = Element::from_reader_with_prefixes(text.as_bytes(), CLIENT.to_owned())?;
    Ok(Box::new(match element.name() {
        "iq" => Stanza::Iq(element.try_into()?),
        "message" => Stanza::Message(element.try_into()?),
        _ => Stanza::Presence(element.try_into()?),
    }))
}

/// Registers an account. The library has the parts for it, but no call of that name.
pub async fn register(user: &str, password: &str) -> Outcome {
    let connector = StartTlsServerConnector::from(at(port("xmpp")));
    let domain = Jid::from_str(DOMAIN)?;
    let connected = connector.connect(&domain, CLIENT, Timeouts::default());
    let (pending, _) = within("TLS", connected).await??;
    let (_, mut stream): (_, XmlStream<_, XmppStreamElement>) =
        within("features", pending.recv_features()).await??;
    let query = format!(
        "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{user}</username>\
         <password>{password}</password></query></iq>"
    );
    stream
        .send(&XmppStreamElement::Stanza(*stanza(&query)?))
        .await?;
    let answer = within("an answer", stream.next())
        .await?
        .ok_or("the stream ended")?;
    let Ok(XmppStreamElement::Stanza(answer)) = answer else {
        return Err(format!("want an answer to the registration, got {answer:?}").into());
    };
    let answer = element_of(answer);
    if answer.attr("type") != Some("result") {
        return Err(format!("registration refused: {}", String::from(&answer)).into());
    }
    Ok(())
}

/// Tries to log in and tells why that failed.
pub async fn refusal(user: &str, password: &str) -> Outcome<DefinedCondition> {
    let connector = StartTlsServerConnector::from(at(port("xmpp")));
    let domain = Jid::from_str(DOMAIN)?;
    let connected = connector.connect(&domain, CLIENT, Timeouts::default());
    let (pending, _) = within("TLS", connected).await??;
    let (features, stream) = within("features", pending.recv_features()).await??;
    let credentials = Credentials::default()
        .with_username(user)
        .with_password(password);
    let login = client_login(stream, features.sasl_mechanisms, credentials);
    match within("an answer", login).await? {
        Err(Error::Auth(AuthError::Fail(condition))) => Ok(condition),
        Err(other) => Err(other.into()),
        Ok(_) => Err("a wrong password opens".into()),
    }
}

fn element_of(stanza: Stanza) -> Element {
    match stanza {
        Stanza::Iq(iq) => iq.into(),
        Stanza::Message(message) => message.into(),
        Stanza::Presence(presence) => presence.into(),
    }
}

pub fn body_of(message: &Element) -> String {
    let body = message.get_child("body", CLIENT);
    body.map(Element::text).unwrap_or_default()
}

impl Phone {
    pub async fn registered(user: &str) -> Outcome<Self> {
        register(user, PASSWORD).await?;
        Self::online(user, "phone", port("xmpp")).await
    }

    pub async fn online(user: &str, resource: &str, port: u16) -> Outcome<Self> {
        Self::with(StartTlsServerConnector::from(at(port)), user, resource).await
    }

    pub async fn direct(user: &str) -> Outcome<Self> {
        Self::with(
            DirectTlsServerConnector::from(at(port("xmpps"))),
            user,
            "phone",
        )
        .await
    }

    /// Logs in, asks for the roster and says that it is there.
    async fn with(connector: impl ServerConnector, user: &str, resource: &str) -> Outcome<Self> {
        let jid = Jid::from_str(&format!("{}/{resource}", jid(user)))?;
        let stream = StanzaStream::new_c2s(
            connector,
            jid.clone(),
            PASSWORD.to_owned(),
            Timeouts::default(),
            16,
        );
        let mut phone = Self {
            stream,
            address: jid,
            asked: 0,
            came: VecDeque::new(),
        };
        match phone.event().await? {
            Event::Stream(StreamEvent::Reset { bound_jid, .. }) => phone.address = bound_jid,
            other => return Err(format!("want the login of {user}, got {other:?}").into()),
        }
        phone
            .ask("get", "", "<query xmlns='jabber:iq:roster'/>")
            .await?;
        phone.send("<presence/>").await?;
        phone.sync().await?;
        Ok(phone)
    }

    async fn event(&mut self) -> Outcome<Event> {
        let event = within(
            &format!("something for {}", self.address),
            self.stream.next(),
        )
        .await?;
        event.ok_or_else(|| "the stream ended".into())
    }

    pub async fn send(&mut self, text: &str) -> Outcome {
        self.stream.send(stanza(text)?).await;
        Ok(())
    }

    pub async fn say(&mut self, to: &str, body: &str) -> Outcome {
        self.send(&format!(
            "<message type='chat' to='{to}'><body>{body}</body></message>"
        ))
        .await
    }

    /// The first stanza that fits, of those that came and then of those that come; the others stay for later.
    async fn next(&mut self, fits: impl Fn(&Element) -> bool) -> Outcome<Element> {
        loop {
            if let Some(place) = self.came.iter().position(&fits) {
                return self.came.remove(place).ok_or_else(|| "gone".into());
            }
            if let Event::Stanza(stanza) = self.event().await? {
                self.came.push_back(element_of(stanza));
            }
        }
    }

    /// Asks and returns the whole answer.
    pub async fn ask(&mut self, kind: &str, to: &str, payload: &str) -> Outcome<Element> {
        self.asked += 1;
        let id = format!("ask-{}", self.asked);
        let to = if to.is_empty() {
            String::new()
        } else {
            format!(" to='{to}'")
        };
        self.send(&format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>"))
            .await?;
        self.next(|iq| iq.name() == "iq" && iq.attr("id") == Some(&*id))
            .await
    }

    /// Returns when the server has handled everything before.
    pub async fn sync(&mut self) -> Outcome {
        let pong = self
            .ask("get", DOMAIN, "<ping xmlns='urn:xmpp:ping'/>")
            .await?;
        equal("answer to a ping", &Some("result"), &pong.attr("type"))
    }

    pub async fn message(&mut self) -> Outcome<Element> {
        self.next(|stanza| stanza.name() == "message").await
    }

    pub async fn hears(&mut self, body: &str) -> Outcome<Element> {
        let message = self.message().await?;
        let what = format!("next message for {}", self.address);
        equal(&what, body, &*body_of(&message))?;
        Ok(message)
    }

    pub async fn sees(&mut self, kind: Option<&str>, from: &str) -> Outcome {
        let fits = |presence: &Element| {
            let sender = presence.attr("from").unwrap_or_default();
            presence.name() == "presence"
                && presence.attr("type") == kind
                && sender.split('/').next() == Some(from)
        };
        self.next(fits).await.map(|_| ())
    }

    /// Waits until the library has come back by itself with the session it had.
    pub async fn resumed(&mut self) -> Outcome {
        loop {
            match self.event().await? {
                Event::Stream(StreamEvent::Suspended) => {}
                Event::Stream(StreamEvent::Resumed) => return Ok(()),
                Event::Stanza(stanza) => self.came.push_back(element_of(stanza)),
                other => return Err(format!("want a resumption, got {other:?}").into()),
            }
        }
    }

    /// Closes the stream; returns when the server has closed its own.
    pub async fn quit(self) -> Outcome {
        within("the end of the stream", self.stream.close()).await
    }
}
