//! Bounds of logging in: what passwords are kept as, and how fast they may be guessed.

use std::time::Duration;

/// Rounds of PBKDF2 that a password's keys are made with (RFC 7677 §4 wants 4096 at least): a few milliseconds
/// of ours whenever a password is set, and of the phone's at each login. They keep whoever steals the database
/// from trying passwords fast.
pub const SCRAM_ITERATIONS: u32 = 4096;
/// Fewest rounds of keys that come with an export; with fewer the account is left out.
pub const SCRAM_ITERATIONS_LEAST: u32 = 4096;
/// Most rounds of keys that come with an export; with more the account is left out.
pub const SCRAM_ITERATIONS_MOST: u32 = 100_000;
/// Characters of a client's nonce; over it: SASL failure `malformed-request`.
pub const SCRAM_NONCE: usize = 256;
/// Random bytes the server adds to it.
pub const SCRAM_SERVER_NONCE: usize = 18;
/// Wrong passwords an address may send without having to wait.
pub const LOGIN_FREE_FAILURES: u32 = 5;
/// Longest an attempt waits because of the failures before it: 1 s after the first that is not free, then twice
/// as long each time. Other addresses never wait.
pub const LOGIN_DELAY: Duration = Duration::from_secs(16);
/// How far ahead attempts of one address may line up, each behind the other; over it: SASL failure
/// `temporary-auth-failure` or stanza error `resource-constraint`. More connections do not make guessing faster.
pub const LOGIN_LINE: Duration = Duration::from_secs(30);
/// How long after its last failure an address is forgotten.
pub const LOGIN_FORGET: Duration = Duration::from_secs(15 * 60);
/// Addresses whose failures are counted, about 150 bytes each; of more the one quiet longest is forgotten.
pub const LOGIN_SOURCES: usize = 1024;
/// Refused logins and registrations on one connection; at the last one: stream error `policy-violation`.
pub const LOGIN_FAILURES: u8 = 10;
