//! RFC 5802 §3 and RFC 7677: what is kept of a password. Whoever reads it cannot log in with it.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use hmac::digest::block_api::EagerHash;
use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac_array;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::prepare;
use crate::limits;

/// Bytes of a salt.
pub const SALT: usize = 16;

/// The hash function a SCRAM mechanism is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SCRAM-SHA-1
    Sha1,
    /// SCRAM-SHA-256
    Sha256,
}

impl Hash {
    /// Name of the mechanism.
    #[must_use]
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// RFC 5802 §2.2: `HMAC(key, data)`.
    #[must_use]
    pub fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => hmac::<Sha1>(key, data),
            Self::Sha256 => hmac::<Sha256>(key, data),
        }
    }

    /// RFC 5802 §2.2: `H(data)`.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }
}

fn hmac<D: EagerHash>(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<D>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// Both keys of one hash function.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair<const N: usize> {
    /// `StoredKey`: proves who the client is.
    pub stored: [u8; N],
    /// `ServerKey`: proves who the server is.
    pub server: [u8; N],
}

impl<const N: usize> Pair<N> {
    fn new(hash: Hash, salted: &[u8]) -> Self {
        let client = hash.hmac(salted, b"Client Key");
        Self {
            stored: array(&hash.digest(&client)),
            server: array(&hash.hmac(salted, b"Server Key")),
        }
    }
}

/// The first `N` bytes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// What is kept of one password, for every mechanism.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Keys {
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// Random, another for each password.
    pub salt: [u8; SALT],
    /// Of SCRAM-SHA-1.
    pub sha1: Pair<20>,
    /// Of SCRAM-SHA-256.
    pub sha256: Pair<32>,
}

impl Keys {
    /// The keys of a password. Runs PBKDF2 for each hash function, which takes milliseconds.
    #[must_use]
    pub fn new(password: &str, salt: [u8; SALT]) -> Self {
        let iterations = limits::SCRAM_ITERATIONS;
        let (sha1, sha256) = pairs(password, &salt, iterations);
        Self {
            iterations,
            salt,
            sha1,
            sha256,
        }
    }

    /// Keys that no password has, always the same for a name: who asks for somebody that does not exist is
    /// asked for a proof all the same (RFC 5802 §5.1 leaves it to the server).
    #[must_use]
    pub fn made_up(secret: &[u8], name: &str) -> Self {
        let salt = Hash::Sha256.hmac(secret, name.as_bytes());
        let nobody = |length: u8| Hash::Sha256.hmac(secret, &[&[length], name.as_bytes()].concat());
        Self {
            iterations: limits::SCRAM_ITERATIONS,
            salt: array(&salt),
            sha1: Pair {
                stored: array(&nobody(20)),
                server: array(&nobody(20)),
            },
            sha256: Pair {
                stored: array(&nobody(32)),
                server: array(&nobody(32)),
            },
        }
    }

    /// Bytes of [`to_bytes`](Self::to_bytes).
    pub const BYTES: usize = 4 + SALT + 2 * 20 + 2 * 32;

    /// As the store has them: iterations, salt, `StoredKey` and `ServerKey` of either hash function.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            &self.iterations.to_be_bytes(),
            &self.salt,
            &self.sha1.stored,
            &self.sha1.server,
            &self.sha256.stored,
            &self.sha256.server,
        ];
        parts.concat()
    }

    /// The keys those bytes are.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
            let (array, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(*array)
        }
        let bytes = &mut bytes;
        let keys = Self {
            iterations: u32::from_be_bytes(take(bytes)?),
            salt: take(bytes)?,
            sha1: Pair {
                stored: take(bytes)?,
                server: take(bytes)?,
            },
            sha256: Pair {
                stored: take(bytes)?,
                server: take(bytes)?,
            },
        };
        bytes.is_empty().then_some(keys)
    }

    /// Whether they are the keys of this password. Runs PBKDF2 once.
    #[must_use]
    pub fn are_of(&self, password: &str) -> bool {
        let password = prepare::password(password);
        let salted: [u8; 32] =
            pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), &self.salt, self.iterations);
        let pair: Pair<32> = Pair::new(Hash::Sha256, &salted);
        bool::from(pair.stored.ct_eq(&self.sha256.stored))
    }

    /// `StoredKey` of one hash function.
    #[must_use]
    pub fn stored(&self, hash: Hash) -> &[u8] {
        match hash {
            Hash::Sha1 => &self.sha1.stored,
            Hash::Sha256 => &self.sha256.stored,
        }
    }

    /// `ServerKey` of one hash function.
    #[must_use]
    pub fn server(&self, hash: Hash) -> &[u8] {
        match hash {
            Hash::Sha1 => &self.sha1.server,
            Hash::Sha256 => &self.sha256.server,
        }
    }

    /// RFC 5803 §2: the keys of one hash function as text.
    fn text(&self, hash: Hash) -> String {
        format!(
            "{}${}:{}${}:{}",
            hash.mechanism(),
            self.iterations,
            Base64::encode_string(&self.salt),
            Base64::encode_string(self.stored(hash)),
            Base64::encode_string(self.server(hash)),
        )
    }
}

/// RFC 5802 §3, for both hash functions.
pub(super) fn pairs(password: &str, salt: &[u8], iterations: u32) -> (Pair<20>, Pair<32>) {
    let password = prepare::password(password);
    let password = password.as_bytes();
    let sha1 = pbkdf2_hmac_array::<Sha1, 20>(password, salt, iterations);
    let sha256 = pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations);
    (
        Pair::new(Hash::Sha1, &sha1),
        Pair::new(Hash::Sha256, &sha256),
    )
}

/// They are as good as the password to whoever wants to pass for the server.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl From<Keys> for Vec<String> {
    fn from(keys: Keys) -> Self {
        vec![keys.text(Hash::Sha1), keys.text(Hash::Sha256)]
    }
}

/// A text is no keys of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKeys;

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the keys of SCRAM-SHA-1 and SCRAM-SHA-256")
    }
}

impl TryFrom<Vec<String>> for Keys {
    type Error = NoKeys;

    fn try_from(texts: Vec<String>) -> Result<Self, NoKeys> {
        let [first, second] = texts.as_slice() else {
            return Err(NoKeys);
        };
        let (iterations, salt, sha1) = parse(first, Hash::Sha1).ok_or(NoKeys)?;
        let (same_iterations, same_salt, sha256) = parse(second, Hash::Sha256).ok_or(NoKeys)?;
        if (iterations, salt) != (same_iterations, same_salt) {
            return Err(NoKeys);
        }
        Ok(Self {
            iterations,
            salt,
            sha1,
            sha256,
        })
    }
}

/// What one text of [`Keys::text`] says: iterations, salt and keys.
fn parse<const N: usize>(text: &str, hash: Hash) -> Option<(u32, [u8; SALT], Pair<N>)> {
    let rest = text.strip_prefix(hash.mechanism())?.strip_prefix('$')?;
    let (cost, keys) = rest.split_once('$')?;
    let (iterations, salt) = cost.split_once(':')?;
    let (stored, server) = keys.split_once(':')?;
    let iterations = iterations.parse().ok()?;
    let costs = limits::SCRAM_ITERATIONS_LEAST..=limits::SCRAM_ITERATIONS_MOST;
    let pair = Pair {
        stored: bytes(stored)?,
        server: bytes(server)?,
    };
    costs.contains(&iterations).then_some(())?;
    Some((iterations, bytes(salt)?, pair))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    Base64::decode_vec(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_text_and_back() {
        let keys = Keys::new("pencil", [7; SALT]);
        let texts = Vec::from(keys.clone());
        assert!(texts[0].starts_with("SCRAM-SHA-1$4096:BwcHBwcHBwcHBwcHBwcHBw==$"));
        assert_eq!(Keys::try_from(texts.clone()), Ok(keys));
        for bad in [
            vec![],
            vec![texts[0].clone()],
            vec![texts[1].clone(), texts[0].clone()],
            vec![texts[0].clone(), texts[1].replace("4096", "4097")],
            vec![texts[0].clone(), texts[1].replace("BwcH", "BwcI")],
            vec![texts[0].replace("4096", "1"), texts[1].replace("4096", "1")],
            vec![texts[0].clone(), texts[1].replace('$', ":")],
            vec![texts[0].clone(), format!("{}A", texts[1])],
        ] {
            assert_eq!(Keys::try_from(bad.clone()), Err(NoKeys), "{bad:?}");
        }
    }

    #[test]
    fn of_their_password_only() {
        let keys = Keys::new("pass wörd", [7; SALT]);
        for (password, right) in [
            ("pass wörd", true),
            ("pass\u{a0}wörd", true),
            ("pass word", false),
            ("", false),
        ] {
            assert_eq!(keys.are_of(password), right, "{password:?}");
        }
        assert_ne!(keys, Keys::new("pass wörd", [8; SALT]));
        assert!(!format!("{keys:?}").contains('7'));
    }

    #[test]
    fn made_up_keys_stay_the_same() {
        let keys = Keys::made_up(b"secret", "sam");
        assert_eq!(keys, Keys::made_up(b"secret", "sam"));
        assert_ne!(keys.salt, Keys::made_up(b"secret", "kim").salt);
        assert_ne!(keys.salt, Keys::made_up(b"other", "sam").salt);
    }
}
