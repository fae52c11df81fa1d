//! Bounds of stream management and of inactive clients.

use std::time::Duration;

/// Stanzas a managed session is sent before its client acknowledges any. Beyond it the stream ends with a
/// policy violation; pushes stay in the device's queue, messages wait for the next login.
pub const UNACKNOWLEDGED: usize = 2000;
/// Bytes of them; what happens beyond it is the same.
pub const UNACKNOWLEDGED_BYTES: usize = 256 * 1024;
/// Stanzas a managed session is sent before its client is asked to acknowledge them. A message asks at once.
pub const STANZAS_PER_REQUEST: usize = 16;
/// Sessions that keep sleeping after their connection is lost; about 1 KB each, and what they are sent
/// meanwhile. Beyond it the one asleep longest ends, and its client logs in anew.
pub const SLEEPERS: usize = 1000;
/// Bytes of stanzas that wait for them all together; what happens beyond it is the same.
pub const SLEEPERS_BYTES: usize = 4 * 1024 * 1024;
/// A lost session can be resumed for so long, unless `xmpp.resume` says otherwise.
pub const RESUME: Duration = Duration::from_secs(24 * 3600);
/// Silence after which a client with stream management is asked whether it is there: such clients ask by
/// themselves every few minutes, and every packet of ours wakes a phone's radio.
pub const MANAGED_IDLE: Duration = Duration::from_secs(11 * 60);

/// Senders of which an inactive client's latest presence waits; beyond it all of them are sent.
pub const INACTIVE_PRESENCES: usize = 200;
/// How long a push of low priority waits for somebody to look at an inactive client.
pub const INACTIVE_HOLD: Duration = Duration::from_secs(10 * 60);
