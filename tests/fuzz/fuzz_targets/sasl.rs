//! Messages of SASL: PLAIN (RFC 4616) and both of SCRAM's (RFC 5802). Whoever does not know the password is not
//! let in, and whoever does is, whatever else the messages hold.
#![no_main]

use std::sync::LazyLock;

use base64ct::{Base64, Encoding as _};
use lanpush::limits;
use lanpush::xmpp::sasl::keys::{Hash, Keys, SALT};
use lanpush::xmpp::sasl::scram::{Challenge, ClientFirst};
use lanpush::xmpp::sasl::{Failure, plain, prepare};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

const PASSWORD: &str = "pencil";

/// The keys, and what the client knows: `SaltedPassword`.
static KEYS: LazyLock<(Keys, [u8; 32])> = LazyLock::new(|| {
    let salt = [7; SALT];
    let rounds = limits::SCRAM_ITERATIONS;
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(PASSWORD.as_bytes(), &salt, rounds);
    (Keys::new(PASSWORD, salt), salted)
});

/// RFC 5802 §3: the last message of a client that knows the password.
fn last(first: &str, server_first: &str) -> Option<String> {
    let comma = first.match_indices(',').nth(1)?.0;
    let (gs2, bare) = first.split_at(comma + 1);
    let nonce = server_first.strip_prefix("r=")?.split(',').next()?;
    let without_proof = format!("c={},r={nonce}", Base64::encode_string(gs2.as_bytes()));
    let signed = format!("{bare},{server_first},{without_proof}");
    let client = Hash::Sha256.hmac(&KEYS.1, b"Client Key");
    let stored = Hash::Sha256.digest(&client);
    let signature = Hash::Sha256.hmac(&stored, signed.as_bytes());
    let proof: Vec<u8> = client.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    Some(format!(
        "{without_proof},p={}",
        Base64::encode_string(&proof)
    ))
}

fn seeds() {
    lanpush_fuzz::seeds(|| {
        [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL\nc=biws,r=fyko+d2lbbFgONRv9qkxdawL,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "y,a=u=2Cs=3Der,n=u=2Cs=3Der,r=abc,x=ext\nc=eSws,r=abc,x=y,p=",
            "\0tim\0tanstaaftanstaaf",
            "Ursel\0Kurt\0xipj3plmq",
            "I\u{ad}X a\u{a0}b\u{3000}c\u{fe0f}",
        ]
    });
}

fn check(bytes: &[u8]) {
    if let Ok(message) = plain::parse(bytes) {
        let authzid = message.authzid.unwrap_or_default();
        let again = [authzid, message.name, message.password].join("\0");
        assert_eq!(again.as_bytes(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let prepared = prepare::password(text);
        assert_eq!(prepare::password(&prepared), prepared);
    }
    if let Some(keys) = Keys::from_bytes(bytes) {
        assert_eq!(keys.to_bytes(), bytes);
    }
    let cut = bytes.iter().position(|byte| *byte == b'\n');
    let (first, behind) = bytes.split_at(cut.unwrap_or(bytes.len()));
    let Ok(parsed) = ClientFirst::parse(first) else {
        return;
    };
    assert!(!parsed.name.is_empty());
    let random = [9; limits::SCRAM_SERVER_NONCE];
    for hash in [Hash::Sha1, Hash::Sha256] {
        let parsed = ClientFirst::parse(first).expect("as before");
        let (challenge, message) = Challenge::new(hash, parsed, KEYS.0.clone(), &random);
        // Whatever stands there, its proof is of another exchange or of none.
        let answer = challenge.verify(behind.get(1..).unwrap_or_default());
        assert!(matches!(
            answer,
            Err(Failure::MalformedRequest | Failure::NotAuthorized)
        ));
        let first = std::str::from_utf8(first).expect("it was parsed");
        let right = last(first, &message).expect("it was parsed");
        assert_eq!(
            challenge.verify(right.as_bytes()).is_ok(),
            hash == Hash::Sha256
        );
    }
}

fuzz_target!(init: seeds(), |bytes: &[u8]| check(bytes));
