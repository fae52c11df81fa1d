//! Whether this machine's wall clock can be believed, and what to believe while it cannot.
//!
//! 1. **Plain nonsense.** A clock before this program was released, or decades after, is wrong.
//! 2. **A jump.** A clock that was right and jumps by more than a day against the time that has passed is in
//!    doubt for [`limits::CLOCK_DOUBT`]: nothing is trusted, and time goes on as before the jump. Then the
//!    clock is believed, because whoever sets a clock mostly knows. Jumping back ends the doubt at once.
//! 3. **From wrong to right** there is no doubt: a router that boots in 1970 and hears from a time server is
//!    trusted at once.
//! 4. **While it is wrong** time goes on from what was last believed, and that is trusted.
//! 5. **Hints** count only while nothing is trusted. An administrator's word is enough. Users decide if at
//!    least two have told the time by their phones, all within [`limits::CLOCK_AGREEMENT`], and others have
//!    had [`limits::CLOCK_HINT_WAIT`] to disagree; the earliest is taken, since being early expires nothing.
//!    So no user alone decides, and one who disagrees stops it. Where anybody may register, users cost
//!    nothing and one phone can be many: there phones are not heard at all (`push/clock_hints.rs`).
//! 6. **A clock outvoted by hints** while in doubt stays wrong until somebody sets it.

use std::time::Duration;

use super::Wall;
use crate::limits;

/// 2026-01-01T00:00:00Z, in seconds since 1970: before it no clock is right, since this program did not
/// exist. Raised with a release, by hand. A build that asked the clock would come out different every time
/// and could take over a wrong one; `SOURCE_DATE_EPOCH` would make tests depend on who packages.
pub const FLOOR: u64 = 1_767_225_600;

/// Seconds since 1970 after which no clock is right, 30 years on: batteries and time servers that fail
/// like to show 2070, 2099 or 2106, and this program will hardly run unchanged for so long.
pub const CEILING: u64 = FLOOR + 30 * 31_557_600;

/// What the time is based on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Nothing: it is not trusted.
    #[default]
    Nothing,
    /// This machine's clock.
    System,
    /// What phones or an administrator have told, because this machine's clock is wrong.
    Hints,
}

impl Basis {
    /// The word the API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::System => "system",
            Self::Hints => "hints",
        }
    }
}

/// Who tells the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hinter {
    /// Somebody who may do anything here anyway.
    Administrator,
    /// A phone of the user with this local part.
    Phone(String),
}

/// Turns readings of this machine's clocks, and hints, into a wall clock that knows whether it is right.
#[derive(Debug, Default)]
pub struct Timekeeper {
    system: System,
    /// How far the machine's wall clock was ahead of the elapsed time at the last reading.
    offset: Option<Offset>,
    /// The same for what was last believed, and why it was.
    believed: Option<(Offset, Basis)>,
    hints: Vec<Hint>,
    /// When the first of them came.
    hinted: u64,
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum System {
    Right,
    /// It has jumped, at this elapsed time.
    Doubted(u64),
    /// It shows nonsense.
    #[default]
    Wrong,
    /// It may be, but hints say otherwise.
    Outvoted,
}

#[derive(Debug)]
struct Hint {
    user: String,
    offset: Offset,
}

/// Milliseconds since 1970, less those elapsed.
type Offset = i64;

impl Timekeeper {
    /// Takes in both clocks and says what time it is. `elapsed` is milliseconds since whenever, times in
    /// which the machine slept included; `system` is its wall clock, in milliseconds since 1970.
    ///
    /// Untrusted time is the best guess; without any it lies before [`FLOOR`], so that a stamp made of it
    /// can be told from a date.
    pub fn read(&mut self, elapsed: u64, system: u64) -> Wall {
        let offset = signed(system).saturating_sub(signed(elapsed));
        let before = self.system;
        let last = self.offset.replace(offset);
        let jumped = last.is_none_or(|last| is_far(last, offset));
        self.judge(offset, is_plausible(system), jumped, elapsed);
        if let Some(agreed) = self.agreed(elapsed) {
            self.decide(agreed);
        }
        if self.basis() != Basis::Nothing {
            self.hints = Vec::new();
        }
        if last.is_some() {
            self.report(before);
        }
        let millis = match self.believed {
            Some((believed, _)) => unsigned(signed(elapsed).saturating_add(believed)),
            None => system.min(FLOOR * 1000 - 1),
        };
        Wall {
            millis,
            trusted: self.basis() != Basis::Nothing,
        }
    }

    /// What the last reading was based on.
    #[must_use]
    pub fn basis(&self) -> Basis {
        match (self.system, self.believed) {
            (System::Doubted(_), _) | (_, None) => Basis::Nothing,
            (_, Some((_, basis))) => basis,
        }
    }

    /// Somebody says that it is `millis` since 1970. Of no effect while the time is trusted, nor if that
    /// time cannot be, nor from phones beyond [`limits::CLOCK_HINTS`].
    pub fn hint(&mut self, from: Hinter, millis: u64, elapsed: u64) {
        if self.basis() != Basis::Nothing || !is_plausible(millis) {
            return;
        }
        let offset = signed(millis).saturating_sub(signed(elapsed));
        match from {
            Hinter::Administrator => self.decide(offset),
            Hinter::Phone(user) => {
                if self.hints.is_empty() {
                    self.hinted = elapsed;
                }
                self.hints.retain(|hint| hint.user != user);
                if self.hints.len() < limits::CLOCK_HINTS {
                    self.hints.push(Hint { user, offset });
                }
            }
        }
    }

    /// Whether the machine's clock is right (rules 1 to 4 and 6).
    fn judge(&mut self, offset: Offset, plausible: bool, jumped: bool, elapsed: u64) {
        self.system = match (self.system, self.believed) {
            _ if !plausible => System::Wrong,
            (System::Outvoted, _) if !jumped => System::Outvoted,
            (System::Doubted(since), _) if !jumped => {
                if elapsed.saturating_sub(since) < millis(limits::CLOCK_DOUBT) {
                    System::Doubted(since)
                } else {
                    System::Right
                }
            }
            (_, Some((believed, Basis::System))) if is_far(believed, offset) => {
                System::Doubted(elapsed)
            }
            _ => System::Right,
        };
        if self.system == System::Right {
            self.believed = Some((offset, Basis::System));
        }
    }

    /// What phones say, if they may decide (rule 5).
    fn agreed(&self, elapsed: u64) -> Option<Offset> {
        let earliest = self.hints.iter().map(|hint| hint.offset).min()?;
        let latest = self.hints.iter().map(|hint| hint.offset).max()?;
        let agree = earliest.abs_diff(latest) <= millis(limits::CLOCK_AGREEMENT);
        let waited = elapsed.saturating_sub(self.hinted) >= millis(limits::CLOCK_HINT_WAIT);
        (self.hints.len() >= 2 && agree && waited).then_some(earliest)
    }

    /// Hints are believed: for the machine's clock if it shows about the same, else against it.
    fn decide(&mut self, hinted: Offset) {
        match (self.system, self.offset) {
            (System::Doubted(_), Some(offset)) if !is_far(offset, hinted) => {
                self.system = System::Right;
                self.believed = Some((offset, Basis::System));
            }
            _ => {
                if self.system != System::Wrong {
                    self.system = System::Outvoted;
                }
                self.believed = Some((hinted, Basis::Hints));
                log::info!("the time was told by phones or an administrator");
            }
        }
    }

    fn report(&self, before: System) {
        use System::{Doubted, Outvoted, Right, Wrong};
        match (before, self.system) {
            (Right | Wrong, Doubted(_)) => {
                log::warn!("the clock has jumped and is in doubt; nothing expires meanwhile");
            }
            (Right | Doubted(_), Wrong | Outvoted) => log::warn!("the clock has become wrong"),
            (Wrong | Doubted(_) | Outvoted, Right) => log::info!("the clock is believed"),
            _ => {}
        }
    }
}

/// Whether a clock may show this.
fn is_plausible(millis: u64) -> bool {
    (FLOOR..CEILING).contains(&(millis / 1000))
}

/// Whether two offsets differ by more than a night's sleep, a wrong time zone, or drift.
fn is_far(one: Offset, other: Offset) -> bool {
    one.abs_diff(other) > millis(limits::CLOCK_JUMP)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

fn unsigned(millis: i64) -> u64 {
    u64::try_from(millis).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{calendar, parse_calendar};

    /// What happens to a clock, and what is made of it.
    enum Step {
        /// Seconds pass on both clocks.
        Pass(u64),
        /// Seconds pass on the wall clock only, as while a board without a clock sleeps or drifts.
        Slip(i64),
        /// The wall clock is set.
        Set(&'static str),
        /// An administrator says what time it is.
        Admin(&'static str),
        /// A phone of a user does.
        Phone(&'static str, &'static str),
        /// What the time has to be, on what it has to be based.
        Want(&'static str, Basis),
    }
    use Basis::{Hints, Nothing, System as Own};
    use Step::{Admin, Pass, Phone, Set, Slip, Want};

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;

    fn seconds(text: &str) -> u64 {
        parse_calendar(text).unwrap()
    }

    fn play(name: &str, steps: &[Step]) {
        let mut keeper = Timekeeper::default();
        let (mut elapsed, mut system) = (77_u64, 0_i64);
        for (number, step) in steps.iter().enumerate() {
            match step {
                Pass(by) => {
                    elapsed += by;
                    system += i64::try_from(*by).unwrap();
                }
                Slip(by) => system += by,
                Set(to) => system = i64::try_from(seconds(to)).unwrap(),
                Admin(time) => {
                    let millis = seconds(time) * 1000;
                    keeper.hint(Hinter::Administrator, millis, elapsed * 1000);
                }
                Phone(user, time) => {
                    let from = Hinter::Phone((*user).to_owned());
                    keeper.hint(from, seconds(time) * 1000, elapsed * 1000);
                }
                Want(..) => {}
            }
            let wall = keeper.read(elapsed * 1000, u64::try_from(system).unwrap() * 1000);
            if let Want(time, basis) = step {
                let got = (calendar(wall.seconds()), keeper.basis());
                assert_eq!(got, ((*time).to_owned(), *basis), "{name}, step {number}");
                assert_eq!(wall.trusted, *basis != Nothing, "{name}, step {number}");
            }
        }
    }

    #[test]
    fn a_clock_by_itself() {
        let now = "2026-11-20 12:00:00";
        for (name, steps) in [
            ("right from the start", vec![Set(now), Want(now, Own)]),
            (
                "1970, then a time server",
                vec![
                    Pass(30),
                    Want("1970-01-01 00:00:30", Nothing),
                    Set(now),
                    Want(now, Own),
                    Pass(5),
                    Want("2026-11-20 12:00:05", Own),
                ],
            ),
            (
                "1970 on a board that is never told",
                vec![Pass(60 * DAY), Want("1970-03-02 00:00:00", Nothing)],
            ),
            (
                "an old date at boot, then a time server",
                vec![
                    Set("2026-08-01 00:00:00"),
                    Want("2026-08-01 00:00:00", Own),
                    Pass(30),
                    Set(now),
                    Want("2026-08-01 00:00:30", Nothing),
                    Pass(599),
                    Want("2026-08-01 00:10:29", Nothing),
                    Pass(1),
                    Want("2026-11-20 12:10:00", Own),
                ],
            ),
            (
                "2100 at boot, then right",
                vec![
                    Set("2100-01-01 00:00:00"),
                    Want("2025-12-31 23:59:59", Nothing),
                    Set(now),
                    Want(now, Own),
                ],
            ),
            (
                "2100 while running, and back",
                vec![
                    Set(now),
                    Set("2100-01-01 00:00:00"),
                    Pass(HOUR),
                    Want("2026-11-20 13:00:00", Own),
                    Set("2026-11-20 13:00:02"),
                    Want("2026-11-20 13:00:02", Own),
                ],
            ),
            (
                "1970 while running, and then a year ahead",
                vec![
                    Set(now),
                    Set("1970-01-01 00:00:00"),
                    Pass(HOUR),
                    Want("2026-11-20 13:00:00", Own),
                    Set("2027-11-20 13:00:00"),
                    Want("2026-11-20 13:00:00", Nothing),
                ],
            ),
            (
                "a year forward by mistake, and back",
                vec![
                    Set(now),
                    Set("2027-11-20 12:00:00"),
                    Pass(300),
                    Want("2026-11-20 12:05:00", Nothing),
                    Set("2026-11-20 12:05:00"),
                    Want("2026-11-20 12:05:00", Own),
                    Pass(DAY),
                    Want("2026-11-21 12:05:00", Own),
                ],
            ),
            (
                "a year back",
                vec![
                    Set("2027-11-20 12:00:00"),
                    Want("2027-11-20 12:00:00", Own),
                    Set(now),
                    Pass(599),
                    Want("2027-11-20 12:09:59", Nothing),
                    Pass(1),
                    Want("2026-11-20 12:10:00", Own),
                ],
            ),
            (
                "two jumps: the doubt begins again",
                vec![
                    Set(now),
                    Set("2028-01-01 00:00:00"),
                    Pass(500),
                    Set("2029-01-01 00:00:00"),
                    Pass(599),
                    Want("2026-11-20 12:18:19", Nothing),
                    Pass(1),
                    Want("2029-01-01 00:10:00", Own),
                ],
            ),
            (
                "asleep for 8 hours",
                vec![
                    Set(now),
                    Pass(8 * HOUR),
                    Want("2026-11-20 20:00:00", Own),
                    Slip(8 * 3600),
                    Want("2026-11-21 04:00:00", Own),
                ],
            ),
            (
                "local time for UTC, corrected",
                vec![Set(now), Slip(-14 * 3600), Want("2026-11-19 22:00:00", Own)],
            ),
            (
                "drift, far in the end",
                vec![
                    Set(now),
                    Pass(DAY),
                    Slip(50_000),
                    Pass(DAY),
                    Slip(50_000),
                    Want("2026-11-23 15:46:40", Own),
                ],
            ),
            (
                "one leap second",
                vec![Set(now), Slip(-1), Want("2026-11-20 11:59:59", Own)],
            ),
        ] {
            play(name, &steps);
        }
    }

    #[test]
    fn hints() {
        let now = "2026-11-20 12:00:00";
        for (name, steps) in [
            (
                "an administrator",
                vec![
                    Pass(10),
                    Admin(now),
                    Want(now, Hints),
                    Pass(HOUR),
                    Want("2026-11-20 13:00:00", Hints),
                    Set("2026-11-20 13:01:00"),
                    Want("2026-11-20 13:01:00", Own),
                ],
            ),
            (
                "an administrator who cannot be right",
                vec![
                    Admin("1999-01-01"),
                    Admin("2100-01-01"),
                    Want("1970-01-01 00:00:00", Nothing),
                ],
            ),
            (
                "nobody is heard while the clock is right",
                vec![
                    Set(now),
                    Admin("2027-01-01"),
                    Phone("sam", "2027-01-01"),
                    Phone("kim", "2027-01-01"),
                    Pass(60),
                    Want("2026-11-20 12:01:00", Own),
                    Set("2028-01-01 00:00:00"),
                    Pass(60),
                    Want("2026-11-20 12:02:00", Nothing),
                ],
            ),
            (
                "one user, however often their phones speak",
                vec![
                    Phone("sam", now),
                    Pass(100),
                    Phone("sam", "2026-11-20 12:01:40"),
                    Pass(100),
                    Want("1970-01-01 00:03:20", Nothing),
                ],
            ),
            (
                "two phones; the earlier counts",
                vec![
                    Phone("sam", "2026-11-20 12:03:00"),
                    Pass(30),
                    Phone("kim", "2026-11-20 12:00:30"),
                    Want("1970-01-01 00:00:30", Nothing),
                    Pass(29),
                    Want("1970-01-01 00:00:59", Nothing),
                    Pass(1),
                    Want("2026-11-20 12:01:00", Hints),
                ],
            ),
            (
                "two liars and an honest phone",
                vec![
                    Phone("mal", "2030-01-01"),
                    Phone("eve", "2030-01-01"),
                    Phone("sam", now),
                    Pass(HOUR),
                    Want("1970-01-01 01:00:00", Nothing),
                    Phone("mal", "2026-11-20 13:00:00"),
                    Phone("eve", "2026-11-20 13:00:00"),
                    Want("2026-11-20 13:00:00", Hints),
                ],
            ),
            (
                "two liars, then a time server",
                vec![
                    Phone("mal", "2030-01-01"),
                    Phone("eve", "2030-01-01"),
                    Pass(60),
                    Want("2030-01-01 00:01:00", Hints),
                    Set(now),
                    Want(now, Own),
                ],
            ),
            (
                "a jump that phones know to be right",
                vec![
                    Set("2026-08-01 00:00:00"),
                    Set(now),
                    Phone("sam", now),
                    Phone("kim", now),
                    Pass(60),
                    Want("2026-11-20 12:01:00", Own),
                ],
            ),
            (
                "a jump that phones know to be wrong",
                vec![
                    Set(now),
                    Set("2027-11-20 12:00:00"),
                    Phone("sam", "2026-11-20 12:00:01"),
                    Phone("kim", "2026-11-20 12:00:02"),
                    Pass(60),
                    Want("2026-11-20 12:01:01", Hints),
                    Pass(10 * DAY),
                    Want("2026-11-30 12:01:01", Hints),
                    Set("2026-11-30 12:01:30"),
                    Want("2026-11-30 12:01:30", Own),
                ],
            ),
        ] {
            play(name, &steps);
        }
    }

    #[test]
    fn phones_that_are_heard_are_few() {
        let mut keeper = Timekeeper::default();
        for number in 0..=255 {
            let from = Hinter::Phone(format!("u{number}"));
            keeper.hint(from, FLOOR * 1000 + number, 0);
        }
        assert_eq!(keeper.hints.len(), limits::CLOCK_HINTS);
    }

    #[test]
    fn readings_at_the_ends_of_the_scale() {
        for elapsed in [0, 1, u64::MAX] {
            let mut keeper = Timekeeper::default();
            for system in [0, u64::MAX, FLOOR * 1000, u64::MAX, 0] {
                keeper.read(elapsed, system);
            }
            keeper.hint(Hinter::Administrator, u64::MAX, elapsed);
        }
        let mut keeper = Timekeeper::default();
        assert!(keeper.read(5, FLOOR * 1000).trusted);
        let mut keeper = Timekeeper::default();
        let ahead = keeper.read(5, CEILING * 1000);
        assert!(!ahead.trusted && ahead.seconds() < FLOOR);
    }
}
