//! The office phone book: users with a tag that an administrator shares are in everybody's roster.
//!
//! Nothing of it is stored: it is read off the accounts' tags. Between two users of whom one is in it there
//! is a subscription both ways that nobody has asked for.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use super::domain::Domain;

/// What everybody is shown of a user in the phone book.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listing {
    /// Full name, or local part.
    pub name: String,
    /// Shared tags the user carries, in the order of the configuration.
    pub groups: Vec<String>,
}

impl Domain {
    /// Whether a tag makes those who carry it a part of the phone book.
    pub(super) fn is_shared(&self, tag: &str) -> bool {
        let shared = &self.config.roster.shared;
        shared.iter().any(|shared| **shared == *tag)
    }

    /// Whether a user is in the phone book.
    pub(super) fn is_listed(&self, user: &str) -> bool {
        if self.config.roster.shared.is_empty() {
            return false;
        }
        let account = self.accounts.get(user);
        account.is_some_and(|(_, account)| account.tags.iter().any(|tag| self.is_shared(tag)))
    }

    /// What the phone book has of a user.
    pub(super) fn listing(&self, user: &str) -> Option<Listing> {
        if !self.is_listed(user) {
            return None;
        }
        let (name, account) = self.accounts.get(user)?;
        let has = |tag: &&String| account.tags.iter().any(|own| **own == ***tag);
        let groups = self.config.roster.shared.iter().filter(has);
        Some(Listing {
            name: match &*account.full_name {
                "" => name.to_string(),
                full_name => full_name.to_owned(),
            },
            groups: groups.cloned().collect(),
        })
    }

    /// Everybody in the phone book, by local part.
    pub(super) fn phone_book(&self) -> impl Iterator<Item = (&Rc<str>, Listing)> {
        // Nobody has to look through all accounts for an empty book.
        let none = self.config.roster.shared.is_empty();
        let accounts = self.accounts.iter().take_while(move |_| !none);
        accounts.filter_map(|(name, _)| Some((name, self.listing(name)?)))
    }

    /// A number that differs when the phone book differs.
    pub(super) fn phone_book_version(&mut self) -> u64 {
        if let Some(version) = self.phone_book_version {
            return version;
        }
        let mut hasher = DefaultHasher::new();
        for entry in self.phone_book() {
            entry.hash(&mut hasher);
        }
        let version = hasher.finish();
        self.phone_book_version = Some(version);
        version
    }

    /// An account has been added, changed or removed; `before` is what [`listing`](Self::listing) was.
    pub(super) fn relisted(&mut self, user: &str, before: Option<&Listing>) {
        let after = self.listing(user);
        if before == after.as_ref() {
            return;
        }
        self.phone_book_version = None;
        self.spread_listing(user, before.is_some());
        if before.is_none() {
            self.show_again(user);
        }
    }
}
