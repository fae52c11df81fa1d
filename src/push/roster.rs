//! RFC 6121 §2: rosters as the gateway keeps them for its users, and the pushes that tell of changes.
//!
//! An entry changes on the disk first; its owner's apps, and those of the contact, are told when it is there.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use super::commits::{Then, Waiter};
use super::contact::{self, Contact};
use super::domain::Domain;
use super::rosters::{Edit, Roster};
use super::store::DeviceId;
use super::subscriptions::News;
use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::presence;
use crate::xmpp::feature::roster::{Item, View, write_push};
use crate::xmpp::subscription::{Kind, inbound};

/// Changes of entries that become durable together, and what the users hear of it then.
#[derive(Debug, Default)]
pub struct Contacts {
    /// The entries.
    pub edits: Vec<Edit>,
    /// What else happens.
    pub news: Vec<News>,
}

impl Domain {
    /// The roster for a session, which is told of changes from now on.
    pub(super) fn roster_view(
        &mut self,
        device: DeviceId,
        known: Option<&str>,
    ) -> Result<View, StanzaError> {
        let bound = self.bound(device).ok_or(StanzaError::NotAuthorized)?;
        let roster = self.roster(&bound.user)?;
        if let Some(chat) = self.chat_session(device) {
            chat.circle.interested = true;
        }
        let version = self.roster_version(&bound.user, &roster, &bound.domain);
        let items = (known != Some(&*version)).then(|| {
            let own = roster.iter().filter_map(|(key, contact)| {
                self.item(&bound.user, key, Some(contact), &bound.domain)
            });
            let is_own = |key: &str| roster.get(key).is_some_and(|contact| contact.listed);
            let shared = self.phone_book().filter_map(|(key, _)| {
                let others = **key != *bound.user && !is_own(key);
                others.then(|| self.item(&bound.user, key, None, &bound.domain))?
            });
            own.chain(shared).take(limits::ROSTER).collect()
        });
        Ok(View { version, items })
    }

    /// An entry as its owner is shown it; `None` if it is not shown.
    fn item(
        &self,
        owner: &str,
        key: &str,
        contact: Option<&Contact>,
        domain: &str,
    ) -> Option<Item> {
        let contact = contact.filter(|contact| contact.listed);
        let listing = self.listing(key).filter(|_| key != owner);
        if contact.is_none() && listing.is_none() {
            return None;
        }
        let linked = listing.is_some() || (!key.contains('@') && self.is_listed(owner));
        let state = contact.map(|contact| contact.state).unwrap_or_default();
        let mut item = Item {
            jid: contact::address(key, domain),
            name: contact.map(|own| own.name.to_string()).unwrap_or_default(),
            groups: Vec::new(),
            subscription: if linked { "both" } else { state.word() },
            asks: state.asks() && !linked,
            approved: contact.is_some_and(|contact| contact.approved),
        };
        if let Some(contact) = contact {
            item.groups = contact.groups.iter().map(ToString::to_string).collect();
        }
        if let Some(listing) = listing {
            // What the user has said of the contact comes before what the phone book says.
            if item.name.is_empty() {
                item.name = listing.name;
            }
            if item.groups.is_empty() {
                item.groups = listing.groups;
            }
        }
        Some(item)
    }

    /// A word that differs whenever the roster, as a session in that domain is shown it, differs (§2.6).
    fn roster_version(&mut self, owner: &str, roster: &Roster, domain: &str) -> String {
        let mut hasher = DefaultHasher::new();
        domain.hash(&mut hasher);
        self.phone_book_version().hash(&mut hasher);
        self.is_listed(owner).hash(&mut hasher);
        for (key, contact) in roster.iter().filter(|(_, contact)| contact.listed) {
            key.hash(&mut hasher);
            (contact.state.word(), contact.state.asks(), contact.approved).hash(&mut hasher);
            (&contact.name, &contact.groups).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    /// Adds an entry, or gives it another name and other groups. `None` is the server's own address.
    pub(super) fn put_contact(
        &mut self,
        owner: &Rc<str>,
        key: Option<String>,
        name: &str,
        groups: Vec<String>,
        waiter: Waiter,
    ) -> Result<(), StanzaError> {
        let key = key.filter(|key| **key != **owner);
        let key = key.ok_or(StanzaError::NotAllowed)?;
        if self.commits.is_full() || self.commits.removing(owner) {
            return Err(StanzaError::ResourceConstraint);
        }
        let mut contact = self.contact(owner, &key)?.unwrap_or_default();
        contact.listed = true;
        contact.name = name.into();
        contact.groups = groups.into_iter().map(Into::into).collect();
        if !self.has_room(owner, &key, &contact)? {
            return Err(StanzaError::ResourceConstraint);
        }
        let edit = Edit {
            owner: Rc::clone(owner),
            key: key.into(),
            contact: Some(contact),
            push: true,
        };
        let edits = vec![edit];
        let news = Vec::new();
        self.submit_contacts(Contacts { edits, news }, waiter);
        Ok(())
    }

    /// Removes an entry: neither sees the other any longer (§2.5.2).
    pub(super) fn remove_contact(
        &mut self,
        owner: &Rc<str>,
        key: Option<String>,
        waiter: Waiter,
    ) -> Result<(), StanzaError> {
        let key = key.ok_or(StanzaError::NotAllowed)?;
        if self.commits.is_full() || self.commits.removing(owner) {
            return Err(StanzaError::ResourceConstraint);
        }
        let contact = self.contact(owner, &key)?;
        let Some(contact) = contact.filter(|contact| contact.listed) else {
            // The phone book is the administrator's.
            return Err(match self.is_listed(&key) {
                true => StanzaError::NotAllowed,
                false => StanzaError::ItemNotFound,
            });
        };
        let mut contacts = Contacts::default();
        contacts.edits.push(Edit {
            owner: Rc::clone(owner),
            key: key.as_str().into(),
            contact: None,
            push: true,
        });
        self.part(owner, &key, &contact, &mut contacts)?;
        self.submit_contacts(contacts, waiter);
        Ok(())
    }

    /// What it means for a contact that an entry goes.
    fn part(
        &mut self,
        owner: &Rc<str>,
        key: &str,
        contact: &Contact,
        into: &mut Contacts,
    ) -> Result<(), StanzaError> {
        let Some(other) = self.other(key) else {
            return Ok(());
        };
        let state = contact.state;
        let before = self.contact(&other, owner)?;
        let mut after = before.clone().unwrap_or_default();
        for (kind, is_meant) in [
            (Kind::Unsubscribe, state.to() || state.asks()),
            (Kind::Unsubscribed, state.from() || state.is_asked()),
        ] {
            let step = inbound(after.state, kind);
            if is_meant && step.passes {
                after.state = step.state;
                into.news.push(News::Stanza {
                    kind,
                    from: Rc::clone(owner),
                    to: Rc::clone(&other),
                    words: presence::bare(kind.word()).into(),
                });
            }
        }
        if !after.state.is_asked() {
            after.request = None;
        }
        if !self.is_listed(owner) && !self.is_listed(&other) {
            if state.to() {
                into.news.push(News::Hides {
                    who: Rc::clone(&other),
                    to: Rc::clone(owner),
                });
            }
            if state.from() {
                into.news.push(News::Hides {
                    who: Rc::clone(owner),
                    to: Rc::clone(&other),
                });
            }
        }
        into.edits
            .extend(Edit::of(&other, owner, before.as_ref(), after));
        Ok(())
    }

    /// What it means for everybody else that an account goes: who had it as a contact sees it no longer, and
    /// is not seen by whoever gets the name next.
    pub(super) fn part_with_all(&mut self, user: &Rc<str>) -> Result<Contacts, StanzaError> {
        let mut contacts = Contacts::default();
        for (key, contact) in &*self.roster(user)? {
            self.part(user, key, contact, &mut contacts)?;
        }
        Ok(contacts)
    }

    /// The user an entry of a roster stands for, if it is one of this server's that stays.
    pub(super) fn other(&self, key: &str) -> Option<Rc<str>> {
        let (name, _) = self.accounts.get(key)?;
        (!self.commits.removing(name)).then(|| Rc::clone(name))
    }

    /// Sends changes of entries to the disk.
    pub(super) fn submit_contacts(&mut self, contacts: Contacts, waiter: Waiter) {
        let changes = self.begin_contacts(&contacts);
        self.submit(changes, Then::Contacts(contacts), waiter);
    }

    /// Notes changes of entries that go to the disk.
    pub(super) fn begin_contacts(&mut self, contacts: &Contacts) -> Vec<super::store::Change> {
        for edit in &contacts.edits {
            self.rosters.begin(edit);
        }
        contacts.edits.iter().map(Edit::change).collect()
    }

    /// The disk has answered; `taken`: it has taken the changes.
    pub(super) fn contacts_stored(&mut self, contacts: Contacts, taken: bool) {
        for edit in &contacts.edits {
            self.rosters.end(edit, taken);
        }
        if !taken {
            return;
        }
        for edit in contacts.edits.iter().filter(|edit| edit.push) {
            self.push_item(&edit.owner, &edit.key, edit.contact.as_ref());
        }
        for news in contacts.news {
            self.announce(news);
        }
    }

    /// Tells an owner's apps of an entry, as far as they have asked for the roster (§2.1.6).
    pub(super) fn push_item(&mut self, owner: &Rc<str>, key: &str, contact: Option<&Contact>) {
        let devices = self.accounts.devices(owner).iter().copied();
        let interested: Vec<DeviceId> = devices
            .filter(|id| self.chat(*id).is_some_and(|chat| chat.circle.interested))
            .collect();
        if interested.is_empty() {
            return;
        }
        let Ok(roster) = self.roster(owner) else {
            return;
        };
        for device in interested {
            let Some(bound) = self.bound(device) else {
                continue;
            };
            let item = self.item(owner, key, contact, &bound.domain);
            let item = item.unwrap_or_else(|| Item {
                jid: contact::address(key, &bound.domain),
                name: String::new(),
                groups: Vec::new(),
                subscription: "remove",
                asks: false,
                approved: false,
            });
            let version = self.roster_version(owner, &roster, &bound.domain);
            let mut out = Vec::new();
            write_push(&bound.to_string(), &version, item, &mut out);
            self.deliver(device, out.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::crowd::Crowd;
    use crate::push::store::Document;
    use crate::xmpp::subscription::State;

    /// A roster as large as one may be.
    fn largest() -> Vec<Document> {
        let contact = Contact {
            state: State::Both,
            listed: true,
            name: "Somebody of some name".into(),
            groups: ["Office".into()].into(),
            ..Contact::default()
        };
        (0..limits::ROSTER)
            .map(|number| contact.document("u0", &format!("contact{number}")))
            .collect()
    }

    #[test]
    fn ten_thousand_contacts() {
        let mut crowd = Crowd::with(2, &[], &[], largest());
        let device = crowd.log_in("u0");
        let view = crowd.domain.roster_view(device, None).unwrap();
        assert_eq!(view.items.map(|items| items.len()), Some(10_000));
        let again = crowd
            .domain
            .roster_view(device, Some(&view.version))
            .unwrap();
        assert_eq!(again.items, None);

        let user = crowd.user("u0");
        let mut put = |key: &str, name: &str| {
            let key = Some(key.to_owned());
            let put = crowd
                .domain
                .put_contact(&user, key, name, Vec::new(), Waiter::Nobody);
            crowd.settle();
            put
        };
        assert_eq!(put("contact7", "renamed"), Ok(()));
        assert_eq!(put("one-more", ""), Err(StanzaError::ResourceConstraint));
        let changed = crowd
            .domain
            .roster_view(device, Some(&view.version))
            .unwrap();
        assert!(changed.version != view.version && changed.items.is_some());
    }

    #[test]
    fn what_a_roster_takes_on_the_wire_is_bounded() {
        let mut crowd = Crowd::new(1, &[], &[]);
        let device = crowd.log_in("u0");
        let user = crowd.user("u0");
        let name = "n".repeat(limits::CONTACT_NAME);
        let groups: Vec<String> = (0..limits::CONTACT_GROUPS)
            .map(|number| format!("{number:0>255}"))
            .collect();
        let mut refused = None;
        for number in 0..limits::ROSTER {
            let key = Some(format!("contact{number}"));
            let put = crowd
                .domain
                .put_contact(&user, key, &name, groups.clone(), Waiter::Nobody);
            crowd.settle();
            if put.is_err() {
                refused = Some(put);
                break;
            }
        }
        assert_eq!(refused, Some(Err(StanzaError::ResourceConstraint)));
        let view = crowd.domain.roster_view(device, None).unwrap();
        let bytes: usize = view
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| {
                let mut out = Vec::new();
                write_push("", "", item, &mut out);
                out.len()
            })
            .sum();
        assert!(bytes < 2 * limits::ROSTER_BYTES, "{bytes}");
    }
}
