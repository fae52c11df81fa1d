//! RFC 6120 §6 SASL: what a stream offers, and the exchange of messages that ends with a login or a failure.
// Heads up! The list of mechanisms may grow but never shrink, and its order stays: clients remember what they
// were offered and take less for an attack (`tests/conversations/sasl/`).

pub mod keys;
pub mod plain;
pub mod prepare;
pub mod scram;

use base64ct::{Base64, Encoding as _};
use minidom::Element;

use self::keys::Hash;
use self::scram::{Challenge, ClientFirst};
use super::error::StanzaError;
use super::host::{Host, Whose};
use super::stanza::attr;
use super::{jid, ns};
use crate::limits;

/// Why nobody is logged in (§6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client has given up.
    Aborted,
    /// What should be base64 is not.
    IncorrectEncoding,
    /// The client wants to act as somebody else.
    InvalidAuthzid,
    /// Not offered here.
    InvalidMechanism,
    /// A message that cannot be one, or not now.
    MalformedRequest,
    /// A wrong name or password.
    NotAuthorized,
    /// The server's fault; the same may succeed later.
    TemporaryAuthFailure,
}

impl Failure {
    fn condition(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }

    /// Tells the client.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let failure = format!(
            "<failure xmlns='{}'><{}/></failure>",
            ns::SASL,
            self.condition()
        );
        out.extend_from_slice(failure.as_bytes());
    }
}

impl From<StanzaError> for Failure {
    fn from(_: StanzaError) -> Self {
        Self::TemporaryAuthFailure
    }
}

/// The stream feature (§6.4.1).
pub(super) fn stream_feature(secure: bool) -> String {
    let mut feature = format!("<mechanisms xmlns='{}'>", ns::SASL);
    for mechanism in Mechanism::ALL {
        if mechanism.is_offered(secure) {
            feature.push_str("<mechanism>");
            feature.push_str(mechanism.name());
            feature.push_str("</mechanism>");
        }
    }
    feature.push_str("</mechanisms>");
    feature
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Scram(Hash),
    Plain,
}

impl Mechanism {
    /// In the order of preference.
    const ALL: [Self; 3] = [
        Self::Scram(Hash::Sha256),
        Self::Scram(Hash::Sha1),
        Self::Plain,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Scram(hash) => hash.mechanism(),
            Self::Plain => "PLAIN",
        }
    }

    fn is_offered(self, secure: bool) -> bool {
        secure || self != Self::Plain
    }
}

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange(Stage);

#[derive(Debug)]
enum Stage {
    /// The client has not said its first word.
    Chosen(Mechanism),
    /// The client has to prove itself.
    Challenged {
        challenge: Box<Challenge>,
        /// Who it says it is.
        user: String,
        /// Whether there is such a user, and whether keys are.
        whose: Whose,
    },
}

/// What a message of the client leads to.
#[derive(Debug)]
pub enum Turn {
    /// The client is asked for more: the exchange, and what it is told.
    Challenge(Exchange, Vec<u8>),
    /// The client is this user, and is told this.
    Success(String, Vec<u8>),
}

/// What an exchange needs to know of its stream.
pub struct Surroundings<'a> {
    /// The rest of the server.
    pub host: &'a mut dyn Host,
    /// The name the client uses for this server.
    pub domain: &'a str,
    /// Whether TLS lies beneath.
    pub secure: bool,
}

/// Whether an element carries what somebody proves to be with, or tries to: such are counted.
#[must_use]
pub fn is_attempt(element: &Element) -> bool {
    element.name() == "auth" && attr(element, "mechanism") == Some(Mechanism::Plain.name())
        || element.name() == "response"
}

/// Takes in `<auth/>`, `<response/>` or `<abort/>` while `exchange` is under way.
///
/// # Errors
/// The exchange is over, and this is why.
pub fn turn(
    element: &Element,
    exchange: Option<Exchange>,
    around: &mut Surroundings<'_>,
) -> Result<Turn, Failure> {
    match (element.name(), exchange) {
        ("auth", None) => {
            let offered = |mechanism: &Mechanism| {
                attr(element, "mechanism") == Some(mechanism.name())
                    && mechanism.is_offered(around.secure)
            };
            let mechanism = Mechanism::ALL.into_iter().find(offered);
            let mechanism = mechanism.ok_or(Failure::InvalidMechanism)?;
            match element.text().trim() {
                // §6.4.2: both mechanisms have the client speak first.
                "" => Ok(Turn::Challenge(
                    Exchange(Stage::Chosen(mechanism)),
                    Vec::new(),
                )),
                "=" => begin(mechanism, b"", around),
                text => begin(mechanism, &decoded(text)?, around),
            }
        }
        ("response", Some(Exchange(stage))) => {
            let message = decoded(element.text().trim())?;
            match stage {
                Stage::Chosen(mechanism) => begin(mechanism, &message, around),
                Stage::Challenged {
                    mut challenge,
                    user,
                    whose,
                } => {
                    if whose == Whose::Unmade {
                        challenge.set_keys(around.host.make_keys(&user)?);
                    }
                    // Whatever is wrong with the message is told nobody as it is told everybody.
                    let proof = match challenge.verify(&message) {
                        Ok(_) if whose == Whose::Nobodys => Err(Failure::NotAuthorized),
                        proof => proof,
                    };
                    if proof == Err(Failure::NotAuthorized) {
                        around.host.failed(&user);
                    }
                    let proof = proof?.into_bytes();
                    around.host.succeeded(&user);
                    Ok(Turn::Success(user, proof))
                }
            }
        }
        ("abort", _) => Err(Failure::Aborted),
        _ => Err(Failure::MalformedRequest),
    }
}

/// The client's first message.
fn begin(
    mechanism: Mechanism,
    message: &[u8],
    around: &mut Surroundings<'_>,
) -> Result<Turn, Failure> {
    match mechanism {
        Mechanism::Scram(hash) => {
            let first = ClientFirst::parse(message)?;
            let user = jid::localpart(&first.name);
            check_authzid(first.authzid.as_deref(), user.as_deref(), around)?;
            let (user, is_name) = match user {
                Some(user) => (user, true),
                None => (first.name.clone(), false),
            };
            let (keys, whose) = around.host.keys(&user)?;
            let mut random = [0; limits::SCRAM_SERVER_NONCE];
            around.host.random(&mut random);
            let (challenge, message) = Challenge::new(hash, first, keys, &random);
            let stage = Stage::Challenged {
                challenge: Box::new(challenge),
                user,
                whose: if is_name { whose } else { Whose::Nobodys },
            };
            Ok(Turn::Challenge(Exchange(stage), message.into_bytes()))
        }
        Mechanism::Plain => {
            let message = plain::parse(message)?;
            let user = jid::localpart(message.name);
            check_authzid(message.authzid, user.as_deref(), around)?;
            let name = user.as_deref().unwrap_or(message.name);
            let right = around.host.is_password(name, message.password)?;
            let (Some(user), true) = (user.clone(), right) else {
                around.host.failed(name);
                return Err(Failure::NotAuthorized);
            };
            around.host.succeeded(&user);
            Ok(Turn::Success(user, Vec::new()))
        }
    }
}

/// §6.3.8: nobody may act as somebody else. Some clients name themselves by their bare JID, some by its first
/// half.
fn check_authzid(
    authzid: Option<&str>,
    user: Option<&str>,
    around: &Surroundings<'_>,
) -> Result<(), Failure> {
    let Some(authzid) = authzid else {
        return Ok(());
    };
    let local = match authzid.split_once('@') {
        None => jid::localpart(authzid),
        Some((local, domain)) => {
            let domain = jid::domain(domain).ok_or(Failure::InvalidAuthzid)?;
            let ours = domain == around.domain || around.host.is_own_domain(&domain);
            ours.then(|| jid::localpart(local)).flatten()
        }
    };
    if local.is_some() && local.as_deref() == user {
        Ok(())
    } else {
        Err(Failure::InvalidAuthzid)
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Failure> {
    Base64::decode_vec(text).map_err(|_| Failure::IncorrectEncoding)
}

/// Writes `<challenge/>` or `<success/>` with what it carries.
pub(super) fn write_message(name: &str, message: &[u8], out: &mut Vec<u8>) {
    let text = Base64::encode_string(message);
    let element = if text.is_empty() {
        format!("<{name} xmlns='{}'/>", ns::SASL)
    } else {
        format!("<{name} xmlns='{}'>{text}</{name}>", ns::SASL)
    };
    out.extend_from_slice(element.as_bytes());
}
