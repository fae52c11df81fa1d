//! RFC 6121 §4.2 to §4.5: telling many users about one, and one about many, a step at a time.
//!
//! An office in which everybody sees everybody has as many presences to send as it has pairs of people. What
//! waits here is one entry for each session that has something to tell, however many are to hear it; steps
//! are made while nothing else has to be sent, and a session that changes its mind begins again with its
//! newest presence.

use std::collections::VecDeque;
use std::rc::Rc;

use super::domain::{Domain, Effect};
use super::rosters::Roster;
use super::store::DeviceId;
use crate::limits::{SPREAD_STEP, WELCOME_STEP};
use crate::xmpp::feature::presence;

/// A session that tells about itself; it may be gone by then.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Its device.
    pub device: DeviceId,
    /// Its user.
    pub user: Rc<str>,
    /// Its resource.
    pub resource: Rc<str>,
}

/// What there is left to tell.
#[derive(Debug, Default)]
pub struct Spreads {
    jobs: VecDeque<Job>,
}

#[derive(Debug)]
enum Job {
    /// A session to those who may see it.
    Presence(Presence),
    /// Those whom a session may see to that session.
    Welcome(Box<Welcome>),
    /// A user's place in the phone book to everybody.
    Listing(Listing),
}

#[derive(Debug)]
struct Presence {
    sender: Sender,
    words: Rc<[u8]>,
    /// Whom the user lets see them, as it was when this began.
    roster: Rc<Roster>,
    /// The user who was told last.
    after: Option<Rc<str>>,
}

/// What a session that has become available still has to see.
#[derive(Debug)]
pub struct Welcome {
    device: DeviceId,
    roster: Rc<Roster>,
    /// The user who was shown last.
    after: Option<Rc<str>>,
}

#[derive(Debug)]
struct Listing {
    user: Rc<str>,
    was_listed: bool,
    after: Option<Rc<str>>,
}

impl Domain {
    /// Everybody who may see a session is told this about it.
    pub(super) fn spread_presence(&mut self, sender: Sender, words: Rc<[u8]>) {
        let Ok(roster) = self.roster(&sender.user) else {
            return;
        };
        let jobs = &mut self.spreads.jobs;
        jobs.retain(|job| match job {
            Job::Presence(other) => other.sender.device != sender.device,
            _ => true,
        });
        jobs.push_back(Job::Presence(Presence {
            sender,
            words,
            roster,
            after: None,
        }));
    }

    /// A session is shown everybody its user may see.
    pub(super) fn welcome(&mut self, device: DeviceId, user: &Rc<str>) {
        let Ok(roster) = self.roster(user) else {
            return;
        };
        if let Some(chat) = self.chat_session(device) {
            chat.circle.welcome = None;
        }
        let jobs = &mut self.spreads.jobs;
        jobs.retain(|job| match job {
            Job::Welcome(other) => other.device != device,
            _ => true,
        });
        jobs.push_back(Job::Welcome(Box::new(Welcome {
            device,
            roster,
            after: None,
        })));
    }

    /// Everybody is told what the phone book has of a user.
    pub(super) fn spread_listing(&mut self, user: &str, was_listed: bool) {
        let jobs = &mut self.spreads.jobs;
        let mut was_listed = was_listed;
        jobs.retain(|job| match job {
            Job::Listing(other) if *other.user == *user => {
                was_listed |= other.was_listed;
                false
            }
            _ => true,
        });
        jobs.push_back(Job::Listing(Listing {
            user: user.into(),
            was_listed,
            after: None,
        }));
    }

    /// A user is seen by another from now on.
    pub(super) fn show_one(&mut self, who: &str, to: &str) {
        let seeing = self.seeing(to);
        for (sender, words) in self.shown(who) {
            for device in &seeing {
                self.show_session(&sender, &words, *device);
            }
        }
    }

    /// A user is not seen by another any longer.
    pub(super) fn hide_from(&mut self, who: &str, to: &str) {
        let seeing = self.seeing(to);
        let words = presence::bare("unavailable");
        for (sender, _) in self.shown(who) {
            for device in &seeing {
                self.show_session(&sender, &words, *device);
            }
        }
    }

    /// Goes one step further; false if nothing is left to tell.
    pub(super) fn spread(&mut self) -> bool {
        let Some(job) = self.spreads.jobs.pop_front() else {
            return false;
        };
        let left = match job {
            Job::Presence(job) => self.spread_presence_on(job).map(Job::Presence),
            Job::Welcome(job) => self.welcome_on(job).map(Job::Welcome),
            Job::Listing(job) => self.spread_listing_on(job).map(Job::Listing),
        };
        self.spreads.jobs.extend(left);
        true
    }

    fn spread_presence_on(&mut self, mut job: Presence) -> Option<Presence> {
        let users = self.rosters.present(job.after.as_ref(), SPREAD_STEP);
        let sender = &job.sender;
        let is_listed = self.is_listed(&sender.user);
        for user in &users {
            let contact = job.roster.get(&**user);
            let sees = is_listed
                || *user == sender.user
                || contact.is_some_and(|contact| contact.state.from())
                || self.is_listed(user);
            let others = self.seeing(user).into_iter();
            for device in others.filter(|other| sees && *other != sender.device) {
                self.show_session(sender, &job.words, device);
            }
        }
        job.after = Some(users.get(SPREAD_STEP - 1)?.clone());
        Some(job)
    }

    fn welcome_on(&mut self, mut job: Box<Welcome>) -> Option<Box<Welcome>> {
        let me = Rc::clone(&self.devices.get(job.device)?.account);
        self.chat(job.device)?.circle.presence.as_ref()?;
        let users = self.rosters.present(job.after.as_ref(), WELCOME_STEP);
        let is_listed = self.is_listed(&me);
        let mut shown = false;
        for user in &users {
            let contact = job.roster.get(&**user);
            let sees = is_listed
                || *user == me
                || contact.is_some_and(|contact| contact.state.to())
                || self.is_listed(user);
            if !sees {
                continue;
            }
            for (sender, words) in self.shown(user) {
                if sender.device != job.device {
                    self.show_session(&sender, &words, job.device);
                    shown = true;
                }
            }
        }
        job.after = Some(users.get(WELCOME_STEP - 1)?.clone());
        if !shown {
            return Some(job);
        }
        let device = job.device;
        self.chat_session(device)?.circle.welcome = Some(job);
        self.effects.push_back(Effect::Flush(device));
        None
    }

    /// A session's socket has taken what it was sent.
    pub(super) fn welcome_further(&mut self, device: DeviceId) {
        let chat = self.chat_session(device);
        let job = chat.and_then(|chat| chat.circle.welcome.take());
        self.spreads.jobs.extend(job.map(Job::Welcome));
    }

    fn spread_listing_on(&mut self, mut job: Listing) -> Option<Listing> {
        let users = self.rosters.present(job.after.as_ref(), SPREAD_STEP);
        let is_listed = self.is_listed(&job.user);
        for user in users.iter().filter(|user| **user != job.user) {
            let contact = self.contact(user, &job.user).ok().flatten();
            self.push_item(user, &job.user, contact.as_ref());
            let state = contact.map(|contact| contact.state).unwrap_or_default();
            if !job.was_listed || is_listed || self.is_listed(user) {
                continue;
            }
            if !state.to() {
                self.hide_from(&job.user, user);
            }
            if !state.from() {
                self.hide_from(user, &job.user);
            }
        }
        job.after = Some(users.get(SPREAD_STEP - 1)?.clone());
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::push::crowd::Crowd;

    #[test]
    fn an_office_that_comes_at_once_is_told_in_steps() {
        const PEOPLE: usize = 300;
        let mut office = Crowd::new(PEOPLE, &["office"], &["office"]);
        for number in 0..PEOPLE {
            office.come(&format!("u{number}"));
            assert_eq!(office.settle().len(), 1, "only what it shows itself");
            // One more for who has come, one for what it has to see: no more wait than there are people.
            assert!(office.domain.spreads.jobs.len() <= 2 * PEOPLE);
        }
        let mut stanzas = 0;
        while let Some(made) = office.step() {
            assert!(made <= SPREAD_STEP, "{made} in one step");
            stanzas += made;
        }
        // Everybody hears of everybody else who comes, and sees who is there.
        assert_eq!(stanzas, 2 * PEOPLE * (PEOPLE - 1));
    }

    #[test]
    fn who_changes_all_the_time_is_told_about_once() {
        let mut office = Crowd::new(3, &["office"], &["office"]);
        let devices: Vec<_> = ["u0", "u1", "u2"].map(|user| office.come(user)).to_vec();
        while office.step().is_some() {}
        for number in 0..1000 {
            let words = format!("<presence id='{number}'/>");
            office.domain.show(devices[0], words.as_bytes(), true);
            assert_eq!(office.domain.spreads.jobs.len(), 1);
        }
        assert_eq!(office.settle().len(), 1000, "what it shows itself");
        assert_eq!(office.step(), Some(2));
        assert_eq!(office.step(), None);
    }

    #[test]
    fn nobody_is_forgotten_while_others_come_and_go() {
        const PEOPLE: usize = 2 * SPREAD_STEP + 3;
        let mut office = Crowd::new(PEOPLE + 1, &["office"], &["office"]);
        let mut there: Vec<_> = (1..PEOPLE)
            .map(|number| office.come(&format!("u{number}")))
            .collect();
        while office.step().is_some() {}
        office.come("u0");
        let mut told = BTreeSet::new();
        let mut round = 0;
        while office.domain.spread() {
            while let Some(effect) = office.domain.effects.pop_front() {
                match effect {
                    Effect::Deliver(device, _, parcel)
                        if parcel.stanza().starts_with(b"<presence from='u0@") =>
                    {
                        told.insert(device);
                    }
                    Effect::Flush(device) => office.domain.welcome_further(device),
                    _ => {}
                }
            }
            round += 1;
            if round == 1 {
                // The one who was told first leaves, and somebody else comes.
                let first = there.remove(0);
                office
                    .domain
                    .end_session(first, crate::time::Now::default());
                there.push(office.come(&format!("u{PEOPLE}")));
            }
        }
        assert!(there.iter().all(|device| told.contains(device)));
    }
}
