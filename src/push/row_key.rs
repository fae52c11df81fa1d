//! Keys of the stored form: a kind byte and the identity in big-endian order, so that rows lie in the order
//! they are read in.

use sha1::{Digest, Sha1};

use super::entries;
use super::fields::Unstorable;
use super::notification::NotificationId;
use super::row::{ACCOUNT, DELIVERIES, DEVICE, DOCUMENT};
use super::store::{Delivery, DeviceId, DocumentId};
use crate::limits;

/// Bytes of the longest account name that is its own key. androidpn's clients register 32 hex digits.
const NAME_IN_KEY: usize = 32;
/// Bytes of the longest name of a document that is its own key: most bare JIDs.
const DOCUMENT_NAME_IN_KEY: usize = 64;
/// Stands for a digested name: no UTF-8 text begins so.
const DIGEST: u8 = 0xff;

pub(super) fn account_prefix(name: &str) -> Result<Vec<u8>, Unstorable> {
    if name.is_empty() || name.len() > limits::JID_PART || name.contains('\0') {
        return Err(Unstorable("account name"));
    }
    let mut prefix = vec![ACCOUNT];
    put_name(name, NAME_IN_KEY, &mut prefix);
    Ok(prefix)
}

/// What the keys of all documents of an account begin with, or of the server's own.
pub(super) fn owner_prefix(owner: &str) -> Result<Vec<u8>, Unstorable> {
    if owner.len() > limits::JID_PART || owner.contains('\0') {
        return Err(Unstorable("account name"));
    }
    let mut prefix = vec![DOCUMENT];
    put_name(owner, NAME_IN_KEY, &mut prefix);
    Ok(prefix)
}

pub(super) fn document_prefix(id: &DocumentId) -> Result<Vec<u8>, Unstorable> {
    if id.name.len() > limits::DOCUMENT_NAME || id.name.contains('\0') {
        return Err(Unstorable("document name"));
    }
    let mut prefix = owner_prefix(&id.owner)?;
    prefix.push(id.kind as u8);
    put_name(&id.name, DOCUMENT_NAME_IN_KEY, &mut prefix);
    Ok(prefix)
}

fn put_name(name: &str, most: usize, key: &mut Vec<u8>) {
    if name.len() > most {
        key.push(DIGEST);
        key.extend(Sha1::digest(name));
    } else {
        key.extend(name.as_bytes());
        // It ends the name, so that no name's rows begin like another's.
        key.push(0);
    }
}

pub(super) fn device_key(id: DeviceId) -> Vec<u8> {
    let mut key = vec![DEVICE];
    key.extend(id.0.to_be_bytes());
    key
}

pub(super) fn notification_key(kind: u8, id: NotificationId) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend(id.0.to_be_bytes());
    key
}

pub(super) fn deliveries_key(delivery: &Delivery) -> Vec<u8> {
    let mut key = notification_key(DELIVERIES, delivery.notification);
    key.extend(entries::block_of(delivery.device).to_be_bytes());
    key
}
