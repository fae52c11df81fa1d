//! XEP-0054 and XEP-0049: vCards and private storage, which the gateway keeps for its users on the disk.

use super::commits::{Then, Waiter};
use super::domain::Domain;
use super::store::{Change, Document, DocumentId, DocumentKind};
use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::keeper::PrivateItem;

/// What one write adds to a user's private storage at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    /// Elements.
    pub items: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Domain {
    /// A user's vCard, as text.
    pub(super) fn vcard(&self, user: &str) -> Result<Option<String>, StanzaError> {
        self.text(&id(user, DocumentKind::Vcard, ""))
    }

    /// Replaces a user's vCard, or removes it.
    pub(super) fn change_vcard(
        &mut self,
        user: &str,
        card: Option<String>,
        waiter: Waiter,
    ) -> Result<(), StanzaError> {
        self.may_write(user)?;
        let changes = vec![change(id(user, DocumentKind::Vcard, ""), card)];
        let user = user.to_owned();
        let room = Room::default();
        self.submit(changes, Then::Documents { user, room }, waiter);
        Ok(())
    }

    /// An element of a user's private storage, as text.
    pub(super) fn private(&self, user: &str, key: &str) -> Result<Option<String>, StanzaError> {
        self.text(&id(user, DocumentKind::Private, key))
    }

    /// Replaces elements of a user's private storage.
    pub(super) fn change_private(
        &mut self,
        user: &str,
        items: Vec<PrivateItem>,
        waiter: Waiter,
    ) -> Result<(), StanzaError> {
        self.may_write(user)?;
        let kept = self.store.documents(user, DocumentKind::Private);
        let kept = kept.map_err(|error| unreadable(user, &error))?;
        let is_replaced = |name: &str| items.iter().any(|item| item.key == name);
        let stays = kept.iter().filter(|one| !is_replaced(&one.id.name));
        let stays = stays.map(|one| one.id.name.len() + one.text.len());
        let added = items.iter().filter_map(|item| {
            let text = item.text.as_ref()?;
            Some(item.key.len() + text.len())
        });
        let room = sum(added);
        let (stays, writing) = (sum(stays), self.commits.writing(user));
        if stays.items + writing.items + room.items > limits::PRIVATE_ITEMS
            || stays.bytes + writing.bytes + room.bytes > limits::PRIVATE_BYTES
        {
            return Err(StanzaError::NotAcceptable);
        }
        let changes = items
            .into_iter()
            .map(|item| change(id(user, DocumentKind::Private, &item.key), item.text));
        let user = user.to_owned();
        self.submit(changes.collect(), Then::Documents { user, room }, waiter);
        Ok(())
    }

    fn text(&self, id: &DocumentId) -> Result<Option<String>, StanzaError> {
        let text = self.store.document(id);
        text.map_err(|error| unreadable(&id.owner, &error))
    }

    /// Whether anything more may be written for a user: nothing comes to the disk behind the end of its account.
    pub(super) fn may_write(&self, user: &str) -> Result<(), StanzaError> {
        match self.commits.is_full() || self.commits.removing(user) {
            true => Err(StanzaError::ResourceConstraint),
            false => Ok(()),
        }
    }
}

/// What a user keeps cannot be read.
pub(super) fn unreadable(user: &str, error: &super::store::StoreError) -> StanzaError {
    log::error!("cannot read what {user:?} keeps here: {error}");
    StanzaError::InternalServerError
}

fn sum(sizes: impl Iterator<Item = usize>) -> Room {
    sizes.fold(Room::default(), |room, bytes| Room {
        items: room.items + 1,
        bytes: room.bytes + bytes,
    })
}

fn id(owner: &str, kind: DocumentKind, name: &str) -> DocumentId {
    DocumentId {
        owner: owner.to_owned(),
        kind,
        name: name.to_owned(),
    }
}

fn change(id: DocumentId, text: Option<String>) -> Change {
    match text {
        Some(text) => Change::PutDocument(Document { id, text }),
        None => Change::DeleteDocument(id),
    }
}
