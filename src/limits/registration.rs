//! Bounds of new accounts.

use std::time::Duration;

/// Accounts an address may register at once: all phones of a household behind one address, or a shelf of them
/// that are being set up.
pub const REGISTRATION_BURST: u32 = 60;
/// After a burst, one more account in this time; what comes sooner waits.
pub const REGISTRATION_PACE: Duration = Duration::from_secs(2);
/// Longest a registration waits; over it: `resource-constraint`. Less than [`LOGIN_WAIT`](super::LOGIN_WAIT),
/// so that the answer comes.
pub const REGISTRATION_LINE: Duration = Duration::from_secs(40);
/// Addresses whose registrations are counted, about 50 bytes each; of more the one that has registered least of
/// late is forgotten.
pub const REGISTRATION_SOURCES: usize = 1024;

/// Tokens to register with, about 250 bytes of memory and as many on disk each. Those that have expired make
/// room first; over it no more are made.
pub const INVITATIONS: usize = 256;
/// Random bytes of a token, written as twice as many hex digits: nobody guesses them, with the digest or without.
pub const INVITATION_BYTES: usize = 12;
/// Accounts one token may be good for.
pub const INVITATION_USES: u32 = 1000;
/// Days a token may be good for.
pub const INVITATION_DAYS: u32 = 3650;
/// Bytes of what an administrator notes about a token.
pub const INVITATION_NOTE: usize = 100;
