//! XEP-0191: whom each user wants nothing to do with. Users of this server are named without its domain, so that
//! it may change; a list that has been read is kept for as long as there is room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::commits::{Then, Waiter};
use super::domain::Domain;
use super::personal_documents::unreadable;
use super::spread::Sender;
use super::store::{self, DeviceId, Document, DocumentId, DocumentKind};
use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::feature::blocking::{Change, write_push};
use crate::xmpp::jid::Jid;
use crate::xmpp::session::Bound;

/// One user's list, by what [`key`] makes of each JID.
type List = BTreeSet<Box<str>>;

/// The lists in memory, each as it is on the disk.
#[derive(Debug, Default)]
pub struct Blocklists {
    by_user: BTreeMap<Rc<str>, List>,
    oldest_first: VecDeque<Rc<str>>,
    /// Entries of all lists, and one for each list.
    size: usize,
}

/// A change of a user's list on its way to the disk.
#[derive(Debug)]
pub struct Edit {
    /// Whose.
    pub user: Rc<str>,
    /// These are blocked from then on, or not any longer.
    pub keys: Vec<String>,
    /// Which of the two.
    pub blocks: bool,
    /// Whether all of the list goes, which its owner's apps are told in one word.
    pub all: bool,
}

impl Blocklists {
    fn keep(&mut self, user: &Rc<str>, list: List) -> bool {
        let size = list.len() + 1;
        while self.size + size > limits::BLOCKED_KEPT
            && let Some(oldest) = self.oldest_first.front().cloned()
        {
            self.forget(&oldest);
        }
        self.size += size;
        self.oldest_first.push_back(Rc::clone(user));
        self.by_user.insert(Rc::clone(user), list).is_none()
    }

    /// A list is needed no longer.
    pub fn forget(&mut self, user: &str) {
        if let Some(list) = self.by_user.remove(user) {
            self.size = self.size.saturating_sub(list.len() + 1);
            self.oldest_first.retain(|other| **other != *user);
        }
    }

    fn change(&mut self, edit: &Edit) {
        let Some(list) = self.by_user.get_mut(&edit.user) else {
            return;
        };
        let before = list.len();
        for key in &edit.keys {
            match edit.blocks {
                true => list.insert(key.as_str().into()),
                false => list.remove(key.as_str()),
            };
        }
        self.size = (self.size + list.len()).saturating_sub(before);
    }
}

impl Domain {
    /// Whether a user has blocked another user of this server, or that one session of theirs.
    pub(super) fn blocks(
        &mut self,
        user: &str,
        other: &str,
        resource: Option<&str>,
    ) -> Result<bool, StanzaError> {
        let Some(list) = self.blocklist(user)? else {
            return Ok(false);
        };
        if list.is_empty() {
            return Ok(false);
        }
        let whole = format!("{other}@");
        let session = resource.map(|resource| format!("{other}@/{resource}"));
        Ok(list.contains(whole.as_str())
            || session.is_some_and(|session| list.contains(session.as_str())))
    }

    /// Whether two users have to do with each other: `not-acceptable` if the one who addresses the other has
    /// blocked them, `service-unavailable` if it is the other way round.
    pub(super) fn may_address(
        &mut self,
        (user, resource): (&str, Option<&str>),
        (other, other_resource): (&str, Option<&str>),
    ) -> Result<(), StanzaError> {
        if *user == *other {
            return Ok(());
        }
        if self.blocks(user, other, other_resource)? {
            return Err(StanzaError::Blocked);
        }
        match self.blocks(other, user, resource)? {
            true => Err(StanzaError::ServiceUnavailable),
            false => Ok(()),
        }
    }

    /// Whom the user of a session has blocked, in the name its client uses. It is told of changes from now on.
    pub(super) fn blocked(&mut self, device: DeviceId) -> Result<Vec<String>, StanzaError> {
        let (user, domain) = self.user_and_name(device)?;
        let list = self.blocklist(&user)?;
        let jids = list.map(|list| list.iter().map(|key| address(key, &domain)).collect());
        if let Some(chat) = self.chat_session(device) {
            chat.blocklist = true;
        }
        Ok(jids.unwrap_or_default())
    }

    /// Changes whom the user of a session has blocked.
    pub(super) fn block(
        &mut self,
        device: DeviceId,
        change: Change,
        waiter: Waiter,
    ) -> Result<(), StanzaError> {
        let (user, domain) = self.user_and_name(device)?;
        self.may_write(&user)?;
        // One after the other: each starts from what is on the disk.
        if self.commits.blocking(&user) {
            return Err(StanzaError::ResourceConstraint);
        }
        let keys = |jids: &[Jid]| -> Vec<String> {
            let keys = jids.iter().map(|jid| {
                let ours = jid.domain == *domain || self.is_own_domain(&jid.domain);
                key(jid, ours)
            });
            keys.collect()
        };
        let (blocks, keys, all) = match &change {
            Change::Block(jids) => (true, keys(jids), false),
            Change::Unblock(jids) => (false, keys(jids), jids.is_empty()),
        };
        let Some(list) = self.blocklist(&user)? else {
            return Err(StanzaError::NotAuthorized);
        };
        let mut keys: Vec<String> = match all {
            true => list.iter().map(ToString::to_string).collect(),
            false => keys,
        };
        // What is so already need not be written; the answer and the pushes are the same.
        keys.dedup();
        let new = keys.iter().filter(|key| !list.contains(key.as_str()));
        if blocks && list.len() + new.count() > limits::BLOCKED {
            return Err(StanzaError::NotAcceptable);
        }
        let changes = keys
            .iter()
            .filter(|key| list.contains(key.as_str()) != blocks);
        let changes = changes.map(|key| stored(&user, key, blocks)).collect();
        let edit = Edit {
            user,
            keys,
            blocks,
            all,
        };
        self.submit(changes, Then::Blocked(edit), waiter);
        Ok(())
    }

    /// Whether a session's presence may be shown to another. If nobody can tell, it is not.
    pub(super) fn is_unhindered(&mut self, sender: &Sender, to: &Bound) -> bool {
        let from = (&*sender.user, Some(&*sender.resource));
        self.may_address(from, (&to.user, Some(&to.resource)))
            .is_ok()
    }

    /// The disk has a change. Neither sees the other any longer, or both do again as far as they may (§3.3, §3.4);
    /// the user's apps that have asked for the list are told.
    pub(super) fn has_blocked(&mut self, edit: &Edit) {
        let others: Vec<Rc<str>> = edit.keys.iter().filter_map(|key| self.meant(key)).collect();
        if edit.blocks {
            for other in &others {
                self.hide_both(&edit.user, other);
            }
        }
        self.blocklists.change(edit);
        // Behind a block of one session these are the user's other ones.
        for other in &others {
            self.show_both(&edit.user, other);
        }
        self.push_blocked(edit);
    }

    /// The user of this server a key is about.
    fn meant(&self, key: &str) -> Option<Rc<str>> {
        let (user, rest) = key.split_once('@')?;
        let (name, _) = self.accounts.get(user)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| Rc::clone(name))
    }

    fn hide_both(&mut self, user: &Rc<str>, other: &Rc<str>) {
        for (who, from) in [(user, other), (other, user)] {
            if self.may_see(from, who) || self.has_told(who, from) {
                self.hide_from(who, from);
            }
        }
    }

    /// Whether a session of a user has sent another user presence directly.
    fn has_told(&self, user: &str, other: &str) -> bool {
        let mut devices = self.accounts.devices(user).iter();
        devices.any(|id| {
            let chat = self.chat(*id);
            chat.is_some_and(|chat| chat.circle.has_told_any(other))
        })
    }

    fn show_both(&mut self, user: &Rc<str>, other: &Rc<str>) {
        if self.may_see(other, user) {
            self.show_one(user, other);
        }
        if self.may_see(user, other) {
            self.show_one(other, user);
        }
    }

    fn push_blocked(&mut self, edit: &Edit) {
        let kind = if edit.blocks { "block" } else { "unblock" };
        let devices: Vec<DeviceId> = self.accounts.devices(&edit.user).to_vec();
        for device in devices {
            let wants = self.chat_session(device).is_some_and(|chat| chat.blocklist);
            let Some(bound) = self.bound(device).filter(|_| wants) else {
                continue;
            };
            let jids = edit.keys.iter().map(|key| address(key, &bound.domain));
            let jids: Vec<String> = match edit.all {
                true => Vec::new(),
                false => jids.collect(),
            };
            let mut out = Vec::new();
            write_push(kind, &jids, &bound, &mut out);
            self.deliver(device, out.into());
        }
    }

    /// A user's list; `None` if there is no such user.
    fn blocklist(&mut self, user: &str) -> Result<Option<&List>, StanzaError> {
        if !self.blocklists.by_user.contains_key(user) {
            let Some((user, _)) = self.accounts.get(user) else {
                return Ok(None);
            };
            let user = Rc::clone(user);
            let documents = self.store.documents(&user, DocumentKind::Blocked);
            let documents = documents.map_err(|error| unreadable(&user, &error))?;
            let list = documents.into_iter().map(|one| one.id.name.into());
            self.blocklists.keep(&user, list.collect());
        }
        Ok(self.blocklists.by_user.get(user))
    }

    /// Whose session it is, and the name its client uses for this server.
    fn user_and_name(&self, device: DeviceId) -> Result<(Rc<str>, Rc<str>), StanzaError> {
        let known = self.devices.get(device);
        let user = known.map(|device| Rc::clone(&device.account));
        let user = user.ok_or(StanzaError::NotAuthorized)?;
        let name = self.chat_domain(device);
        Ok((
            user,
            name.unwrap_or_else(|| self.domain_name(&self.config.server.domain)),
        ))
    }
}

fn stored(user: &str, key: &str, blocks: bool) -> store::Change {
    let id = DocumentId {
        owner: user.to_owned(),
        kind: DocumentKind::Blocked,
        name: key.to_owned(),
    };
    match blocks {
        true => store::Change::PutDocument(Document {
            id,
            text: String::new(),
        }),
        false => store::Change::DeleteDocument(id),
    }
}

/// A JID as it is stored: one of ours with an empty domain, so that it is still meant when the domain changes.
fn key(jid: &Jid, ours: bool) -> String {
    let mut jid = jid.clone();
    if ours {
        jid.domain.clear();
    }
    jid.to_string()
}

/// The JID of a key, in that name of this server.
fn address(key: &str, domain: &str) -> String {
    match key.split_once('@') {
        Some((user, "")) => format!("{user}@{domain}"),
        Some((user, rest)) if rest.starts_with('/') => format!("{user}@{domain}{rest}"),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jids_outlive_a_change_of_the_domain() {
        for (jid, ours, want) in [
            ("kim@old.lan", true, "kim@new.lan"),
            ("kim@old.lan/a/b@c", true, "kim@new.lan/a/b@c"),
            ("kim@elsewhere.org", false, "kim@elsewhere.org"),
            ("kim@elsewhere.org/x", false, "kim@elsewhere.org/x"),
            ("elsewhere.org", false, "elsewhere.org"),
        ] {
            let key = key(&jid.parse().unwrap(), ours);
            assert_eq!(address(&key, "new.lan"), want, "{key}");
        }
    }

    #[test]
    fn lists_in_memory_are_bounded() {
        let mut lists = Blocklists::default();
        let list = |len: usize| -> List { (0..len).map(|n| n.to_string().into()).collect() };
        let users = limits::BLOCKED_KEPT / (limits::BLOCKED + 1) + 2;
        for user in 0..users {
            lists.keep(&user.to_string().into(), list(limits::BLOCKED));
        }
        assert!(lists.size <= limits::BLOCKED_KEPT);
        assert!(!lists.by_user.contains_key("0"));
        let kept = lists.by_user.values().map(|list| list.len() + 1);
        assert_eq!(kept.sum::<usize>(), lists.size);
        let last = (users - 1).to_string();
        lists.change(&Edit {
            user: last.as_str().into(),
            keys: vec!["0".into(), "none".into()],
            blocks: false,
            all: false,
        });
        for user in 0..users {
            lists.forget(&user.to_string());
        }
        assert_eq!((lists.size, lists.oldest_first.len()), (0, 0));
    }
}
