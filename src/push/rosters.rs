//! Rosters in memory: those of users who are there, and the entries whose change is on its way to the disk.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::rc::Rc;

use litemap::{Entry, LiteMap};

use super::contact::{self, Contact};
use super::domain::Domain;
use super::store::{Change, DocumentKind};
use crate::limits;
use crate::xmpp::error::StanzaError;

/// A roster, requests that have not been answered included, by the keys of [`contact::key`].
pub type Roster = BTreeMap<Box<str>, Contact>;

/// The rosters in memory.
#[derive(Debug, Default)]
pub struct Rosters {
    /// Users with a chat app's session, and their rosters as they are on the disk, once they were needed.
    present: BTreeMap<Rc<str>, Option<Rc<Roster>>>,
    /// Entries by owner and key that will be different when the disk has taken them.
    changing: LiteMap<(Rc<str>, Box<str>), Changing>,
}

/// An entry whose change is on its way.
#[derive(Debug)]
struct Changing {
    /// How many changes are.
    pending: usize,
    /// What the last of them makes of it.
    becomes: Option<Contact>,
}

/// A change of one entry.
#[derive(Debug)]
pub struct Edit {
    /// Whose roster.
    pub owner: Rc<str>,
    /// Which entry.
    pub key: Box<str>,
    /// What it is from then on; `None` if it is gone.
    pub contact: Option<Contact>,
    /// Whether the owner's apps are told.
    pub push: bool,
}

impl Edit {
    /// The change of an entry from `before` to `after`; `None` if there is none.
    pub fn of(
        owner: &Rc<str>,
        key: &str,
        before: Option<&Contact>,
        after: Contact,
    ) -> Option<Self> {
        let after = Some(after).filter(|after| !after.is_nothing());
        if before == after.as_ref() {
            return None;
        }
        let shown = before.and_then(Contact::shown);
        let push = shown != after.as_ref().and_then(Contact::shown);
        Some(Self {
            owner: Rc::clone(owner),
            key: key.into(),
            push,
            contact: after,
        })
    }

    /// What the store has to be told.
    #[must_use]
    pub fn change(&self) -> Change {
        match &self.contact {
            Some(contact) => Change::PutDocument(contact.document(&self.owner, &self.key)),
            None => Change::DeleteDocument(contact::id(&self.owner, &self.key)),
        }
    }
}

impl Rosters {
    /// A user has a chat app's session.
    pub fn enter(&mut self, user: &Rc<str>) {
        self.present.entry(Rc::clone(user)).or_default();
    }

    /// A user has none any longer.
    pub fn leave(&mut self, user: &str) {
        self.present.remove(user);
    }

    /// Up to `limit` users with a chat app's session, in the order of their names, from the one behind
    /// `after` on.
    pub fn present(&self, after: Option<&Rc<str>>, limit: usize) -> Vec<Rc<str>> {
        let from = after.map_or(Unbounded, Excluded);
        let range = self.present.range::<Rc<str>, _>((from, Unbounded));
        range.take(limit).map(|(name, _)| Rc::clone(name)).collect()
    }

    /// A change is on its way.
    pub fn begin(&mut self, edit: &Edit) {
        let key = (Rc::clone(&edit.owner), edit.key.clone());
        let changing = self.changing.entry(key).or_insert(Changing {
            pending: 0,
            becomes: None,
        });
        changing.pending += 1;
        changing.becomes.clone_from(&edit.contact);
    }

    /// The disk has answered a change; `taken`: it has taken it.
    pub fn end(&mut self, edit: &Edit, taken: bool) {
        let key = (Rc::clone(&edit.owner), edit.key.clone());
        if let Entry::Occupied(mut entry) = self.changing.entry(key) {
            entry.get_mut().pending -= 1;
            if entry.get().pending == 0 {
                entry.remove();
            }
        }
        if taken && let Some(Some(roster)) = self.present.get_mut(&edit.owner) {
            let roster = Rc::make_mut(roster);
            match &edit.contact {
                Some(contact) => roster.insert(edit.key.clone(), contact.clone()),
                None => roster.remove(&edit.key),
            };
        }
    }

    /// The roster of a user, if it is in memory.
    fn loaded(&self, user: &str) -> Option<&Rc<Roster>> {
        self.present.get(user)?.as_ref()
    }

    /// Keeps a roster, if its user is there and the bound on all of them allows it.
    fn keep(&mut self, user: &str, roster: &Rc<Roster>) {
        let kept = self.present.values().flatten().map(|roster| roster.len());
        let kept: usize = kept.sum();
        if kept + roster.len() <= limits::ROSTERS_KEPT
            && let Some(place) = self.present.get_mut(user)
        {
            *place = Some(Rc::clone(roster));
        }
    }

    /// What an entry will be when the disk has taken all that is on its way; `None` if nothing is.
    fn becoming(&self, owner: &Rc<str>, key: &str) -> Option<&Option<Contact>> {
        if self.changing.is_empty() {
            return None;
        }
        let key = (Rc::clone(owner), key.into());
        self.changing.get(&key).map(|changing| &changing.becomes)
    }
}

impl Domain {
    /// A user's roster as it is on the disk.
    pub(super) fn roster(&mut self, user: &str) -> Result<Rc<Roster>, StanzaError> {
        if let Some(roster) = self.rosters.loaded(user) {
            return Ok(Rc::clone(roster));
        }
        let documents = self.store.documents(user, DocumentKind::Contact);
        let documents = documents.map_err(|error| {
            log::error!("cannot read the roster of {user:?}: {error}");
            StanzaError::InternalServerError
        })?;
        let contacts = documents
            .into_iter()
            .filter_map(|document| Some((document.id.name.into(), Contact::read(&document.text)?)));
        let roster: Rc<Roster> = Rc::new(contacts.collect());
        self.rosters.keep(user, &roster);
        Ok(roster)
    }

    /// An entry as it will be when the disk has taken all that is on its way.
    pub(super) fn contact(
        &self,
        owner: &Rc<str>,
        key: &str,
    ) -> Result<Option<Contact>, StanzaError> {
        if let Some(becomes) = self.rosters.becoming(owner, key) {
            return Ok(becomes.clone());
        }
        if let Some(roster) = self.rosters.loaded(owner) {
            return Ok(roster.get(key).cloned());
        }
        let text = self.store.document(&contact::id(owner, key));
        let text = text.map_err(|error| {
            log::error!("cannot read a contact of {owner:?}: {error}");
            StanzaError::InternalServerError
        })?;
        Ok(text.as_deref().and_then(Contact::read))
    }

    /// Whether a user's roster has room for one more entry like this.
    pub(super) fn has_room(
        &mut self,
        user: &str,
        key: &str,
        contact: &Contact,
    ) -> Result<bool, StanzaError> {
        let roster = self.roster(user)?;
        let others = roster
            .iter()
            .filter(|(other, contact)| ***other != *key && contact.listed);
        let sizes = others.map(|(key, contact)| contact.bytes(key));
        let (count, bytes) = sizes.fold((1, contact.bytes(key)), |(count, sum), bytes| {
            (count + 1, sum + bytes)
        });
        Ok(count <= limits::ROSTER && bytes <= limits::ROSTER_BYTES)
    }
}
