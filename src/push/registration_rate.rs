//! New accounts are let in at a pace, by address, so that no machine fills the server with users.
//!
//! What comes faster waits first and is refused only when too many wait: androidpn's client never tries again
//! after a refusal until somebody starts it anew, but waits for an answer without complaint. Loopback is this
//! machine, whose users could do worse; and whoever has a token is counted by that.

use std::net::IpAddr;

use litemap::LiteMap;

use crate::limits;
use crate::time::Instant;

/// When the last account of each address is paid for. An address that has nothing left to pay is not kept.
#[derive(Debug, Default)]
pub(super) struct RegistrationRate {
    paid: LiteMap<IpAddr, Instant>,
}

impl RegistrationRate {
    /// When a registration from this address may be looked at: now, later, or (`None`) too late to wait for.
    /// Each that is admitted counts.
    pub(super) fn admit(&mut self, peer: IpAddr, now: Instant) -> Option<Instant> {
        if peer.to_canonical().is_loopback() {
            return Some(now);
        }
        if !self.paid.contains_key(&peer) && self.paid.len() >= limits::REGISTRATION_SOURCES {
            self.make_room(now);
        }
        let paid = self.paid.get(&peer).copied().unwrap_or(now).max(now);
        let next = paid.after(limits::REGISTRATION_PACE);
        let credit = limits::REGISTRATION_PACE * limits::REGISTRATION_BURST;
        let wait = next.since(now).saturating_sub(credit);
        if wait > limits::REGISTRATION_LINE {
            return None;
        }
        self.paid.insert(peer, next);
        Some(now.after(wait))
    }

    /// Forgets who owes nothing, or else who owes least.
    fn make_room(&mut self, now: Instant) {
        self.paid.retain(|_, paid| *paid > now);
        if self.paid.len() >= limits::REGISTRATION_SOURCES {
            let least = self.paid.iter().min_by_key(|(_, paid)| **paid);
            if let Some(least) = least.map(|(peer, _)| *peer) {
                self.paid.remove(&least);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PHONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 20));

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1000)
    }

    #[test]
    fn a_burst_then_a_pace_then_a_refusal() {
        let mut rate = RegistrationRate::default();
        for _ in 0..limits::REGISTRATION_BURST {
            assert_eq!(rate.admit(PHONE, at(1)), Some(at(1)));
        }
        let pace = limits::REGISTRATION_PACE;
        let mut wait = pace;
        while wait <= limits::REGISTRATION_LINE {
            assert_eq!(rate.admit(PHONE, at(1)), Some(at(1).after(wait)));
            wait += pace;
        }
        assert_eq!(rate.admit(PHONE, at(1)), None);
        assert_eq!(rate.admit(PHONE, at(1)), None, "a refusal costs nothing");
        let later = at(1).after(pace);
        let last = later.after(wait - pace);
        assert_eq!(rate.admit(PHONE, later), Some(last));
        let other = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 21));
        assert_eq!(rate.admit(other, at(1)), Some(at(1)));
    }

    #[test]
    fn this_machine_is_not_counted() {
        let mut rate = RegistrationRate::default();
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            for _ in 0..10_000 {
                assert_eq!(rate.admit(peer.parse().unwrap(), at(1)), Some(at(1)));
            }
        }
        assert!(rate.paid.is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let mut rate = RegistrationRate::default();
        let sources = limits::REGISTRATION_SOURCES as u32;
        let peer = |number: u32| IpAddr::V4((0x0a00_0000 + number).into());
        for number in 0..sources + 10 {
            rate.admit(peer(number), at(1));
        }
        assert_eq!(rate.paid.len(), limits::REGISTRATION_SOURCES);
        let later = at(1).after(Duration::from_secs(3600));
        rate.admit(peer(sources + 10), later);
        assert_eq!(rate.paid.len(), 1, "whoever owes nothing is forgotten");
    }
}
