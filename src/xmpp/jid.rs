//! RFC 7622: addresses, in the ASCII subset a router can judge without Unicode tables.
//!
//! A local part is the name of an account, so two spellings of one name must come out as one string: it
//! is lower-cased, and what is not ASCII is refused. A resource is the phone's own word and stays as it
//! came.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use super::error::StanzaError;
use crate::limits::JID_PART;

/// Bytes of one label of a host name (RFC 1035 §2.3.4).
const LABEL: usize = 63;

/// The account's name in its one spelling: trimmed, lower-cased ASCII of 1 to [`JID_PART`] bytes without
/// spaces, controls and `"&'/:<>@` (RFC 7622 §3.3.1). `*` is refused too, it is the sender's word for
/// everyone.
#[must_use]
pub fn localpart(text: &str) -> Option<String> {
    let text = text.trim_ascii();
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"&'/:<>@".contains(&byte);
    (fits(text) && text != "*" && text.bytes().all(allowed)).then(|| text.to_ascii_lowercase())
}

/// The resource as it came: 1 to [`JID_PART`] bytes of anything but control characters (RFC 7622 §3.4).
#[must_use]
pub fn resource(text: &str) -> Option<&str> {
    (fits(text) && !text.chars().any(char::is_control)).then_some(text)
}

/// The domain, lower-cased and without a trailing dot: a host name of letters, digits, hyphens and underscores, an
/// IPv4 address, or an IPv6 address in brackets (RFC 7622 §3.2) or, as old clients send it, without.
#[must_use]
pub fn domain(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    (fits(text) && (is_ipv6(text) || is_host(text))).then(|| text.to_ascii_lowercase())
}

/// An address: of a domain, of an account in it, or of one of the account's phones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jid {
    /// The account's name, as [`localpart`] gives it.
    pub local: Option<String>,
    /// The domain, as [`domain`] gives it.
    pub domain: String,
    /// The phone's name, as [`resource`] gives it.
    pub resource: Option<String>,
}

impl Jid {
    /// The same address without its resource.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self {
            resource: None,
            ..self.clone()
        }
    }
}

impl FromStr for Jid {
    type Err = StanzaError;

    /// Splits at the first `/`, then at the first `@` before it (RFC 7622 §3.2).
    ///
    /// # Errors
    /// [`StanzaError::JidMalformed`] when a part is empty, too long or has what it must not.
    fn from_str(text: &str) -> Result<Self, StanzaError> {
        let (bare, resource_text) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local_text, domain_text) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        let malformed = StanzaError::JidMalformed;
        Ok(Self {
            local: local_text
                .map(|text| localpart(text).ok_or(malformed))
                .transpose()?,
            domain: domain(domain_text).ok_or(malformed)?,
            resource: resource_text
                .map(|text| resource(text).map(str::to_owned).ok_or(malformed))
                .transpose()?,
        })
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(local) = &self.local {
            write!(f, "{local}@")?;
        }
        f.write_str(&self.domain)?;
        if let Some(resource) = &self.resource {
            write!(f, "/{resource}")?;
        }
        Ok(())
    }
}

fn fits(text: &str) -> bool {
    (1..=JID_PART).contains(&text.len())
}

fn is_ipv6(text: &str) -> bool {
    let bracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bracketed.unwrap_or(text).parse::<Ipv6Addr>().is_ok()
}

/// A name whose last label is a number would be taken for an IPv4 address elsewhere, so it has to be one.
fn is_host(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or(text);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<Ipv4Addr>().is_ok();
    }
    text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=LABEL).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case<'a> {
        name: &'static str,
        input: &'a str,
        want: Option<&'a str>,
    }

    const fn case<'a>(name: &'static str, input: &'a str, want: Option<&'a str>) -> Case<'a> {
        Case { name, input, want }
    }

    fn check(part: &str, cases: &[Case<'_>], parse: impl Fn(&str) -> Option<String>) {
        for Case { name, input, want } in cases {
            assert_eq!(parse(input).as_deref(), *want, "{part}: {name}: {input:?}");
        }
    }

    #[test]
    fn local_parts() {
        let longest = "n".repeat(JID_PART);
        let too_long = "n".repeat(JID_PART + 1);
        let cases = [
            case("plain", "sam", Some("sam")),
            case("upper case", "Sam", Some("sam")),
            case("spaces around", " \tsam\r\n", Some("sam")),
            case(
                "32 hex digits",
                "584c0f0c1d7d4a3f9c7d1f1f00aa11bb",
                Some("584c0f0c1d7d4a3f9c7d1f1f00aa11bb"),
            ),
            case(
                "rare but legal",
                "a.b+c_d-e#f!$%*()=",
                Some("a.b+c_d-e#f!$%*()="),
            ),
            case("star and more", "**", Some("**")),
            case("longest", &longest, Some(&longest)),
            case("too long", &too_long, None),
            case("empty", "", None),
            case("only spaces", "  ", None),
            case("everyone", "*", None),
            case("everyone, with spaces", " * ", None),
            case("space inside", "sam smith", None),
            case("tab inside", "sam\tsmith", None),
            case("control", "sam\u{1}", None),
            case("delete", "sam\u{7f}", None),
            case("quote", "s\"m", None),
            case("ampersand", "s&m", None),
            case("apostrophe", "s'm", None),
            case("slash", "s/m", None),
            case("colon", "s:m", None),
            case("less", "s<m", None),
            case("greater", "s>m", None),
            case("at", "s@m", None),
            case("not ASCII", "sämi", None),
            case("look-alike", "ѕam", None),
            case("no-break space", "\u{a0}sam", None),
        ];
        check("local", &cases, localpart);
        for Case { name, input, .. } in &cases {
            let once = localpart(input);
            let twice = once.as_deref().and_then(localpart);
            assert_eq!(once, twice, "{name}: normalising twice changes nothing");
        }
    }

    #[test]
    fn resources() {
        let longest = "r".repeat(JID_PART);
        let too_long = "é".repeat(JID_PART / 2 + 1);
        let cases = [
            case("androidpn", "AndroidpnClient", Some("AndroidpnClient")),
            case(
                "kept as it is",
                " Sam's téléphone 📱 ",
                Some(" Sam's téléphone 📱 "),
            ),
            case("separators", "a@b/c", Some("a@b/c")),
            case("longest", &longest, Some(&longest)),
            case("too long in bytes", &too_long, None),
            case("empty", "", None),
            case("newline", "a\nb", None),
            case("NUL", "a\0", None),
            case("delete", "a\u{7f}", None),
            case("C1 control", "a\u{85}", None),
        ];
        check("resource", &cases, |text| resource(text).map(str::to_owned));
    }

    #[test]
    fn domains() {
        let label = "a".repeat(LABEL);
        let label_too_long = "a".repeat(LABEL + 1);
        let longest = format!("{label}.{label}.{label}.{label}");
        let too_long = format!("{longest}.a");
        let cases = [
            case("one label", "raspberrypi", Some("raspberrypi")),
            case("upper case", "Gw.LAN", Some("gw.lan")),
            case("trailing dot", "gw.lan.", Some("gw.lan")),
            case(
                "punycode",
                "xn--bcher-kva.example",
                Some("xn--bcher-kva.example"),
            ),
            case("starts with a digit", "3com.lan", Some("3com.lan")),
            case("longest label", &label, Some(&label)),
            case("longest name", &longest, Some(&longest)),
            case("IPv4", "192.168.1.1", Some("192.168.1.1")),
            case("bare IPv6", "FE80::1", Some("fe80::1")),
            case("IPv6 in brackets", "[2001:DB8::1]", Some("[2001:db8::1]")),
            case("IPv4 in IPv6", "::ffff:10.0.2.2", Some("::ffff:10.0.2.2")),
            case("empty", "", None),
            case("a dot", ".", None),
            case("two trailing dots", "gw.lan..", None),
            case("leading dot", ".lan", None),
            case("empty label", "gw..lan", None),
            case("leading hyphen", "-gw.lan", None),
            case("trailing hyphen", "gw-.lan", None),
            case("label too long", &label_too_long, None),
            case("name too long", &too_long, None),
            case("underscore, as home routers allow", "my_pi", Some("my_pi")),
            case("space", "gw lan", None),
            case("at", "a@b", None),
            case("port", "gw.lan:5222", None),
            case("not ASCII", "bücher.lan", None),
            case("IPv4 out of range", "192.168.1.256", None),
            case("IPv4 cut short", "127.1", None),
            case("only a number", "1234", None),
            case("IPv6 out of range", "::12345", None),
            case("open bracket", "[::1", None),
            case("IPv4 in brackets", "[10.0.0.1]", None),
            case("zone", "fe80::1%eth0", None),
        ];
        check("domain", &cases, domain);
    }

    #[test]
    fn addresses() {
        let cases = [
            case("domain", "gw.lan", Some("gw.lan")),
            case("bare", "Sam@GW.lan.", Some("sam@gw.lan")),
            case("full", "sam@gw.lan/Phone", Some("sam@gw.lan/Phone")),
            case("domain with resource", "gw.lan/x", Some("gw.lan/x")),
            case(
                "separators in the resource",
                "sam@gw/a@b/c",
                Some("sam@gw/a@b/c"),
            ),
            case("IP literal", "u@127.0.0.1/r", Some("u@127.0.0.1/r")),
            case("bare IPv6", "u@::1/r", Some("u@::1/r")),
            case("empty", "", None),
            case("empty local part", "@gw.lan", None),
            case("empty domain", "sam@", None),
            case("empty resource", "sam@gw.lan/", None),
            case("only a resource", "/r", None),
            case("two ats", "a@b@c", None),
            case("everyone", "*@gw.lan", None),
        ];
        check("jid", &cases, |text| {
            text.parse::<Jid>().ok().map(|jid| jid.to_string())
        });
        for Case { name, want, .. } in &cases {
            let again = want.map(|text| text.parse::<Jid>().map(|jid| jid.to_string()));
            assert_eq!(
                again,
                want.map(|text| Ok(text.to_owned())),
                "{name}: reads back"
            );
        }
    }

    #[test]
    fn bare_drops_only_the_resource() {
        let full: Jid = "sam@gw.lan/phone".parse().unwrap();
        assert_eq!(full.bare().to_string(), "sam@gw.lan");
        assert_eq!(full.bare().bare(), full.bare());
    }
}
