//! Who may use the page and the API while there is no password: three checks, all before the body is read.
//!
//! 1. **Network.** Only addresses in `http.trusted`, and the admin socket.
//! 2. **Name.** The name the client asked for must be ours, so that a foreign web site cannot point its own
//!    name at this machine (DNS rebinding). Ours are: IP addresses, `localhost`, `server.domain`,
//!    `server.aliases`, this machine's host name, names without a dot, and names under [`HOME_SUFFIXES`],
//!    which nobody can register on the internet. Anything else has to be added to `server.aliases`.
//! 3. **Origin.** A page of another web site, open in a browser on a trusted machine, may neither push nor
//!    read. Browsers say where a request comes from: in `Sec-Fetch-Site` (only on secure origins and
//!    localhost), in `Origin` (not with plain GETs) and in `Referer`. What these say has to fit, and a
//!    browser that says none of it cannot change anything: an image on a foreign page must not push. A
//!    browser is known by `User-Agent: Mozilla/…` with an `Accept-Language`, which a page cannot take away.
//!    Following a link to a page of ours is allowed: the site it stands on cannot read what opens. Senders
//!    of androidpn's days send none of these headers, and none of this touches them.

use std::net::IpAddr;

use super::Peer;
use super::error::HttpError;
use super::request::Head;
use crate::config::{Config, Server};

/// Ends of names that only a home or office network gives out: reserved ones (RFC 6762, RFC 8375, ICANN's
/// `internal`), undelegated ones that routers use, and the one that Fritz!Box routers own.
const HOME_SUFFIXES: [&str; 10] = [
    ".local",
    ".lan",
    ".home",
    ".home.arpa",
    ".internal",
    ".intranet",
    ".private",
    ".localdomain",
    ".localhost",
    ".fritz.box",
];

/// Whether the request may go on. `changes` says whether it would change anything.
pub(super) fn check(
    head: &Head,
    peer: Peer,
    config: &Config,
    changes: bool,
) -> Result<(), HttpError> {
    let host = head.host()?;
    let Peer::Address(address) = peer else {
        return Ok(());
    };
    check_network(address.to_canonical(), config)?;
    if let Some(host) = host {
        check_name(host, &config.server)?;
    }
    check_origin(head, host, changes)
}

fn check_network(address: IpAddr, config: &Config) -> Result<(), HttpError> {
    let trusted = &config.http.trusted;
    if trusted.iter().any(|network| network.contains(address)) {
        return Ok(());
    }
    Err(HttpError::new(
        403,
        "untrusted-network",
        format!(
            "{address} may not use this page; to allow it, add \"{address}\" or its network to \
             http.trusted in the configuration of lanpush"
        ),
    ))
}

fn check_name(host: &str, server: &Server) -> Result<(), HttpError> {
    let own = rustix::system::uname();
    if is_own_name(host, server, &own.nodename().to_string_lossy()) {
        return Ok(());
    }
    Err(HttpError::new(
        403,
        "foreign-name",
        "the name in the address is not known to be this server's; use its IP address, or add the name to \
         server.aliases in the configuration of lanpush",
    ))
}

/// Whether `host`, a name with or without a port, is one of ours (check 2 above).
fn is_own_name(host: &str, server: &Server, machine: &str) -> bool {
    let Some(name) = without_port(host) else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    if name.parse::<IpAddr>().is_ok() {
        return true;
    }
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let mut given = server.aliases.iter().chain([&server.domain]);
    !name.is_empty()
        && name.bytes().all(is_name)
        && (!name.contains('.')
            || HOME_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            || given.any(|own| own.eq_ignore_ascii_case(name))
            || machine.eq_ignore_ascii_case(name))
}

/// The name in `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`, or `None` if it is none of these.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = if let Some(rest) = host.strip_prefix('[') {
        let (name, port) = rest.split_once(']')?;
        name.parse::<std::net::Ipv6Addr>().ok()?;
        (name, port)
    } else {
        host.split_at(host.find(':').unwrap_or(host.len()))
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    (digits.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

fn check_origin(head: &Head, host: Option<&str>, changes: bool) -> Result<(), HttpError> {
    let site = head.header("sec-fetch-site");
    let origin = head.header("origin");
    let is_ours = |url: &str| authority(url).is_some_and(|a| is_same_host(a, host));
    let from_here = match (site, origin) {
        (Some("same-origin"), Some("null") | None) => true,
        (Some("same-origin" | "none") | None, Some(origin)) => is_ours(origin),
        (Some("none"), None) => true,
        (Some(_), origin) => {
            let goes_to = |name, place| head.header(name) == Some(place);
            let opens =
                goes_to("sec-fetch-mode", "navigate") && goes_to("sec-fetch-dest", "document");
            opens && !changes && origin.is_none()
        }
        (None, None) if changes && is_browser(head) => head.header("referer").is_some_and(is_ours),
        (None, None) => true,
    };
    if from_here {
        return Ok(());
    }
    Err(HttpError::new(
        403,
        "foreign-origin",
        "this request comes from another web site; open the page of lanpush itself",
    ))
}

/// Whether a browser sent this. Scripts may claim to be Mozilla, or state a language; hardly one does both.
fn is_browser(head: &Head) -> bool {
    let agent = head.header("user-agent").unwrap_or_default();
    agent.starts_with("Mozilla/") && head.header("accept-language").is_some()
}

/// Host and port of `http://host:port/path`.
fn authority(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))?;
    rest.split('/').next()
}

fn is_same_host(authority: &str, host: Option<&str>) -> bool {
    host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &str) -> Head {
        let mut text = "POST / HTTP/1.1\r\nHost: 192.168.1.1:7070\r\n".to_owned();
        for line in headers.split('|').filter(|line| !line.is_empty()) {
            let browser = "User-Agent: Mozilla/5.0 (X11)\r\nAccept-Language: en";
            text += if line == "B" { browser } else { line };
            text += "\r\n";
        }
        Head::parse((text + "\r\n").as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn names() {
        let server = Server {
            domain: "push.example.org".into(),
            aliases: vec!["Other.Example.ORG".into()],
            data: String::new(),
        };
        for (host, ours) in [
            ("192.168.1.1", true),
            ("192.168.1.1:7070", true),
            ("[::1]", true),
            ("[fe80::1]:7070", true),
            ("localhost:7070", true),
            ("Push.Example.org:7070", true),
            ("other.example.org", true),
            ("box.example.net", true),
            ("raspberrypi", true),
            ("raspberrypi.local", true),
            ("raspberrypi.local.", true),
            ("pi.fritz.box", true),
            ("pi.home.arpa", true),
            ("app.localhost", true),
            ("evil.example", false),
            ("x.push.example.org", false),
            ("192.168.1.1.evil.example", false),
            ("evil.local.example", false),
            ("fritz.box.evil.example", false),
            ("localhost.evil.example:7070", false),
            ("box.example.net.evil.example", false),
            ("", false),
            (":7070", false),
            ("[::1", false),
            ("[evil.example]", false),
            ("::1", false),
            ("host:port", false),
            ("local host", false),
            ("evil.example:1@localhost", false),
            ("evil.example/.local", false),
            ("évil.local", false),
        ] {
            let answer = is_own_name(host, &server, "box.example.net");
            assert_eq!(answer, ours, "{host:?}");
        }
    }

    #[test]
    fn networks() {
        let config = Config::default();
        for (address, inside) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.168.1.7", false),
            ("::ffff:192.168.1.7", false),
            ("fe80::1", false),
        ] {
            let head = head("");
            let peer = Peer::Address(address.parse().unwrap());
            let answer = check(&head, peer, &config, true);
            assert_eq!(answer.is_ok(), inside, "{address}");
            if let Err(error) = answer {
                let shown = address.trim_start_matches("::ffff:");
                assert!(error.message.contains("http.trusted"), "{}", error.message);
                assert!(
                    error.message.contains(&format!("\"{shown}\"")),
                    "{}",
                    error.message
                );
            }
        }
        assert_eq!(check(&head(""), Peer::AdminSocket, &config, true), Ok(()));
    }

    struct Case {
        name: &'static str,
        /// Headers with bars between them; `B` stands for those that mark a browser.
        headers: &'static str,
        read: bool,
        change: bool,
    }

    const fn case(name: &'static str, headers: &'static str, read: bool, change: bool) -> Case {
        Case {
            name,
            headers,
            read,
            change,
        }
    }

    #[rustfmt::skip]
    const CASES: [Case; 23] = [
        case("an old sender", "", true, true),
        case("an old sender that claims to be a browser", "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)|Accept: */*", true, true),
        case("an app that states a language", "User-Agent: Shortcuts CFNetwork Darwin|Accept-Language: en", true, true),
        case("a script of Node", "User-Agent: node|Accept-Language: *|Sec-Fetch-Mode: cors", true, true),
        case("a sender that repeats the address", "Referer: http://192.168.1.1:7070", true, true),
        case("our form", "B|Sec-Fetch-Site: same-origin|Origin: http://192.168.1.1:7070", true, true),
        case("our form, in a browser that hides its origin", "B|Sec-Fetch-Site: same-origin|Origin: null", true, true),
        case("our form over plain HTTP", "B|Origin: http://192.168.1.1:7070", true, true),
        case("our form in an old browser", "B|Referer: http://192.168.1.1:7070/notification.do", true, true),
        case("an address typed in", "B|Sec-Fetch-Site: none", true, true),
        case("an address typed in over plain HTTP", "B", true, false),
        case("a link on another site", "B|Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document", true, false),
        case("a frame on another site", "B|Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe", false, false),
        case("an image on another site", "B|Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image", false, false),
        case("an image on another site over plain HTTP", "B|Referer: http://evil.example/192.168.1.1:7070", true, false),
        case("an image that hides its site and language", "User-Agent: Mozilla/5.0|Accept-Language:", true, false),
        case("a form on another site", "B|Sec-Fetch-Site: cross-site|Origin: http://evil.example", false, false),
        case("a form on another site over plain HTTP", "B|Origin: http://evil.example", false, false),
        case("a form on another port", "B|Sec-Fetch-Site: same-site|Origin: http://192.168.1.1:80", false, false),
        case("a form on another port over plain HTTP", "B|Origin: http://192.168.1.1", false, false),
        case("a form that lies about its site", "B|Sec-Fetch-Site: same-origin|Origin: http://evil.example", false, false),
        case("a sandboxed form", "B|Origin: null", false, false),
        case("an unknown site", "B|Sec-Fetch-Site: elsewhere", false, false),
    ];

    #[test]
    fn origins() {
        for case in CASES {
            let head = head(case.headers);
            let host = head.host().unwrap();
            for (changes, want) in [(false, case.read), (true, case.change)] {
                let answer = check_origin(&head, host, changes);
                assert_eq!(answer.is_ok(), want, "{}, changes: {changes}", case.name);
            }
        }
    }
}
