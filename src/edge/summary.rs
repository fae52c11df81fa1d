//! What the server says when it is ready: two lines for scripts, then a few for a person.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::lan;
use crate::config::Config;

/// Where the server listens.
pub(super) struct Addresses {
    /// For phones.
    pub(super) xmpp: SocketAddr,
    /// For phones that begin with TLS.
    pub(super) xmpps: Option<SocketAddr>,
    /// For senders.
    pub(super) http: SocketAddr,
}

/// One line for each listener, on standard output. Nobody may be reading, which is no reason to stop.
pub(super) fn ready(addresses: &Addresses) {
    let Addresses { xmpp, xmpps, http } = addresses;
    let mut lines = format!("ready xmpp {xmpp}\nready http {http}\n");
    if let Some(xmpps) = xmpps {
        lines.push_str(&format!("ready xmpps {xmpps}\n"));
    }
    let mut out = io::stdout().lock();
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
}

/// How to go on from here, on standard error.
pub(super) fn print(config: &Config, addresses: &Addresses, fingerprint: Option<&str>) {
    let text = text(config, addresses, fingerprint, &lan::addresses());
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn text(
    config: &Config,
    addresses: &Addresses,
    fingerprint: Option<&str>,
    lan: &[IpAddr],
) -> String {
    let Addresses { xmpp, xmpps, http } = addresses;
    let http = *http;
    let port = http.port();
    let reachable: Vec<SocketAddr> = lan
        .iter()
        .filter(|address| !http.is_ipv4() || address.is_ipv4())
        .map(|address| SocketAddr::new(*address, port))
        .collect();
    let from_lan = if http.ip().is_unspecified() {
        reachable
    } else {
        vec![http]
    };
    let here = SocketAddr::new(own_address(http.ip()), port);
    let mut text = format!(
        "lanpush {} serves phones as \"{}\" on port {}{}\n",
        env!("CARGO_PKG_VERSION"),
        config.server.domain,
        xmpp.port(),
        xmpps.map_or_else(String::new, |xmpps| format!(
            ", with TLS from the start on {}",
            xmpps.port()
        )),
    );
    if let Some(fingerprint) = fingerprint {
        text.push_str(&format!("  TLS    SHA-256 {fingerprint}\n"));
    }
    for address in std::iter::once(&here).chain(from_lan.iter().filter(|address| **address != here))
    {
        let closed = if is_trusted(config, address.ip()) {
            ""
        } else {
            "  (not for this network yet)"
        };
        text.push_str(&format!("  page   http://{address}/{closed}\n"));
    }
    if let Some(address) = from_lan
        .iter()
        .find(|address| !is_trusted(config, address.ip()))
    {
        text.push_str(&format!(
            "  allow  add \"{}\" to http.trusted in the configuration to open the page to that network\n",
            network(address.ip())
        ));
    }
    text.push_str(&format!(
        "  try    curl -d 'message=Hello from lanpush' 'http://{here}/notification.do?action=send'\n"
    ));
    text
}

fn is_trusted(config: &Config, address: IpAddr) -> bool {
    config.http.trusted.iter().any(|net| net.contains(address))
}

/// The address by which this machine reaches its own listener.
fn own_address(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V6(address) if address == Ipv6Addr::LOCALHOST => bound,
        _ if bound.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        _ => bound,
    }
}

/// The network an address most likely belongs to.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let prefix = u128::from(address) >> 64 << 64;
            format!("{}/64", Ipv6Addr::from(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(http: &str, trusted: &str) -> Vec<String> {
        let mut config = Config::default();
        config.server.domain = "push.lan".into();
        if let Ok(network) = trusted.parse() {
            config.http.trusted.push(network);
        }
        let lan = ["192.168.1.7".parse().unwrap(), "fd00::2".parse().unwrap()];
        let addresses = Addresses {
            xmpp: "[::]:5222".parse().unwrap(),
            xmpps: None,
            http: http.parse().unwrap(),
        };
        text(&config, &addresses, None, &lan)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn fresh_from_the_defaults() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            lines("[::]:7070", ""),
            [
                &format!("lanpush {version} serves phones as \"push.lan\" on port 5222"),
                "  page   http://127.0.0.1:7070/",
                "  page   http://192.168.1.7:7070/  (not for this network yet)",
                "  page   http://[fd00::2]:7070/  (not for this network yet)",
                "  allow  add \"192.168.1.0/24\" to http.trusted in the configuration to open the page to that network",
                "  try    curl -d 'message=Hello from lanpush' 'http://127.0.0.1:7070/notification.do?action=send'",
            ]
        );
    }

    #[test]
    fn a_network_is_trusted() {
        let lines = lines("0.0.0.0:8080", "192.168.0.0/16");
        assert_eq!(
            lines[1..3],
            [
                "  page   http://127.0.0.1:8080/",
                "  page   http://192.168.1.7:8080/"
            ]
        );
        assert!(lines[3].starts_with("  try "));
    }

    #[test]
    fn one_address_only() {
        let lines = lines("[::1]:7070", "");
        assert_eq!(lines[1], "  page   http://[::1]:7070/");
        assert!(lines[2].contains("'http://[::1]:7070/notification.do?action=send'"));
    }
}
