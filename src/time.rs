//! Two clocks, both handed in: a monotonic one for protocol deadlines, a wall clock with a trust flag.
//!
//! Nothing below `edge` can ask what time it is. Routers boot in 1970, so whoever wants to expire or
//! stamp something looks at [`Wall::trusted`] first; [`keeper`] has the rules of trust.

pub mod keeper;

use std::time::Duration;

pub use keeper::{Basis, Hinter, Timekeeper};

/// A point on the monotonic clock: milliseconds since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// This point and `duration` later; saturates at the end of the clock.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the process started, for counters that are kept per connection.
    #[must_use]
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 / 1000).unwrap_or(u32::MAX)
    }
}

/// The wall clock's reading: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall {
    /// Milliseconds since the epoch.
    pub millis: u64,
    /// Whether [`Timekeeper`] believes it. If not, nothing expires, and no schedule fires.
    pub trusted: bool,
}

impl Wall {
    /// Whole seconds since the epoch.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.millis / 1000
    }
}

/// Both clocks, read once per event by the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines.
    pub mono: Instant,
    /// For what a person reads.
    pub wall: Wall,
}

/// A wall-clock second as a person or androidpn's pages write it: `yyyy-MM-dd HH:mm:ss`, in UTC.
#[must_use]
pub fn calendar(unix_seconds: u64) -> String {
    let (year, month, day) = civil(unix_seconds / 86_400);
    let rest = unix_seconds % 86_400;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The second that `yyyy-MM-dd HH:mm:ss` (or only the date) names, or `None` if it is not one.
#[must_use]
pub fn parse_calendar(text: &str) -> Option<u64> {
    let (date, clock) = text
        .trim()
        .split_once([' ', 'T'])
        .unwrap_or((text.trim(), "00:00:00"));
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (hour, minute, second) = (
        clock.next()??,
        clock.next()??,
        clock.next().unwrap_or(Some(0))?,
    );
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    valid.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days since the epoch as (year, month, day) of the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years are counted from 1 March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// Days from the epoch to a date; the inverse of [`civil`].
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_and_back() {
        for (second, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_000_000_000, "2001-09-09 01:46:40"),
            (4_102_444_799, "2099-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(calendar(second), text);
            assert_eq!(parse_calendar(text), Some(second), "{text}");
        }
    }

    #[test]
    fn not_a_date() {
        for text in [
            "",
            "yesterday",
            "2020-13-01 00:00:00",
            "2020-01-01 25:00:00",
            "2020-01",
            "-1-1-1",
        ] {
            assert_eq!(parse_calendar(text), None, "{text}");
        }
        assert_eq!(parse_calendar("1970-01-02"), Some(86_400));
    }
}
