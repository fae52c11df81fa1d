//! Guessing passwords is slow: failed logins are counted by address, and where there were many the next
//! attempt waits before it is looked at. Right or wrong, so that nobody learns more by not waiting.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use litemap::LiteMap;

use super::event::ConnId;
use super::gateway::{Gateway, Pending};
use crate::limits;
use crate::time::{Instant, Now};
use crate::xmpp::host::Attempt;
use crate::xmpp::session::Flow;

/// Failed logins by address, and the attempts that wait.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    sources: LiteMap<IpAddr, Source>,
    waiting: BTreeSet<(Instant, ConnId)>,
}

#[derive(Debug)]
struct Source {
    failures: u32,
    /// Who the last ones were meant to be.
    user: Box<str>,
    /// How many of them in a row.
    of_user: u32,
    last: Instant,
    /// When the attempt is looked at that waits longest: others line up behind it.
    free: Instant,
}

impl Source {
    fn is_forgotten(&self, now: Instant) -> bool {
        self.last.after(limits::LOGIN_FORGET) <= now
    }
}

impl Attempts {
    /// Whether an attempt from this address is looked at now. [`Attempt::Later`]: it is among
    /// [`take_due`](Self::take_due) when its time has come.
    pub(super) fn admit(&mut self, peer: IpAddr, conn: ConnId, now: Instant) -> Attempt {
        let source = self.sources.get_mut(&peer);
        let Some(source) = source.filter(|source| !source.is_forgotten(now)) else {
            return Attempt::Now;
        };
        let Some(over) = source.failures.checked_sub(limits::LOGIN_FREE_FAILURES) else {
            return Attempt::Now;
        };
        let seconds = 1_u64.checked_shl(over).unwrap_or(u64::MAX);
        let delay = Duration::from_secs(seconds).min(limits::LOGIN_DELAY);
        let at = source.free.max(now).after(delay);
        if at > now.after(limits::LOGIN_LINE) {
            return Attempt::Never;
        }
        source.free = at;
        self.waiting.insert((at, conn));
        Attempt::Later
    }

    /// A login as `user` has failed.
    pub(super) fn failed(&mut self, peer: IpAddr, user: &str, now: Instant) {
        if !self.sources.contains_key(&peer) && self.sources.len() >= limits::LOGIN_SOURCES {
            let oldest = self.sources.iter().min_by_key(|(_, source)| source.last);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.sources.remove(&oldest);
            }
        }
        let source = self.sources.entry(peer).or_insert(Source {
            failures: 0,
            user: Box::default(),
            of_user: 0,
            last: now,
            free: now,
        });
        if source.is_forgotten(now) {
            (source.failures, source.of_user) = (0, 0);
        }
        let user: Box<str> = user.chars().take(limits::JID_PART).collect();
        if source.user != user {
            source.of_user = 0;
            source.user = user;
        }
        source.failures = source.failures.saturating_add(1);
        source.of_user = source.of_user.saturating_add(1);
        source.last = now;
    }

    /// A login as `user` has succeeded: slips of the finger just before are forgotten, but not what was tried on
    /// others, or who has an account could go on guessing at another's.
    pub(super) fn succeeded(&mut self, peer: IpAddr, user: &str) {
        let source = self.sources.get_mut(&peer);
        let Some(source) = source.filter(|source| *source.user == *user) else {
            return;
        };
        source.failures = source.failures.saturating_sub(source.of_user);
        source.of_user = 0;
        if source.failures == 0 {
            self.sources.remove(&peer);
        }
    }

    /// Lets something else that an address must not do too fast wait for its time.
    pub(super) fn line_up(&mut self, at: Instant, conn: ConnId) {
        self.waiting.insert((at, conn));
    }

    /// Attempts whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<ConnId> {
        let first = self.waiting.first().filter(|(at, _)| *at <= now)?;
        let conn = first.1;
        self.waiting.pop_first();
        Some(conn)
    }

    /// When the next attempt is looked at.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// The connection is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.retain(|(_, waiting)| *waiting != conn);
    }
}

impl Gateway {
    /// Lets attempts be looked at whose time has come.
    pub(super) fn attempts_due(&mut self, now: Now) {
        while let Some(id) = self.domain.attempts.take_due(now.mono) {
            let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.closing) else {
                continue;
            };
            let mut out = Vec::new();
            let (session, mut host) = conn.with_host(id, &mut self.domain, now);
            let flow = session.try_now(&mut host, &mut out);
            self.follow(id, flow, out, now);
            if matches!(flow, Flow::Open | Flow::StartTls) {
                self.actions.push_back(Pending::Resume(id));
            }
            self.look_again(id, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn second(second: u64) -> Instant {
        Instant(second * 1000)
    }

    #[test]
    fn delays_grow_and_attempts_stand_in_line() {
        let mut attempts = Attempts::default();
        for _ in 0..limits::LOGIN_FREE_FAILURES {
            assert_eq!(attempts.admit(PEER, ConnId(1), second(0)), Attempt::Now);
            attempts.failed(PEER, "sam", second(0));
        }
        assert_eq!(attempts.admit(PEER, ConnId(1), second(0)), Attempt::Later);
        assert_eq!(attempts.next_due(), Some(second(1)));
        assert_eq!(attempts.admit(PEER, ConnId(2), second(0)), Attempt::Later);
        assert_eq!(attempts.take_due(second(1)), Some(ConnId(1)));
        assert_eq!(attempts.take_due(second(1)), None);
        attempts.failed(PEER, "sam", second(1));
        assert_eq!(attempts.admit(PEER, ConnId(3), second(1)), Attempt::Later);
        attempts.forget(ConnId(2));
        assert_eq!(attempts.next_due(), Some(second(4)));
        let other = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
        assert_eq!(attempts.admit(other, ConnId(4), second(1)), Attempt::Now);
    }

    #[test]
    fn a_long_line_is_refused() {
        let mut attempts = Attempts::default();
        for _ in 0..100 {
            attempts.failed(PEER, "sam", second(0));
        }
        assert_eq!(attempts.admit(PEER, ConnId(1), second(0)), Attempt::Later);
        assert_eq!(
            attempts.next_due(),
            Some(Instant(0).after(limits::LOGIN_DELAY))
        );
        assert_eq!(attempts.admit(PEER, ConnId(2), second(0)), Attempt::Never);
    }

    #[test]
    fn forgotten_in_time_and_on_the_same_users_success() {
        let mut attempts = Attempts::default();
        let fail = |attempts: &mut Attempts| {
            for _ in 0..limits::LOGIN_FREE_FAILURES {
                attempts.failed(PEER, "sam", second(0));
            }
        };
        fail(&mut attempts);
        attempts.succeeded(PEER, "eve");
        assert_eq!(attempts.admit(PEER, ConnId(1), second(0)), Attempt::Later);
        attempts.succeeded(PEER, "sam");
        assert_eq!(attempts.admit(PEER, ConnId(2), second(0)), Attempt::Now);
        fail(&mut attempts);
        let later = second(0).after(limits::LOGIN_FORGET);
        assert_eq!(attempts.admit(PEER, ConnId(3), later), Attempt::Now);
    }

    #[test]
    fn who_has_an_account_guesses_no_faster_at_others() {
        let mut attempts = Attempts::default();
        for _ in 0..limits::LOGIN_FREE_FAILURES {
            attempts.failed(PEER, "sam", second(0));
        }
        attempts.failed(PEER, "eve", second(0));
        attempts.succeeded(PEER, "eve");
        attempts.succeeded(PEER, "eve");
        assert_eq!(attempts.admit(PEER, ConnId(1), second(0)), Attempt::Later);
        // Only the slip is forgiven.
        assert_eq!(attempts.next_due(), Some(second(1)));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut attempts = Attempts::default();
        for number in 0..limits::LOGIN_SOURCES as u32 + 10 {
            let peer = IpAddr::V4(number.into());
            attempts.failed(peer, "sam", Instant(u64::from(number)));
        }
        assert_eq!(attempts.sources.len(), limits::LOGIN_SOURCES);
        assert!(!attempts.sources.contains_key(&IpAddr::V4(9.into())));
    }
}
