//! An address range, as `http.trusted` lists them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An address range: `192.168.1.0/24`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address of it; the lowest one if it was parsed.
    pub address: IpAddr,
    /// Leading bits that count: up to 32 for IPv4, up to 128 for IPv6.
    pub prefix: u8,
}

impl Network {
    /// Whether `address` lies in it.
    ///
    /// A socket that serves both families shows an IPv4 peer as `::ffff:a.b.c.d`; it counts as `a.b.c.d`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let network = self.canonical();
        let address = address.to_canonical();
        network.address.is_ipv4() == address.is_ipv4()
            && network.masked(address) == network.masked(network.address)
    }

    /// An IPv4 range written in its IPv6 form as the IPv4 range it is.
    fn canonical(self) -> Self {
        match self.address.to_canonical() {
            address @ IpAddr::V4(_) if self.address.is_ipv6() && self.prefix >= 96 => Self {
                address,
                prefix: self.prefix - 96,
            },
            _ => self,
        }
    }

    /// The leading bits of an address of the same family, as one number.
    fn masked(&self, address: IpAddr) -> u128 {
        let (bits, width) = match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let ignored = width - u32::from(self.prefix).min(width);
        bits.checked_shr(ignored)
            .and_then(|kept| kept.checked_shl(ignored))
            .unwrap_or(0)
    }

    fn width(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

/// The text is not an address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let prefix = match prefix {
            None => Self::width(address),
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= Self::width(address))
                .ok_or(NotANetwork)?,
            Some(_) => return Err(NotANetwork),
        };
        let network = Self { address, prefix }.canonical();
        let lowest = network.masked(network.address);
        let address = match network.address {
            IpAddr::V4(_) => u32::try_from(lowest)
                .map_err(|_| NotANetwork)
                .map(|bits| IpAddr::V4(bits.into()))?,
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(lowest)),
        };
        Ok(Self { address, ..network })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == Self::width(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        struct Case {
            input: &'static str,
            want: &'static str,
        }
        for Case { input, want } in [
            Case {
                input: "127.0.0.0/8",
                want: "127.0.0.0/8",
            },
            Case {
                input: "192.168.1.77/24",
                want: "192.168.1.0/24",
            },
            Case {
                input: "10.0.0.1",
                want: "10.0.0.1",
            },
            Case {
                input: "10.0.0.1/32",
                want: "10.0.0.1",
            },
            Case {
                input: "0.0.0.0/0",
                want: "0.0.0.0/0",
            },
            Case {
                input: "::1",
                want: "::1",
            },
            Case {
                input: "fd12:3456::9/8",
                want: "fd00::/8",
            },
            Case {
                input: "::/0",
                want: "::/0",
            },
            Case {
                input: "::ffff:192.168.0.9/112",
                want: "192.168.0.0/16",
            },
            Case {
                input: "::ffff:192.168.0.9",
                want: "192.168.0.9",
            },
        ] {
            let network: Network = input.parse().unwrap_or_else(|_| panic!("{input}"));
            assert_eq!(network.to_string(), want, "{input}");
            assert_eq!(want.parse(), Ok(network), "{input}");
        }
    }

    #[test]
    fn not_a_network() {
        for text in [
            "",
            "/",
            "lan",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.0/ 8",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/256",
            "10.0.0",
            "::/129",
            "fe80::1%eth0",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    #[test]
    fn contains() {
        struct Case {
            network: &'static str,
            address: &'static str,
            want: bool,
        }
        let case = |network, address, want| Case {
            network,
            address,
            want,
        };
        for Case {
            network,
            address,
            want,
        } in [
            case("127.0.0.0/8", "127.255.0.1", true),
            case("127.0.0.0/8", "128.0.0.1", false),
            case("127.0.0.0/8", "::ffff:127.0.0.1", true),
            case("127.0.0.0/8", "::1", false),
            case("192.168.1.0/24", "192.168.1.255", true),
            case("192.168.1.0/24", "192.168.2.0", false),
            case("192.168.1.0/31", "192.168.1.1", true),
            case("192.168.1.4", "192.168.1.4", true),
            case("192.168.1.4", "::ffff:192.168.1.4", true),
            case("192.168.1.4", "192.168.1.5", false),
            case("::1", "::1", true),
            case("::1", "::2", false),
            case("fd00::/8", "fdff::1", true),
            case("fd00::/8", "fe00::1", false),
            case("0.0.0.0/0", "203.0.113.9", true),
            case("0.0.0.0/0", "fd00::1", false),
            case("::/0", "fd00::1", true),
            case("::/0", "::ffff:10.0.0.1", false),
            case("::ffff:10.0.0.0/104", "10.9.9.9", true),
        ] {
            let range: Network = network.parse().unwrap();
            let peer: IpAddr = address.parse().unwrap();
            assert_eq!(range.contains(peer), want, "{address} in {network}");
        }
        let by_hand = Network {
            address: "::ffff:10.1.2.3".parse().unwrap(),
            prefix: 104,
        };
        assert!(by_hand.contains("10.9.9.9".parse().unwrap()));
    }
}
