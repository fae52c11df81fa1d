//! Bounds of what is believed about the time of day.

use std::time::Duration;

/// How far the wall clock may move against the time that has passed before it is in doubt. Less is a time
/// zone set wrong, or a board without a clock that has slept.
pub const CLOCK_JUMP: Duration = Duration::from_secs(24 * 3600);
/// How long a clock that has jumped is in doubt; after it the clock is believed.
pub const CLOCK_DOUBT: Duration = Duration::from_secs(10 * 60);
/// How far phones that tell the time may be apart; if they are farther, none is believed.
pub const CLOCK_AGREEMENT: Duration = Duration::from_secs(5 * 60);
/// How long after the first phone has told the time others may disagree.
pub const CLOCK_HINT_WAIT: Duration = Duration::from_secs(60);
/// Phones whose word on the time is kept, about 100 bytes each; more are not heard.
pub const CLOCK_HINTS: usize = 16;
/// While the time is not trusted, how often to look whether that has changed.
pub const CLOCK_LOOK: Duration = Duration::from_secs(60);
/// A connected phone is asked for the time at most so often, and only while ours is not trusted.
pub const CLOCK_ASK: Duration = Duration::from_secs(3600);
