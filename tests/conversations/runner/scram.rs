//! The client's side of RFC 5802, written for the scripts: its last message to a challenge of the server.

use std::cell::RefCell;
use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use hmac::digest::block_api::EagerHash;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The nonce every phone of a script has.
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

/// `client-first-message`, in base64.
pub(crate) fn first(user: &str) -> String {
    Base64::encode_string(format!("n,,{}", bare(user)).as_bytes())
}

fn bare(user: &str) -> String {
    format!("n={user},r={NONCE}")
}

/// `client-final-message` to a challenge, both in base64.
pub(crate) fn last(
    mechanism: &str,
    user: &str,
    password: &str,
    challenge: &str,
) -> Result<String, String> {
    let server_first = Base64::decode_vec(challenge).map_err(|why| why.to_string())?;
    let server_first = String::from_utf8(server_first).map_err(|why| why.to_string())?;
    let field = |name: &str| {
        let mut fields = server_first.split(',');
        let found = fields.find_map(|field| field.strip_prefix(name));
        found.ok_or_else(|| format!("no {name} in {server_first}"))
    };
    let nonce = field("r=")?;
    if !nonce.starts_with(NONCE) || nonce == NONCE {
        return Err(format!("the nonce is not ours and theirs: {server_first}"));
    }
    let salt = Base64::decode_vec(field("s=")?).map_err(|why| why.to_string())?;
    let iterations = field("i=")?
        .parse()
        .map_err(|_| "no number of iterations")?;
    let without_proof = format!("c=biws,r={nonce}");
    let signed = format!("{},{server_first},{without_proof}", bare(user));
    let proof = match mechanism {
        "SCRAM-SHA-1" => proof::<Sha1, 20>(password, &salt, iterations, &signed),
        "SCRAM-SHA-256" => proof::<Sha256, 32>(password, &salt, iterations, &signed),
        _ => return Err(format!("there is no {mechanism}")),
    };
    let message = format!("{without_proof},p={}", Base64::encode_string(&proof));
    Ok(Base64::encode_string(message.as_bytes()))
}

/// A password, its salt, how often it is hashed, and the length of the hash.
type Salting = (String, Vec<u8>, u32, usize);

thread_local! {
    /// Clients that log in often keep what it takes so long to make (§5.1).
    static SALTED: RefCell<BTreeMap<Salting, Vec<u8>>> = RefCell::default();
}

fn salted<D: EagerHash + Digest, const N: usize>(
    password: &str,
    salt: &[u8],
    iterations: u32,
) -> Vec<u8> {
    let salting = (password.to_owned(), salt.to_vec(), iterations, N);
    let make = || pbkdf2::pbkdf2_hmac_array::<D, N>(password.as_bytes(), salt, iterations).to_vec();
    SALTED.with_borrow_mut(|known| known.entry(salting).or_insert_with(make).clone())
}

/// §3: `ClientKey XOR HMAC(H(ClientKey), AuthMessage)`.
fn proof<D: EagerHash + Digest, const N: usize>(
    password: &str,
    salt: &[u8],
    iterations: u32,
    signed: &str,
) -> Vec<u8> {
    let salted = salted::<D, N>(password, salt, iterations);
    let client = hmac::<D>(&salted, b"Client Key");
    let stored = <D as Digest>::digest(&client);
    let signature = hmac::<D>(&stored, signed.as_bytes());
    let pairs = client.iter().zip(&signature);
    pairs.map(|(key, signature)| key ^ signature).collect()
}

fn hmac<D: EagerHash>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<D>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}
