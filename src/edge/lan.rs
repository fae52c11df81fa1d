//! The addresses under which machines of the local network reach this one.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of all interfaces but loopback, IPv4 first; empty where the kernel does not tell.
pub(super) fn addresses() -> Vec<IpAddr> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let v4 = local_v4(&read("/proc/net/fib_trie"));
    let v6 = global_v6(&read("/proc/net/if_inet6"));
    v4.into_iter()
        .map(IpAddr::V4)
        .chain(v6.into_iter().map(IpAddr::V6))
        .collect()
}

/// The routing tables' own addresses: a leaf `|-- 192.0.2.2` followed by `/32 host LOCAL`.
fn local_v4(fib_trie: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if let Some(address) = leaf
            && line == "/32 host LOCAL"
            && !address.is_loopback()
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// Lines of `address index prefix scope flags name`, all in hexadecimal; scope 0 is global, flag 1 is a
/// temporary address that changes by the day.
fn global_v6(if_inet6: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| {
        let mut fields = line.split_whitespace();
        let address = u128::from_str_radix(fields.next()?, 16).ok()?;
        let scope = fields.nth(2)?;
        let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
        (scope == "00" && flags & 1 == 0).then(|| Ipv6Addr::from(address))
    };
    if_inet6.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v4_of_both_tables_once() {
        let fib_trie = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 192.0.2.0
        /24 link UNICAST
     |-- 192.0.2.2
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
Local:
     |-- 192.0.2.2
        /32 host LOCAL
";
        assert_eq!(local_v4(fib_trie), [Ipv4Addr::new(192, 0, 2, 2)]);
    }

    #[test]
    fn v6_global_and_lasting() {
        let if_inet6 = "\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 82     eth0
fd000000000000000000000000000003 04 40 00 01     eth0
not an address
";
        assert_eq!(
            global_v6(if_inet6),
            ["fd00::2".parse::<Ipv6Addr>().unwrap()]
        );
    }
}
