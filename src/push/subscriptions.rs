//! RFC 6121 §3: users ask to see each other, and allow it. The states are those of
//! [`subscription`](crate::xmpp::subscription); both sides become durable together.

use std::rc::Rc;

use super::commits::Waiter;
use super::contact::Contact;
use super::domain::Domain;
use super::roster::Contacts;
use super::rosters::Edit;
use super::store::DeviceId;
use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::presence::{self, Taken};
use crate::xmpp::subscription::{Kind, inbound, outbound};

/// What users hear when a change of rosters is durable.
#[derive(Debug)]
pub enum News {
    /// One of the four stanzas.
    Stanza {
        /// Which.
        kind: Kind,
        /// Who says it.
        from: Rc<str>,
        /// To whom.
        to: Rc<str>,
        /// The stanza without addresses.
        words: Rc<[u8]>,
    },
    /// A user is seen by another from now on.
    Shows {
        /// Who is seen.
        who: Rc<str>,
        /// By whom.
        to: Rc<str>,
    },
    /// A user is not seen by another any longer.
    Hides {
        /// Who was seen.
        who: Rc<str>,
        /// By whom.
        to: Rc<str>,
    },
}

/// One side of a pair of users while a stanza changes it.
struct Side {
    user: Rc<str>,
    before: Option<Contact>,
    after: Contact,
}

impl Side {
    fn of(user: &Rc<str>, before: Option<Contact>) -> Self {
        Self {
            user: Rc::clone(user),
            after: before.clone().unwrap_or_default(),
            before,
        }
    }

    fn edit(self, key: &str) -> Option<Edit> {
        Edit::of(&self.user, key, self.before.as_ref(), self.after)
    }
}

impl Domain {
    /// A user sends one of the four stanzas to another. The outcome comes later if something has to be
    /// stored.
    pub(super) fn subscription(
        &mut self,
        user: &Rc<str>,
        kind: Kind,
        to: &str,
        words: &[u8],
        waiter: Waiter,
    ) -> Result<Taken, StanzaError> {
        if **user == *to {
            return Err(StanzaError::NotAllowed);
        }
        if self.commits.is_full() || self.commits.removing(user) {
            return Err(StanzaError::ResourceConstraint);
        }
        if kind == Kind::Subscribe && (self.is_listed(to) || self.is_listed(user)) {
            // They see each other already.
            return Ok(Taken::Now);
        }
        let mut mine = Side::of(user, self.contact(user, to)?);
        let step = outbound(mine.after.state, kind);
        mine.after.state = step.state;
        match kind {
            Kind::Subscribe => mine.after.listed = true,
            // Allowed before the contact has asked (§3.4).
            Kind::Subscribed if !step.state.from() => {
                mine.after.approved = true;
                mine.after.listed = true;
            }
            Kind::Subscribed => mine.after.listed = true,
            Kind::Unsubscribed => mine.after.approved = false,
            Kind::Unsubscribe => {}
        }
        if !step.state.is_asked() {
            mine.after.request = None;
        }
        let is_new = mine.after.listed && !mine.before.as_ref().is_some_and(|own| own.listed);
        if is_new && !self.has_room(user, to, &mine.after)? {
            return Err(StanzaError::ResourceConstraint);
        }
        let mut contacts = Contacts::default();
        // A request of somebody who is blocked goes nowhere; what ends something still holds for both sides.
        let is_lost = kind == Kind::Subscribe && self.blocks(to, user, None)?;
        let other = self.other(to).filter(|_| step.passes && !is_lost);
        if let Some(other) = other {
            let theirs = Side::of(&other, self.contact(&other, user)?);
            self.reach(kind, &mut mine, theirs, words, &mut contacts)?;
        }
        contacts.edits.extend(mine.edit(to));
        if contacts.edits.is_empty() {
            contacts
                .news
                .into_iter()
                .for_each(|news| self.announce(news));
            return Ok(Taken::Now);
        }
        self.submit_contacts(contacts, waiter);
        Ok(Taken::Later)
    }

    /// A stanza comes to the other side.
    fn reach(
        &mut self,
        kind: Kind,
        mine: &mut Side,
        mut theirs: Side,
        words: &[u8],
        into: &mut Contacts,
    ) -> Result<(), StanzaError> {
        let (me, them) = (Rc::clone(&mine.user), Rc::clone(&theirs.user));
        if kind == Kind::Subscribe && (theirs.after.state.from() || theirs.after.approved) {
            grant(mine, &mut theirs, into);
        } else {
            let step = inbound(theirs.after.state, kind);
            let saw = theirs.after.state.to();
            let was_seen = theirs.after.state.from();
            if kind == Kind::Subscribe && step.passes && self.may_ask(&them)? {
                theirs.after.request = std::str::from_utf8(words).ok().map(Into::into);
                theirs.after.state = step.state;
            } else if kind != Kind::Subscribe {
                theirs.after.state = step.state;
            }
            if !step.state.is_asked() {
                theirs.after.request = None;
            }
            if step.passes {
                into.news.push(News::Stanza {
                    kind,
                    from: Rc::clone(&me),
                    to: Rc::clone(&them),
                    words: words.into(),
                });
            }
            let sees = theirs.after.state.to();
            let is_seen = theirs.after.state.from();
            into.news.extend(match (saw, sees, was_seen, is_seen) {
                (false, true, ..) => Some(News::Shows { who: me, to: them }),
                (true, false, ..) => Some(News::Hides { who: me, to: them }),
                (.., true, false) => Some(News::Hides { who: them, to: me }),
                _ => None,
            });
        }
        let key = Rc::clone(&mine.user);
        into.edits.extend(theirs.edit(&key));
        Ok(())
    }

    /// Whether one more request may wait for a user's answer.
    fn may_ask(&mut self, user: &str) -> Result<bool, StanzaError> {
        let roster = self.roster(user)?;
        let waiting = roster
            .values()
            .filter(|contact| contact.request.is_some())
            .count();
        Ok(waiting < limits::SUBSCRIPTION_REQUESTS)
    }

    /// Tells the users what has come true.
    pub(super) fn announce(&mut self, news: News) {
        match news {
            News::Stanza {
                kind,
                from,
                to,
                words,
            } => {
                let devices = self.accounts.devices(&to).iter().copied();
                let hears = |id: &DeviceId| {
                    self.chat(*id).is_some_and(|chat| {
                        let circle = &chat.circle;
                        let told = circle.interested && kind != Kind::Subscribe;
                        told || circle.presence.is_some()
                    })
                };
                let devices: Vec<DeviceId> = devices.filter(hears).collect();
                for device in devices {
                    self.say(device, &from, &words);
                }
            }
            News::Shows { who, to } => self.show_one(&who, &to),
            News::Hides { who, to } => {
                // The phone book shows what no roster does.
                if !self.is_listed(&who) && !self.is_listed(&to) {
                    self.hide_from(&who, &to);
                }
            }
        }
    }

    /// Sends one of the four stanzas to a session.
    fn say(&mut self, device: DeviceId, from: &str, words: &[u8]) {
        if let Some(bound) = self.bound(device)
            && !self.blocks(&bound.user, from, None).unwrap_or(true)
        {
            let from = format!("{from}@{}", bound.domain);
            let to = format!("{}@{}", bound.user, bound.domain);
            let stanza = presence::with_addresses(words, &from, &to);
            self.deliver(device, stanza.into());
        }
    }

    /// Requests that wait for an answer come again with each login (§3.1.3).
    pub(super) fn ask_again(&mut self, user: &Rc<str>, device: DeviceId) {
        let Ok(roster) = self.roster(user) else {
            return;
        };
        for (key, contact) in &*roster {
            if let Some(request) = &contact.request {
                self.say(device, key, request.as_bytes());
            }
        }
    }
}

/// The other side has allowed it before: nobody is asked (§3.1.3).
fn grant(mine: &mut Side, theirs: &mut Side, into: &mut Contacts) {
    if !theirs.after.state.from() {
        let asked = inbound(theirs.after.state, Kind::Subscribe).state;
        theirs.after.state = outbound(asked, Kind::Subscribed).state;
        theirs.after.approved = false;
        theirs.after.listed = true;
    }
    let step = inbound(mine.after.state, Kind::Subscribed);
    mine.after.state = step.state;
    if step.passes {
        let (me, them) = (Rc::clone(&mine.user), Rc::clone(&theirs.user));
        into.news.push(News::Stanza {
            kind: Kind::Subscribed,
            from: Rc::clone(&them),
            to: Rc::clone(&me),
            words: presence::bare(Kind::Subscribed.word()).into(),
        });
        into.news.push(News::Shows { who: them, to: me });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ROSTER, SUBSCRIPTION_REQUESTS};
    use crate::push::crowd::Crowd;

    fn ask(crowd: &mut Crowd, user: &str, to: &str) -> Result<Taken, StanzaError> {
        let user = crowd.user(user);
        let words = b"<presence type='subscribe'/>";
        let asked = crowd
            .domain
            .subscription(&user, Kind::Subscribe, to, words, Waiter::Nobody);
        crowd.settle();
        asked
    }

    #[test]
    fn only_so_many_requests_wait_for_one_user() {
        let mut crowd = Crowd::new(SUBSCRIPTION_REQUESTS + 11, &[], &[]);
        for number in 1..=SUBSCRIPTION_REQUESTS + 10 {
            assert_eq!(
                ask(&mut crowd, &format!("u{number}"), "u0"),
                Ok(Taken::Later)
            );
        }
        let device = crowd.log_in("u0");
        crowd.domain.show(device, b"<presence/>", true);
        let requests = crowd.settle();
        assert_eq!(requests.len(), 1 + SUBSCRIPTION_REQUESTS);
        // One that was not kept reaches a user who is there, and has not been lost for the one who asked.
        let late = format!("u{}", SUBSCRIPTION_REQUESTS + 5);
        let (me, them) = (crowd.user(&late), crowd.user("u0"));
        let words = b"<presence type='subscribe'/>";
        let asked = crowd
            .domain
            .subscription(&me, Kind::Subscribe, "u0", words, Waiter::Nobody);
        assert_eq!(asked, Ok(Taken::Now));
        assert_eq!(crowd.settle().len(), 1);
        let words = b"<presence type='subscribed'/>";
        let _ = crowd
            .domain
            .subscription(&them, Kind::Subscribed, &late, words, Waiter::Nobody);
        crowd.settle();
        assert_eq!(ask(&mut crowd, &late, "u0"), Ok(Taken::Later));
        let contact = crowd.domain.contact(&me, "u0").unwrap().unwrap();
        assert_eq!(contact.state, crate::xmpp::subscription::State::To);
    }

    #[test]
    fn nobody_asks_for_more_than_a_roster_holds() {
        let contact = Contact {
            listed: true,
            ..Contact::default()
        };
        let all_but_one = (1..ROSTER).map(|n| contact.document("u0", &format!("contact{n}")));
        let mut crowd = Crowd::with(1, &[], &[], all_but_one.collect());
        crowd.log_in("u0");
        assert_eq!(ask(&mut crowd, "u0", "nobody"), Ok(Taken::Later));
        let one_more = ask(&mut crowd, "u0", "one-more");
        assert_eq!(one_more, Err(StanzaError::ResourceConstraint));
    }
}
