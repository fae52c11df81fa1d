//! XEP-0445: tokens by which an administrator lets somebody register, each for so many accounts and so long.
//!
//! Only a digest of a token is kept. What an account costs its token is written in one batch with the account,
//! so that neither exists without the other.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::rc::Rc;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::commits::{Then, Waiter};
use super::domain::Domain;
use super::event::{AskId, ConnId, Refusal};
use super::store::{Change, Document, DocumentId, DocumentKind, StoreError};
use super::views::TokenView;
use crate::config::Registration;
use crate::limits;
use crate::time::{Now, Wall};
use crate::xmpp::error::StanzaError;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// A token in words. Never shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// What an administrator wants of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDraft {
    /// Accounts it is good for, 1 to [`limits::INVITATION_USES`].
    pub uses: u32,
    /// Days it is good for, 1 to [`limits::INVITATION_DAYS`].
    pub days: u32,
    /// What it is for, in one line of at most [`limits::INVITATION_NOTE`] bytes; may be empty.
    pub note: String,
}

impl Default for TokenDraft {
    fn default() -> Self {
        Self {
            uses: 1,
            days: 7,
            note: String::new(),
        }
    }
}

/// A token that exists from now on: the only time that it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// The token itself.
    pub token: Token,
    /// What it is listed as.
    pub view: TokenView,
}

/// What is kept of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Invitation {
    /// Accounts it is still good for.
    left: u32,
    /// Second since 1970 at which it was made.
    created: u64,
    /// Second since 1970 from which on it is worth nothing; 0 if the clock could not be trusted when it was
    /// made, and it lasts until it is used up.
    expires: u64,
    /// The administrator's words.
    note: String,
}

impl Invitation {
    fn is_expired(&self, wall: Wall) -> bool {
        wall.trusted && self.expires != 0 && self.expires <= wall.seconds()
    }

    fn is_open(&self, wall: Wall) -> bool {
        self.left > 0 && !self.is_expired(wall)
    }

    fn view(&self, digest: &str, wall: Wall) -> TokenView {
        TokenView {
            id: id_of(digest).to_owned(),
            uses: self.left,
            created: self.created,
            expires: (self.expires != 0).then_some(self.expires),
            expired: self.is_expired(wall),
            note: self.note.clone(),
        }
    }
}

/// All tokens, and the streams that have shown one.
#[derive(Debug, Default)]
pub(super) struct Invitations {
    /// By digest.
    tokens: LiteMap<Rc<str>, Invitation>,
    shown: LiteMap<ConnId, Rc<str>>,
}

impl Invitations {
    /// What the store has kept; what is damaged lets nobody in.
    pub(super) fn load(documents: Vec<Document>) -> Self {
        let tokens = documents.into_iter().filter_map(|document| {
            // The parser's own words quote what stands there.
            let read = serde_json::from_slice(document.text.as_bytes())
                .inspect_err(|_| log::error!("a token in the store cannot be read"));
            Some((Rc::from(document.id.name), read.ok()?))
        });
        Self {
            tokens: tokens.collect(),
            shown: LiteMap::new(),
        }
    }

    /// The connection is gone, or its stream begins anew: what was shown before TLS may have been slipped in.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.shown.remove(&conn);
    }

    /// Whether a stream has shown a token that was good then.
    pub(super) fn has_shown(&self, conn: ConnId) -> bool {
        self.shown.contains_key(&conn)
    }

    /// The token a stream has shown, if it is still good for an account.
    pub(super) fn of(&self, conn: ConnId, wall: Wall) -> Option<Rc<str>> {
        let digest = self.shown.get(&conn)?;
        let token = self.tokens.get(digest)?;
        token.is_open(wall).then(|| Rc::clone(digest))
    }

    fn are_open(&self, wall: Wall) -> bool {
        self.tokens.values().any(|token| token.is_open(wall))
    }

    /// One account less, and what has to be written of it.
    pub(super) fn use_once(&mut self, digest: &Rc<str>) -> Option<Change> {
        let token = self.tokens.get_mut(digest)?;
        token.left = token.left.saturating_sub(1);
        Some(match token.left {
            0 => Change::DeleteDocument(id(digest)),
            _ => Change::PutDocument(document(digest, token)),
        })
    }

    /// The account did not come to the disk. Should a later one of the same token have come there meanwhile, a
    /// restart counts this one too: a token never gains.
    pub(super) fn give_back(&mut self, digest: &str) {
        if let Some(token) = self.tokens.get_mut(digest) {
            token.left = token.left.saturating_add(1);
        }
    }

    fn named(&self, id: &str) -> Option<Rc<str>> {
        let mut tokens = self.tokens.keys();
        tokens.find(|digest| id_of(digest) == id).map(Rc::clone)
    }
}

impl Domain {
    /// Whether a stream is told that it can register with a token: where tokens are the only way, and where
    /// there is one. Where registration is closed a token opens nothing.
    pub(super) fn takes_tokens(&self) -> bool {
        match self.config.xmpp.registration {
            Registration::Closed => false,
            Registration::Token => true,
            Registration::Open | Registration::Lan => self.invitations.are_open(self.clock.wall),
        }
    }

    /// A stream shows a token: it may register then. Whoever shows a wrong one has guessed.
    pub(super) fn show_token(
        &mut self,
        token: &str,
        conn: ConnId,
        peer: IpAddr,
        now: Now,
    ) -> Result<(), StanzaError> {
        if self.config.xmpp.registration == Registration::Closed {
            return Err(StanzaError::NotAllowed);
        }
        let digest = digest(token);
        let tokens = &self.invitations.tokens;
        let known = tokens.find_index(&*digest).ok();
        let known = known.and_then(|index| tokens.get_indexed(index));
        let Some((digest, _)) = known.filter(|(_, token)| token.is_open(now.wall)) else {
            self.attempts.failed(peer, "", now.mono);
            return Err(StanzaError::ItemNotFound);
        };
        let digest = Rc::clone(digest);
        self.invitations.shown.insert(conn, digest);
        Ok(())
    }

    /// Makes a token for the administrator.
    pub(super) fn add_token(
        &mut self,
        draft: TokenDraft,
        ask: AskId,
        now: Now,
    ) -> Result<(), Refusal> {
        if self.config.xmpp.registration == Registration::Closed {
            return Err(Refusal::Closed);
        }
        check(&draft)?;
        if self.commits.is_full() {
            return Err(Refusal::Busy);
        }
        let mut changes = self.drop_expired_tokens(now.wall);
        if self.invitations.tokens.len() >= limits::INVITATIONS {
            return Err(Refusal::TooManyTokens);
        }
        let token = hex(&self.random::<{ limits::INVITATION_BYTES }>());
        let digest: Rc<str> = digest(&token).into();
        if self.invitations.named(id_of(&digest)).is_some() {
            return Err(Refusal::Busy);
        }
        let created = now.wall.seconds();
        let lasts = u64::from(draft.days) * DAY;
        let invitation = Invitation {
            left: draft.uses,
            created,
            expires: if now.wall.trusted { created + lasts } else { 0 },
            note: draft.note.trim().to_owned(),
        };
        changes.push(Change::PutDocument(document(&digest, &invitation)));
        let new = NewToken {
            token: Token(token),
            view: invitation.view(&digest, now.wall),
        };
        // Nobody knows it before the disk has it.
        self.invitations
            .tokens
            .insert(Rc::clone(&digest), invitation);
        self.submit(changes, Then::Invited { digest, new }, Waiter::Ask(ask));
        Ok(())
    }

    /// Takes a token back for the administrator; it lets nobody in from now on.
    pub(super) fn remove_token(&mut self, name: &str, ask: AskId) -> Result<(), Refusal> {
        if self.commits.is_full() {
            return Err(Refusal::Busy);
        }
        let digest = self.invitations.named(name).ok_or(Refusal::NoToken)?;
        // What comes behind this must not write it again.
        let Some(invitation) = self.invitations.tokens.remove(&digest) else {
            return Err(Refusal::NoToken);
        };
        let changes = vec![Change::DeleteDocument(id(&digest))];
        self.submit(
            changes,
            Then::Uninvited { digest, invitation },
            Waiter::Ask(ask),
        );
        Ok(())
    }

    /// Every token, in no useful order.
    pub(super) fn tokens(&self) -> Vec<TokenView> {
        let tokens = self.invitations.tokens.iter();
        // One that is used up waits for the disk.
        let left = tokens.filter(|(_, token)| token.left > 0);
        left.map(|(digest, token)| token.view(digest, self.clock.wall))
            .collect()
    }

    /// An account that was registered with a token is on the disk.
    pub(super) fn token_used(&mut self, digest: &str) {
        let used_up = self
            .invitations
            .tokens
            .get(digest)
            .is_some_and(|token| token.left == 0);
        if used_up && !self.commits.uses(digest) {
            self.invitations.tokens.remove(digest);
        }
    }

    /// The disk has refused to change the tokens.
    pub(super) fn tokens_not_stored(&mut self, then: Then) {
        match then {
            Then::Invited { digest, .. } => {
                self.invitations.tokens.remove(&digest);
            }
            Then::Uninvited { digest, invitation } => {
                self.invitations.tokens.insert(digest, invitation);
            }
            _ => {}
        }
    }

    fn drop_expired_tokens(&mut self, wall: Wall) -> Vec<Change> {
        let mut changes = Vec::new();
        self.invitations.tokens.retain(|digest, token| {
            let expired = token.is_expired(wall);
            if expired {
                changes.push(Change::DeleteDocument(id(digest)));
            }
            !expired
        });
        changes
    }

    /// What the store has of tokens.
    pub(super) fn load_invitations(&mut self) -> Result<(), StoreError> {
        let documents = self.store.documents("", DocumentKind::Invitation)?;
        self.invitations = Invitations::load(documents);
        Ok(())
    }
}

fn check(draft: &TokenDraft) -> Result<(), Refusal> {
    let invalid = |field, why| Err(Refusal::Invalid { field, why });
    if !(1..=limits::INVITATION_USES).contains(&draft.uses) {
        return invalid("uses", "has to be a number from 1 to 1000");
    }
    if !(1..=limits::INVITATION_DAYS).contains(&draft.days) {
        return invalid("days", "has to be a number from 1 to 3650");
    }
    if draft.note.len() > limits::INVITATION_NOTE {
        return Err(Refusal::TooLong {
            field: "note",
            limit: limits::INVITATION_NOTE,
        });
    }
    if draft.note.contains(char::is_control) {
        return invalid("note", "has to be one line");
    }
    Ok(())
}

/// What a token is kept under.
fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// What an administrator names it by: nobody can register with that.
fn id_of(digest: &str) -> &str {
    digest.get(..8).unwrap_or(digest)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn id(digest: &str) -> DocumentId {
    DocumentId {
        owner: String::new(),
        kind: DocumentKind::Invitation,
        name: digest.to_owned(),
    }
}

fn document(digest: &str, invitation: &Invitation) -> Document {
    Document {
        id: id(digest),
        text: serde_json::to_string(invitation).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_may_be_good_for() {
        let note = |bytes| "n".repeat(bytes);
        for (uses, days, note, want) in [
            (1, 1, note(0), None),
            (
                limits::INVITATION_USES,
                limits::INVITATION_DAYS,
                note(limits::INVITATION_NOTE),
                None,
            ),
            (
                0,
                1,
                note(0),
                Some("uses has to be a number from 1 to 1000"),
            ),
            (
                1001,
                1,
                note(0),
                Some("uses has to be a number from 1 to 1000"),
            ),
            (
                1,
                0,
                note(0),
                Some("days has to be a number from 1 to 3650"),
            ),
            (
                1,
                3651,
                note(0),
                Some("days has to be a number from 1 to 3650"),
            ),
            (1, 1, note(101), Some("note is longer than 100 bytes")),
            (1, 1, "a\nb".into(), Some("note has to be one line")),
        ] {
            let refusal = check(&TokenDraft { uses, days, note }).err();
            let refusal = refusal.map(|refusal| refusal.to_string());
            assert_eq!(refusal.as_deref(), want, "{uses} {days}");
        }
    }

    #[test]
    fn a_token_is_not_shown_by_accident() {
        let text = format!("{:?}", Token("5ec4e7".into()));
        assert!(!text.contains("5ec4e7"), "{text}");
    }

    #[test]
    fn what_is_stored_holds_no_token() {
        let invitation = Invitation {
            left: 2,
            created: 1,
            expires: 3,
            note: "n".into(),
        };
        let digest = digest("5ec4e7");
        let stored = document(&digest, &invitation);
        assert!(!format!("{stored:?}").contains("5ec4e7"));
        let damaged = Document {
            id: id("00"),
            text: "{".into(),
        };
        let read = Invitations::load(vec![stored, damaged]);
        assert_eq!(read.tokens.len(), 1);
        assert_eq!(read.tokens.get(&*digest), Some(&invitation));
    }
}
