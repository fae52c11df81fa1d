//! RFC 5802 SCRAM and RFC 7677: the client proves that it knows a password, and the server that it knows its
//! keys, without either telling. No channel binding, so no `-PLUS`.
// Heads up! Read RFC 5802 §5 (the exchange) and §7 (the syntax) before changing this file.

use base64ct::{Base64, Encoding as _};
use subtle::ConstantTimeEq as _;

use super::Failure;
use super::keys::{Hash, Keys};
use crate::limits;

/// What the client says first.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFirst {
    /// What its last message repeats: channel binding flag and authorization identity.
    gs2: String,
    /// Everything behind that.
    bare: String,
    /// Who it wants to act as, if it says so.
    pub authzid: Option<String>,
    /// Who it is.
    pub name: String,
    nonce: String,
}

impl ClientFirst {
    /// §7 `client-first-message`.
    ///
    /// # Errors
    /// `malformed-request` for what it cannot be, and for a wish for channel binding or an extension that
    /// must be understood.
    pub fn parse(message: &[u8]) -> Result<Self, Failure> {
        let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
        Self::read(text).ok_or(Failure::MalformedRequest)
    }

    fn read(text: &str) -> Option<Self> {
        let (flag, rest) = text.split_once(',')?;
        // "y" is a client that could bind the channel and believes that the server cannot: it is right.
        if flag != "n" && flag != "y" {
            return None;
        }
        let (authzid, bare) = rest.split_once(',')?;
        let gs2 = text.get(..text.len() - bare.len())?;
        let authzid = match authzid {
            "" => None,
            authzid => Some(unescape(authzid.strip_prefix("a=")?)?),
        };
        let mut fields = bare.split(',');
        let name = unescape(fields.next()?.strip_prefix("n=")?)?;
        let nonce = fields.next()?.strip_prefix("r=")?;
        let well_formed = is_nonce(nonce) && fields.all(is_extension);
        (well_formed && !name.is_empty()).then(|| Self {
            gs2: gs2.to_owned(),
            bare: bare.to_owned(),
            authzid,
            name,
            nonce: nonce.to_owned(),
        })
    }
}

/// What the server knows between the client's two messages.
#[derive(Debug)]
pub struct Challenge {
    hash: Hash,
    keys: Keys,
    /// §3: both messages so far, as the proof covers them.
    so_far: String,
    gs2: String,
    nonce: String,
}

impl Challenge {
    /// The server's `server-first-message`, and what it has to remember. `random` is its part of the nonce.
    #[must_use]
    pub fn new(hash: Hash, first: ClientFirst, keys: Keys, random: &[u8]) -> (Self, String) {
        let nonce = format!("{}{}", first.nonce, Base64::encode_string(random));
        let salt = Base64::encode_string(&keys.salt);
        let message = format!("r={nonce},s={salt},i={}", keys.iterations);
        let challenge = Self {
            hash,
            keys,
            so_far: format!("{},{message}", first.bare),
            gs2: first.gs2,
            nonce,
        };
        (challenge, message)
    }

    /// Puts the user's keys in the place of those that only told the salt.
    pub fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// §7 `client-final-message`: the server's own proof, if the client's is right.
    ///
    /// # Errors
    /// `malformed-request` for what it cannot be, `not-authorized` for a wrong proof, nonce or channel binding.
    pub fn verify(&self, message: &[u8]) -> Result<String, Failure> {
        let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::MalformedRequest)?;
        let mut fields = without_proof.split(',');
        let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name));
        let (binding, nonce) = field("c=")
            .zip(field("r="))
            .ok_or(Failure::MalformedRequest)?;
        let binding = Base64::decode_vec(binding).map_err(|_| Failure::MalformedRequest)?;
        let proof = Base64::decode_vec(proof).map_err(|_| Failure::MalformedRequest)?;
        if !fields.all(is_extension) {
            return Err(Failure::MalformedRequest);
        }
        if binding != self.gs2.as_bytes() || nonce != self.nonce {
            return Err(Failure::NotAuthorized);
        }
        let signed = format!("{},{without_proof}", self.so_far);
        let stored = self.keys.stored(self.hash);
        let signature = self.hash.hmac(stored, signed.as_bytes());
        if proof.len() != signature.len() {
            return Err(Failure::MalformedRequest);
        }
        let client: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if !bool::from(self.hash.digest(&client).ct_eq(stored)) {
            return Err(Failure::NotAuthorized);
        }
        let ours = self
            .hash
            .hmac(self.keys.server(self.hash), signed.as_bytes());
        Ok(format!("v={}", Base64::encode_string(&ours)))
    }
}

/// §5.1 `saslname`: `=2C` is a comma, `=3D` is an equals sign, and there is no other.
fn unescape(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (sign, rest) = match piece.as_bytes() {
            [b'2', b'C', ..] => (',', piece.get(2..)?),
            [b'3', b'D', ..] => ('=', piece.get(2..)?),
            _ => return None,
        };
        name.push(sign);
        name.push_str(rest);
    }
    (!name.contains('\0')).then_some(name)
}

/// §7 `printable`, some of it but not too much.
fn is_nonce(text: &str) -> bool {
    let printable = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    (1..=limits::SCRAM_NONCE).contains(&text.len()) && text.bytes().all(printable)
}

/// §5.1: an extension that may be ignored: a letter, an equals sign, a value. `m=` says that it may not.
fn is_extension(text: &str) -> bool {
    match text.as_bytes() {
        [b'm', ..] => false,
        [letter, b'=', _, ..] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::sasl::keys;

    /// The example exchanges of both RFCs; the client's proof in each is theirs.
    struct Example {
        hash: Hash,
        first: &'static str,
        server_nonce: &'static str,
        salt: &'static str,
        server_first: &'static str,
        last: &'static str,
        server_last: &'static str,
    }

    const EXAMPLES: [Example; 2] = [
        Example {
            hash: Hash::Sha1,
            first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            server_nonce: "3rfcNHYJY1ZVvWVs7j",
            salt: "QSXCR+Q6sek8bf92",
            server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            last: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            server_last: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        },
        Example {
            hash: Hash::Sha256,
            first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
            server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            last: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            server_last: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        },
    ];

    /// The challenge of an example. Ours have another length of salt and another alphabet of nonces, so it is
    /// put together here.
    fn challenge(example: &Example) -> Challenge {
        let first = ClientFirst::parse(example.first.as_bytes()).unwrap();
        let salt = Base64::decode_vec(example.salt).unwrap();
        let nonce = format!("{}{}", first.nonce, example.server_nonce);
        let (sha1, sha256) = keys::pairs("pencil", &salt, 4096);
        Challenge {
            hash: example.hash,
            keys: Keys {
                iterations: 4096,
                salt: [0; keys::SALT],
                sha1,
                sha256,
            },
            so_far: format!("{},{}", first.bare, example.server_first),
            gs2: first.gs2,
            nonce,
        }
    }

    #[test]
    fn examples_of_rfc_5802_and_rfc_7677() {
        for example in &EXAMPLES {
            let challenge = challenge(example);
            let verified = challenge.verify(example.last.as_bytes());
            assert_eq!(verified.as_deref(), Ok(example.server_last));
        }
    }

    #[test]
    fn first_messages() {
        for (text, authzid, name) in [
            ("n,,n=sam,r=x", None, "sam"),
            ("y,,n=sam,r=x", None, "sam"),
            ("n,a=sam@push.lan,n=sam,r=x", Some("sam@push.lan"), "sam"),
            ("n,a=a=2Cb,n=s=2Ca=3Dm,r=x", Some("a,b"), "s,a=m"),
            ("n,,n=sam,r=x,t=1", None, "sam"),
        ] {
            let first = ClientFirst::parse(text.as_bytes()).unwrap();
            assert_eq!(
                (first.authzid.as_deref(), first.name.as_str()),
                (authzid, name),
                "{text}"
            );
        }
        let long = format!("n,,n=sam,r={}", "x".repeat(limits::SCRAM_NONCE + 1));
        for text in [
            "",
            ",",
            "n,,",
            "n,,n=sam",
            "n,,r=x,n=sam",
            "n,,n=,r=x",
            "n,,n=sam,r=",
            "n,,n=sam,r=\u{7f}",
            "n,,n=sam,r=é",
            "n,,n=sa=m,r=x",
            "n,,n=sa=2c,r=x",
            "n,,n=sam=,r=x",
            "n,,n=sam\0,r=x",
            "n,sam,n=sam,r=x",
            "n,,m=ext,n=sam,r=x",
            "n,,n=sam,r=x,m=ext",
            "n,,n=sam,r=x,",
            "n,,n=sam,r=x,t=",
            "p=tls-exporter,,n=sam,r=x",
            "N,,n=sam,r=x",
            "n,n=sam,r=x",
            &long,
        ] {
            let parsed = ClientFirst::parse(text.as_bytes());
            assert_eq!(parsed, Err(Failure::MalformedRequest), "{text:?}");
        }
        let no_text = ClientFirst::parse(b"n,,n=\xff,r=x");
        assert_eq!(no_text, Err(Failure::MalformedRequest));
    }

    #[test]
    fn last_messages() {
        let example = &EXAMPLES[0];
        let challenge = challenge(example);
        let right = example.last;
        for (text, failure) in [
            (right.replace("biws", "eSws"), Failure::NotAuthorized),
            (right.replace("Vs7j", "Vs7k"), Failure::NotAuthorized),
            (right.replace("p=v0X8", "p=v0X9"), Failure::NotAuthorized),
            (right.replace("c=biws,", ""), Failure::MalformedRequest),
            (right.replace("biws", "b!ws"), Failure::MalformedRequest),
            (right.replace("4Ts=", "4Ts"), Failure::MalformedRequest),
            (right.replace(",p=", ",m=x,p="), Failure::MalformedRequest),
            (right.replace(",p=", ",x=1,p="), Failure::NotAuthorized),
            (right.replace(",p=", ",q="), Failure::MalformedRequest),
            (format!("{right}AAAA"), Failure::MalformedRequest),
            ("c=biws,r=x,p=".to_owned(), Failure::NotAuthorized),
            (String::new(), Failure::MalformedRequest),
        ] {
            assert_eq!(challenge.verify(text.as_bytes()), Err(failure), "{text}");
        }
        for cut in 0..right.len() {
            assert!(challenge.verify(&right.as_bytes()[..cut]).is_err(), "{cut}");
        }
    }
}
