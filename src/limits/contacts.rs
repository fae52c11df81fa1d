//! Bounds of contacts and presence.

/// Entries of one user's roster, about 150 bytes of memory each while the user is there, and 200 on disk;
/// over it: `resource-constraint`. What an administrator shares does not count, but is cut off here too.
pub const ROSTER: usize = 10_000;
/// Bytes of one user's roster as a client gets it, about; over it: `resource-constraint`.
pub const ROSTER_BYTES: usize = 2 * 1024 * 1024;
/// Entries of all rosters kept in memory, about 30 MB at worst; more are read again each time.
pub const ROSTERS_KEPT: usize = 200_000;
/// Bytes of a contact's name and of a group's; over it: `not-acceptable`.
pub const CONTACT_NAME: usize = 255;
/// Groups of one contact; over it: `not-acceptable`.
pub const CONTACT_GROUPS: usize = 32;
/// Requests to see a user that wait for an answer, about [`PRESENCE`] bytes on disk each at worst. More reach
/// a user who is there, but are not kept; asking again is always possible.
pub const SUBSCRIPTION_REQUESTS: usize = 100;
/// Bytes of a presence, kept in memory for each available session; over it: `not-acceptable`.
pub const PRESENCE: usize = 4096;
/// Users one session may send presence to directly, about 50 bytes each; over it the session that was told
/// first is told again that this one is unavailable, and forgotten.
pub const DIRECTED_PRESENCES: usize = 64;
/// Users that one step of telling many about one looks at; ordinary traffic goes first between two steps.
pub const SPREAD_STEP: usize = 64;
/// Presences handed to one session before its socket must have taken them.
pub const WELCOME_STEP: usize = 32;
/// Tags of `roster.shared`; over it: exit code 2.
pub const SHARED_GROUPS: usize = 16;
