//! Topics: who gets what is published under a name, as users say from their phones and administrators from
//! the API.
//!
//! Subscriptions are a part of the account, those of single devices too.

use super::accounts;
use super::commits::{Then, Waiter};
use super::domain::Domain;
use super::event::{AskId, Refusal, TopicOf};
use super::notification::Target;
use super::registration::refusal;
use super::store::{Account, Change, DeviceId, Subscription};
use crate::limits;
use crate::time::Now;
use crate::xmpp::error::StanzaError;
use crate::xmpp::host::{Scope, TopicChange};

impl Domain {
    /// What a device has subscribed to, and its user.
    pub(super) fn topics(&self, user: &str, device: DeviceId) -> Vec<(String, Scope)> {
        let subscriptions = self.subscriptions(user).iter();
        subscriptions
            .filter_map(|one| {
                let scope = match one.device {
                    None => Scope::User,
                    Some(own) if own == device => Scope::Device,
                    Some(_) => return None,
                };
                Some((one.topic.to_string(), scope))
            })
            .collect()
    }

    /// Subscribes and unsubscribes, all or nothing; `device` is the one that is meant by
    /// [`Scope::Device`].
    pub(super) fn change_topics(
        &mut self,
        user: &str,
        device: Option<DeviceId>,
        topics: &[TopicChange],
        waiter: Waiter,
        now: Now,
    ) -> Result<(), StanzaError> {
        if self.commits.is_full() || self.commits.touches(user) {
            return Err(StanzaError::ResourceConstraint);
        }
        // A device that has never announced itself may be forgotten when its connection is gone, or become
        // another resource's.
        let seen = device
            .and_then(|id| self.devices.get(id))
            .is_some_and(|known| known.seen);
        let mut account = self.account(user)?.ok_or(StanzaError::ItemNotFound)?;
        account.subscriptions = self.subscriptions(user).iter().map(record).collect();
        for change in topics {
            let device = match change.scope {
                Scope::User => None,
                Scope::Device if seen => device,
                Scope::Device => return Err(StanzaError::NotAllowed),
            };
            apply(change, device, &mut account)?;
        }
        if account.subscriptions.len() > limits::SUBSCRIPTIONS {
            return Err(StanzaError::NotAcceptable);
        }
        account.updated = now.wall.seconds();
        let changes = vec![Change::PutAccount(account.clone())];
        self.submit(changes, Then::Changed { account }, waiter);
        Ok(())
    }

    /// Subscribes or unsubscribes a user or a device for the administrator.
    pub(super) fn subscribe(
        &mut self,
        topic: TopicOf,
        wanted: bool,
        ask: AskId,
        now: Now,
    ) -> Result<(), Refusal> {
        let user = self.known(&topic.user)?;
        let device = match topic.resource {
            None => None,
            Some(resource) => {
                let found = self.device_named(&user, &resource);
                let user = user.to_string();
                Some(found.ok_or(Refusal::Unknown(Target::Device { user, resource }))?)
            }
        };
        let change = TopicChange {
            topic: topic.topic,
            scope: device.map_or(Scope::User, |_| Scope::Device),
            wanted,
        };
        self.change_topics(&user, device, &[change], Waiter::Ask(ask), now)
            .map_err(refusal)
    }

    /// Takes away subscriptions of devices that are gone, before their numbers are given again.
    pub(super) fn prune_subscriptions(&mut self) {
        let gone = |one: &accounts::Subscription| {
            one.device
                .is_some_and(|device| self.devices.get(device).is_none())
        };
        let stale: Vec<_> = self
            .accounts
            .iter()
            .filter(|(_, account)| account.subscriptions.iter().any(gone))
            .map(|(name, _)| name.clone())
            .collect();
        for name in stale {
            let Ok(Some(mut account)) = self.store.account(&name) else {
                continue;
            };
            account.subscriptions.retain(|one| {
                one.device
                    .is_none_or(|device| self.devices.get(device).is_some())
            });
            self.accounts.put(&account);
            self.receipts.push(Change::PutAccount(account));
        }
    }

    pub(super) fn subscriptions(&self, user: &str) -> &[accounts::Subscription] {
        let account = self.accounts.get(user);
        account.map_or(&[], |(_, account)| &account.subscriptions)
    }
}

/// A subscription as it is stored.
pub(super) fn record(one: &accounts::Subscription) -> Subscription {
    Subscription {
        topic: one.topic.to_string(),
        device: one.device,
    }
}

fn apply(
    change: &TopicChange,
    device: Option<DeviceId>,
    account: &mut Account,
) -> Result<(), StanzaError> {
    let topic = change.topic.trim();
    if topic.is_empty() || topic.len() > limits::LABEL || topic.contains(char::is_control) {
        return Err(StanzaError::NotAcceptable);
    }
    let all = &mut account.subscriptions;
    let is_it = |one: &Subscription| one.topic == topic && one.device == device;
    if !change.wanted {
        all.retain(|one| !is_it(one));
    } else if !all.iter().any(is_it) {
        all.push(Subscription {
            topic: topic.to_owned(),
            device,
        });
    }
    Ok(())
}
