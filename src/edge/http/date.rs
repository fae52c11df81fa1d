//! RFC 9110 §5.6.7: dates in headers, `Sun, 06 Nov 1994 08:49:37 GMT`.

use crate::time::{calendar, parse_calendar};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A second since 1970 as a header has it.
pub(super) fn http_date(unix_seconds: u64) -> String {
    let text = calendar(unix_seconds);
    let (date, clock) = text.split_once(' ').unwrap_or_default();
    let mut parts = date.split('-');
    let year = parts.next().unwrap_or_default();
    let month: usize = parts.next().and_then(|m| m.parse().ok()).unwrap_or(1);
    let day = parts.next().unwrap_or_default();
    let weekday = DAYS
        .iter()
        .cycle()
        .nth((unix_seconds / 86_400 % 7) as usize);
    let month = MONTHS.get(month.saturating_sub(1));
    format!(
        "{}, {day} {} {year} {clock} GMT",
        weekday.copied().unwrap_or_default(),
        month.copied().unwrap_or_default()
    )
}

/// The second since 1970 a header names, or `None`. The two older forms, which nobody may send, are not
/// known here, nor is a date with another weekday.
pub(super) fn parse_http_date(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.splitn(4, ' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let clock = parts.next()?.strip_suffix(" GMT")?;
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    let seconds = parse_calendar(&format!("{year}-{month}-{day} {clock}"))?;
    (http_date(seconds) == text).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_there_and_back() {
        for (second, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(second), date);
            assert_eq!(parse_http_date(date), Some(second));
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            ", ",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Tue, 31 Feb 2023 00:00:00 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }
}
