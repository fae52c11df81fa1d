//! Values of the file: what each kind may hold, and how it is written.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::DeValue;

use super::Network;
use super::domain::domain;
use crate::limits;
use crate::xmpp::jid;

/// A value of the file and where it stands.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A value that cannot be taken.
pub(super) struct Wrong {
    /// Where it stands.
    pub at: Range<usize>,
    /// What would be right, as the continuation of "want".
    pub want: String,
}

pub(super) fn set<T>(field: &mut T, value: Result<T, Wrong>) -> Result<(), Wrong> {
    *field = value?;
    Ok(())
}

fn wrong(value: &Value, want: impl Into<String>) -> Wrong {
    Wrong {
        at: value.span(),
        want: want.into(),
    }
}

/// A value of which `parse` makes something, if it is text.
fn text<T>(value: &Value, want: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Wrong> {
    value
        .get_ref()
        .as_str()
        .and_then(parse)
        .ok_or_else(|| wrong(value, want))
}

pub(super) fn address(value: &Value) -> Result<SocketAddr, Wrong> {
    let want = "an address and a port such as \"0.0.0.0:5222\" or \"[::]:5222\"";
    text(value, want, |text| text.parse().ok())
}

pub(super) fn network(value: &Value) -> Result<Network, Wrong> {
    let want = "a network such as \"192.168.1.0/24\", \"fd00::/8\" or one address";
    text(value, want, |text| text.parse().ok())
}

/// The domain, or nothing for the host name.
pub(super) fn own_name(value: &Value) -> Result<String, Wrong> {
    if value.get_ref().as_str() == Some("") {
        return Ok(String::new());
    }
    server_name(value)
}

pub(super) fn server_name(value: &Value) -> Result<String, Wrong> {
    let want =
        "a host name such as \"push.lan\" (letters, digits, hyphens and points) or an IP address";
    text(value, want, domain)
}

pub(super) fn local_part(value: &Value) -> Result<String, Wrong> {
    let want = "a name of letters, digits and signs such as \"push\"";
    text(value, want, jid::localpart)
}

/// Text of at most `most` bytes without control characters.
pub(super) fn line(value: &Value, most: usize, what: &str) -> Result<String, Wrong> {
    let want = format!("{what} of at most {most} bytes without control characters");
    text(value, &want, |text| {
        (text.len() <= most && !text.contains(char::is_control)).then(|| text.to_owned())
    })
}

pub(super) fn tag(value: &Value) -> Result<String, Wrong> {
    let want = format!("a tag of 1 to {} bytes", limits::LABEL);
    text(value, &want, |text| {
        let fits = (1..=limits::LABEL).contains(&text.len()) && text.trim() == text;
        (fits && !text.contains(char::is_control)).then(|| text.to_owned())
    })
}

pub(super) fn choice<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Result<T, Wrong> {
    let names: Vec<_> = choices
        .iter()
        .map(|(name, _)| format!("{name:?}"))
        .collect();
    let want = format!("one of {}", names.join(", "));
    text(value, &want, |text| {
        choices
            .iter()
            .find_map(|(name, choice)| (*name == text).then_some(*choice))
    })
}

pub(super) fn boolean(value: &Value) -> Result<bool, Wrong> {
    value
        .get_ref()
        .as_bool()
        .ok_or_else(|| wrong(value, "true or false"))
}

pub(super) fn number<T>(value: &Value, range: RangeInclusive<T>) -> Result<T, Wrong>
where
    T: TryFrom<u64> + PartialOrd + Display,
{
    value
        .get_ref()
        .as_integer()
        .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok())
        .and_then(|number| T::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            wrong(
                value,
                format!("a number from {} to {}", range.start(), range.end()),
            )
        })
}

/// A number of bytes, or text with a suffix for thousands or millions of them.
pub(super) fn bytes(value: &Value, range: RangeInclusive<u64>) -> Result<u64, Wrong> {
    let Some(text) = value.get_ref().as_str() else {
        return number(value, range);
    };
    let (digits, unit) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1000),
        None => (text.strip_suffix('M').unwrap_or(text), 1_000_000),
    };
    Some(digits)
        .filter(|digits| *digits != text && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u64>().ok()?.checked_mul(unit))
        .filter(|bytes| range.contains(bytes))
        .ok_or_else(|| {
            let (from, to) = (range.start(), range.end());
            wrong(
                value,
                format!("bytes such as \"500k\" or \"20M\", or a number from {from} to {to}"),
            )
        })
}

/// A list of at most `most` values; a wrong one among them is the one named.
pub(super) fn list<T>(
    value: &Value,
    most: usize,
    what: &str,
    read: fn(&Value) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    value
        .get_ref()
        .as_array()
        .filter(|items| items.len() <= most)
        .ok_or_else(|| wrong(value, format!("a list [ … ] of at most {most} {what}")))?
        .iter()
        .map(read)
        .collect()
}

/// A TOML basic string.
pub(super) fn quoted(value: impl Display) -> String {
    let mut toml = String::from("\"");
    for character in value.to_string().chars() {
        match character {
            '"' | '\\' => toml.extend(['\\', character]),
            c if c.is_control() => toml.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => toml.push(c),
        }
    }
    toml.push('"');
    toml
}

pub(super) fn array<T: Display>(values: &[T]) -> String {
    let items: Vec<_> = values.iter().map(quoted).collect();
    format!("[{}]", items.join(", "))
}
