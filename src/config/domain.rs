//! RFC 7622 §3.2: what the server may be called.

use std::net::Ipv6Addr;

/// Bytes of a whole name and of one label of it (RFC 1035 §2.3.4).
const NAME: usize = 253;
const LABEL: usize = 63;

/// The name in lower case if it is a host name in ASCII, an IPv4 address or an IPv6 address in brackets.
///
/// A name in another script has to be given in its `xn--` form.
#[must_use]
pub fn domain(text: &str) -> Option<String> {
    let is_name = text.len() <= NAME && text.split('.').all(is_label);
    (is_name || is_ipv6(text)).then(|| text.to_ascii_lowercase())
}

fn is_label(label: &str) -> bool {
    (1..=LABEL).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_ipv6(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long_label = "a".repeat(64);
        let long_name = "a.".repeat(127);
        for (input, want) in [
            ("gw.lan", Some("gw.lan")),
            ("OpenWrt", Some("openwrt")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("192.168.1.1", Some("192.168.1.1")),
            ("[FD00::1]", Some("[fd00::1]")),
            ("9-to-5.lan", Some("9-to-5.lan")),
            ("", None),
            (".", None),
            ("gw.lan.", None),
            ("-gw.lan", None),
            ("gw-.lan", None),
            ("gw lan", None),
            ("gw_1.lan", None),
            ("bücher.example", None),
            ("fd00::1", None),
            ("[gw.lan]", None),
            ("sam@gw.lan", None),
            ("(none)", None),
            (&long_label, None),
            (&long_name, None),
        ] {
            assert_eq!(domain(input).as_deref(), want, "{input:?}");
        }
    }
}
