//! Bounds of what chat apps keep on the server and ask each other.

use std::time::Duration;

/// Bytes of a vCard, on disk; a small picture fits in. Over it: `not-acceptable`.
pub const VCARD: usize = 48 * 1024;
/// Bytes of one element of private storage, on disk; over it: `not-acceptable`.
pub const PRIVATE_ITEM: usize = 48 * 1024;
/// Elements one user keeps there; over it: `not-acceptable`.
pub const PRIVATE_ITEMS: usize = 64;
/// Bytes of all of them; over it: `not-acceptable`. Each write reads them all.
pub const PRIVATE_BYTES: usize = 128 * 1024;
/// JIDs one user may block, about 60 bytes on disk each; over it: `not-acceptable`.
pub const BLOCKED: usize = 500;
/// Blocked JIDs of all users that are kept in memory, about 100 bytes each, and their lists; with more the
/// lists read first are read again when they are needed.
pub const BLOCKED_KEPT: usize = 10_000;
/// Requests between clients that wait for an answer, about 200 bytes each; over it: `resource-constraint`.
pub const REQUESTS: usize = 1024;
/// Those of one client; what happens beyond it is the same.
pub const REQUESTS_OF_ONE: usize = 32;
/// How long a client may take to answer another; after it, that one is told `service-unavailable`.
pub const REQUEST_WAIT: Duration = Duration::from_secs(60);
