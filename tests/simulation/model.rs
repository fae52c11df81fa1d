//! What has to be true of the gateway, kept apart from it: who exists, what was accepted, who has what.

use std::collections::{BTreeMap, BTreeSet};

use lanpush::push::head::{Head, Series};
use lanpush::push::notification::{DeliveryState, Notification, NotificationId, Target};
use lanpush::push::store::{DeviceId, Row};
use lanpush::push::views::NotificationView;
use lanpush::push::{AskId, Draft, Request, Withdrawal};
use lanpush::time::Wall;

use super::disk::Disk;

/// A device: user, how often that user had been removed before, resource.
pub(crate) type DeviceKey = (String, u32, String);

#[derive(Debug, Default)]
pub(crate) struct User {
    /// As far as anybody was told.
    pub(crate) exists: bool,
    pub(crate) password: String,
    /// Passwords that somebody has asked for.
    pub(crate) tried: BTreeSet<String>,
    /// Password changes so far, and requests on their way that may change the account.
    pub(crate) version: u64,
    pub(crate) changing: u32,
    pub(crate) removing: u32,
    /// How often the user was removed.
    pub(crate) epoch: u32,
}

impl User {
    /// Whether a refusal says nothing about the server.
    pub(crate) fn is_unsure(&self) -> bool {
        self.changing > 0 || self.removing > 0 || !self.exists
    }
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Accepted(NotificationId),
    Refused,
    /// The power was cut before there was an answer.
    Unsure,
}

#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) draft: Draft,
    series: Option<Series>,
    pub(crate) fate: Fate,
    /// Users who may get it, where they are found by what they carry or have subscribed to; and those who
    /// have to.
    pub(crate) may: BTreeSet<String>,
    pub(crate) must: BTreeSet<String>,
}

impl Push {
    /// A push whose sender waits for an answer.
    pub(crate) fn pending(draft: Draft, may: BTreeSet<String>, must: BTreeSet<String>) -> Self {
        let extras = &draft.extras;
        Self {
            series: Series::of(&extras.sender, &draft.target, &extras.sequence),
            draft,
            fate: Fate::Pending,
            may,
            must,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) users: BTreeMap<String, User>,
    /// By message: each is unlike all others.
    pub(crate) pushes: BTreeMap<String, Push>,
    /// Which message an id was first seen with.
    pub(crate) ids: BTreeMap<NotificationId, String>,
    pub(crate) asks: BTreeMap<AskId, Request>,
    /// Accepted and not forgotten.
    pub(crate) kept: BTreeSet<NotificationId>,
    /// Forgotten because the history was full; back after a restart if the disk was not told in time.
    pub(crate) forgotten: BTreeSet<NotificationId>,
    /// What the server has been told by a device, and what may be on its way.
    pub(crate) acknowledged: BTreeMap<DeviceKey, BTreeSet<NotificationId>>,
    pub(crate) perhaps: BTreeMap<DeviceKey, BTreeSet<NotificationId>>,
    /// What each device was ever sent.
    sent: BTreeMap<DeviceKey, BTreeSet<NotificationId>>,
    /// What was taken back or replaced, as its sender was told: nobody is sent it from then on.
    ended: BTreeSet<NotificationId>,
    /// What a withdrawal on its way means.
    pub(crate) withdrawing: BTreeMap<AskId, Vec<NotificationId>>,
    /// The same of those of which nobody was told what became of them.
    perhaps_ended: BTreeSet<NotificationId>,
    /// Pushes of the server's own, which take another one back.
    notices: BTreeMap<NotificationId, NotificationId>,
    /// The last state that was seen of a delivery.
    seen: BTreeMap<(DeviceKey, NotificationId), DeliveryState>,
    /// Users whose removal was lost with the power: who of them has what is not known.
    undone: BTreeSet<String>,
}

impl Model {
    pub(crate) fn user(&mut self, name: &str) -> &mut User {
        let user = self.users.entry(name.to_owned()).or_default();
        if user.password.is_empty() {
            user.password = format!("secret of {name}");
            user.tried.insert(user.password.clone());
        }
        user
    }

    pub(crate) fn key(&mut self, user: &str, resource: &str) -> DeviceKey {
        (user.to_owned(), self.user(user).epoch, resource.to_owned())
    }

    /// An id and a body belong together for ever, and refused pushes have no id.
    pub(crate) fn identify(&mut self, id: NotificationId, title: &str, message: &str, uri: &str) {
        let push = self.pushes.get(message);
        let push = push.unwrap_or_else(|| panic!("{id} has the body {message:?} of nobody"));
        let draft = &push.draft;
        assert_eq!(
            (title, message, uri),
            (&*draft.title, &*draft.message, &*draft.uri),
            "{id} is not what was posted"
        );
        match &push.fate {
            Fate::Refused => panic!("{id}, {message:?}, was refused"),
            Fate::Accepted(accepted) => assert_eq!(id, *accepted, "{message:?}"),
            Fate::Pending | Fate::Unsure => {}
        }
        let known = self.ids.insert(id, message.to_owned());
        assert!(
            known.is_none_or(|known| known == message),
            "{id} has two bodies"
        );
        let again = self
            .ids
            .iter()
            .filter(|(_, other)| *other == message)
            .count();
        assert_eq!(again, 1, "{message:?} has two ids");
    }

    /// A push of the server's own is what it says: what it takes back was taken back, from somebody who may
    /// have it.
    pub(crate) fn notice(&mut self, id: NotificationId, withdraws: NotificationId) {
        let known = self.notices.insert(id, withdraws);
        assert!(known.is_none_or(|known| known == withdraws), "{id}");
        let meant = self.withdrawing.values().flatten();
        let meant = meant.chain(&self.ended).chain(&self.perhaps_ended);
        let asked = meant.into_iter().any(|other| *other == withdraws);
        assert!(asked, "nobody has taken back {withdraws}, and {id} says so");
    }

    /// A push says which earlier one it replaces.
    pub(crate) fn replaces(
        &self,
        key: &DeviceKey,
        id: NotificationId,
        old: NotificationId,
        disk: &Disk,
    ) {
        let series = |id| self.pushes[&self.ids[&id]].series;
        assert!(old < id && series(old) == series(id), "{id} replaces {old}");
        assert!(
            self.may_have(key, old, disk),
            "{key:?} is told that {id} replaces {old}, which it never got"
        );
    }

    /// Whether a device may have a push. Where the disk has not learned whose device one was, or has forgotten
    /// that it was removed, the server may take it for another one of the same user.
    fn may_have(&self, key: &DeviceKey, id: NotificationId, disk: &Disk) -> bool {
        let unsure = self.undone.contains(&key.0) || disk.unknown.contains(&key.0);
        let mut sent = self.sent.iter().filter(|(_, sent)| sent.contains(&id));
        sent.any(|(other, _)| other == key || unsure && other.0 == key.0)
    }

    /// Everything that was accepted of a series.
    pub(crate) fn members(&self, series: Option<Series>) -> Vec<NotificationId> {
        let of = |push: &&Push| push.series == series && series.is_some();
        let id = |push: &Push| match push.fate {
            Fate::Accepted(id) => Some(id),
            _ => None,
        };
        self.pushes.values().filter(of).filter_map(id).collect()
    }

    /// What a withdrawal means at this moment.
    pub(crate) fn meant(&self, withdrawal: &Withdrawal) -> Vec<NotificationId> {
        match withdrawal {
            Withdrawal::Id(id) => vec![*id],
            Withdrawal::Sequence {
                sequence,
                target,
                sender,
            } => self.members(Series::of(sender, target, sequence)),
        }
    }

    /// A sender was told that these have been taken back.
    pub(crate) fn end(&mut self, ids: impl IntoIterator<Item = NotificationId>) {
        self.ended.extend(ids);
    }

    /// A push has taken the place of those before it: of all if it is sent, of those that wait for their
    /// time if it waits for its own.
    pub(crate) fn replace(&mut self, newer: NotificationId, scheduled: bool, disk: &Disk) {
        let series = self.pushes[&self.ids[&newer]].series;
        let mut older = self.members(series);
        older.retain(|id| *id < newer);
        older.retain(|id| !scheduled || disk.head(*id).is_some_and(|head| !head.fired));
        self.ended.extend(older);
    }

    /// A push is sent to a device.
    pub(crate) fn sent(&mut self, key: &DeviceKey, id: NotificationId, disk: &Disk, wall: Wall) {
        let head = disk.head(id).expect("what is sent has a head");
        assert!(head.fired, "{id} is sent before its time");
        let late = |end: u32| wall.trusted && wall.seconds() > u64::from(end) + 2;
        assert!(
            !head.expires().is_some_and(late),
            "{id} is sent, which has expired"
        );
        assert!(
            !self.ended.contains(&id),
            "{key:?} is sent {id}, which was taken back or replaced"
        );
        if let Some(withdraws) = self.notices.get(&id) {
            assert!(
                self.may_have(key, *withdraws, disk),
                "{key:?} is told that {withdraws} is taken back, which it never got"
            );
        } else {
            self.check_target(key, id);
            if self.pushes[&self.ids[&id]].draft.extras.deliver_at > 0 {
                self.replace(id, false, disk);
            }
        }
        assert!(
            disk.notification(id).is_some(),
            "{id} is sent and not durable"
        );
        let acknowledged = self.acknowledged.get(key);
        assert!(
            !acknowledged.is_some_and(|ids| ids.contains(&id)),
            "{key:?} gets {id} again, which it has acknowledged"
        );
        self.sent.entry(key.clone()).or_default().insert(id);
    }

    fn check_target(&self, key: &DeviceKey, id: NotificationId) {
        let push = &self.pushes[&self.ids[&id]];
        let meant = match &push.draft.target {
            Target::Everyone => true,
            Target::User(user) => *user == key.0,
            Target::Device { user, resource } => (user, resource) == (&key.0, &key.2),
            Target::Alias(_) | Target::Tags(_) | Target::Topic(_) => push.may.contains(&key.0),
        };
        assert!(
            meant,
            "{key:?} is sent {id}, which is for {}",
            push.draft.target
        );
    }

    /// Whoever has to get a push is among its devices.
    pub(crate) fn check_devices(&self, view: &NotificationView) {
        let Some(push) = self.ids.get(&view.notification.id) else {
            return;
        };
        for user in &self.pushes[push].must {
            let own = |label: &str| label.split('/').next() == Some(user) || label == "(forgotten)";
            assert!(
                view.deliveries.iter().any(|delivery| own(&delivery.device)),
                "{} is not kept for {user}",
                view.notification.id
            );
        }
    }

    /// The server has taken in an acknowledgement.
    pub(crate) fn acknowledge(&mut self, key: &DeviceKey, id: NotificationId) {
        self.acknowledged.entry(key.clone()).or_default().insert(id);
    }

    /// A device says that it has a push; the server may never hear it.
    pub(crate) fn says(&mut self, key: &DeviceKey, id: NotificationId) {
        self.perhaps.entry(key.clone()).or_default().insert(id);
    }

    /// The server starts again. What was answered has to be there; what was not may be.
    pub(crate) fn restart(&mut self, disk: &Disk) {
        let rows = disk.rows();
        self.recall_users(&rows, &disk.lost);
        self.recall_acknowledgements(&rows, disk);
        self.recall_ends(&rows, disk);
        self.asks.clear();
        let unsure = std::mem::take(&mut self.withdrawing);
        self.perhaps_ended.extend(unsure.into_values().flatten());
        for push in self.pushes.values_mut() {
            if push.fate == Fate::Pending {
                push.fate = Fate::Unsure;
            }
        }
        let stored = rows.iter().filter_map(|row| match row {
            Row::Notification(head) => Some(head.id),
            _ => None,
        });
        let stored: BTreeSet<NotificationId> = stored.collect();
        for id in &self.kept {
            assert!(
                stored.contains(id) || disk.lost_young.contains(id),
                "{id} was accepted and is not on the disk"
            );
        }
        self.forgotten.retain(|id| !stored.contains(id));
        self.kept = stored;
    }

    /// What was taken back or replaced stays so: its head says it, or a newer one of its series is there. Only
    /// what was lost with the power is as it was before.
    fn recall_ends(&mut self, rows: &[Row], disk: &Disk) {
        let mut heads: BTreeMap<NotificationId, Head> = BTreeMap::new();
        let mut waited_for = BTreeSet::new();
        for row in rows {
            match row {
                Row::Notification(head) => drop(heads.insert(head.id, *head)),
                Row::Delivery(delivery) if delivery.state.is_waiting() => {
                    waited_for.insert(delivery.notification);
                }
                _ => {}
            }
        }
        let lasts = |id: &NotificationId| {
            let Some(head) = heads.get(id) else {
                return true;
            };
            let replaces = |newer: &Head| {
                let one = newer.series.is_some() && newer.series == head.series;
                one && newer.id > *id && (newer.fired || !head.fired)
            };
            let wanted = waited_for.contains(id) || !head.fired;
            head.over.is_some() || !wanted || heads.values().any(replaces)
        };
        let undone: Vec<_> = self.ended.iter().filter(|id| !lasts(id)).copied().collect();
        for id in undone {
            assert!(
                disk.relaxed || disk.refused_before,
                "{id} was taken back or replaced, and after a restart it waits"
            );
            self.ended.remove(&id);
        }
        // Whatever has settled and is written so stays settled; the rest is seen anew.
        self.seen.clear();
    }

    fn recall_users(&mut self, rows: &[Row], lost: &BTreeSet<String>) {
        let mut stored = BTreeMap::new();
        for row in rows {
            if let Row::Account(account) = row {
                stored.insert(account.name.clone(), account);
            }
        }
        let names: BTreeSet<String> = self.users.keys().chain(stored.keys()).cloned().collect();
        let mut undone = BTreeSet::new();
        for name in names {
            let user = self.user(&name);
            match stored.get(&name) {
                Some(account) => {
                    if !user.exists && lost.contains(&name) {
                        undone.insert(name.clone());
                    }
                    if !account.is_password(&user.password) {
                        assert!(
                            user.is_unsure() || lost.contains(&name),
                            "{name} has a password nobody set"
                        );
                        let other = user.tried.iter().find(|tried| account.is_password(tried));
                        other
                            .expect("somebody has asked for it")
                            .clone_into(&mut user.password);
                        user.version += 1;
                    }
                    user.exists = true;
                }
                None => {
                    let gone = user.exists;
                    assert!(
                        !gone || user.removing > 0 || lost.contains(&name),
                        "{name} existed and is gone"
                    );
                    user.epoch += u32::from(gone);
                    user.exists = false;
                }
            }
            (user.changing, user.removing) = (0, 0);
        }
        self.undone.append(&mut undone);
    }

    /// The rule for what comes again: a device may get a push again after it has acknowledged it only if
    /// the server was restarted before the acknowledgement was durable. An acknowledgement is not durable
    /// while its batch waits, or if the disk has refused the batch.
    fn recall_acknowledgements(&mut self, rows: &[Row], disk: &Disk) {
        let mut devices: BTreeMap<DeviceId, DeviceKey> = BTreeMap::new();
        for row in rows {
            if let Row::Device(device) = row {
                let resource = device.resource.clone().unwrap_or_default();
                devices.insert(device.id, self.key(&device.account, &resource));
            }
        }
        // A device whose record is not on the disk is a new one when it comes back: nobody knows what it had.
        let known: BTreeSet<&DeviceKey> = devices.values().collect();
        let unknown = |key: &DeviceKey| disk.unknown.contains(&key.0) && !known.contains(key);
        self.acknowledged.retain(|key, _| !unknown(key));
        for row in rows {
            let Row::Delivery(delivery) = row else {
                continue;
            };
            let Some(key) = devices.get(&delivery.device) else {
                continue;
            };
            if key.2.is_empty() && delivery.state.is_waiting() {
                // The disk has refused to learn whose device this was.
                for (other, ids) in &mut self.acknowledged {
                    if other.0 == key.0 {
                        ids.remove(&delivery.notification);
                    }
                }
            }
            let Some(acknowledged) = self.acknowledged.get_mut(key) else {
                continue;
            };
            let id = delivery.notification;
            if delivery.state.is_waiting() && acknowledged.remove(&id) {
                assert!(
                    self.forgotten.contains(&id) || disk.unsettled.contains(&(delivery.device, id)),
                    "{key:?} acknowledged {id}, that was durable, and it waits again"
                );
            }
        }
    }

    /// What a person is told of the deliveries has to be true.
    pub(crate) fn check_view(&mut self, view: &NotificationView, disk: &Disk) {
        let Notification {
            id,
            title,
            message,
            uri,
            extras,
            ..
        } = &view.notification;
        match extras.withdraws {
            Some(withdraws) => self.notice(*id, withdraws),
            None => self.identify(*id, title, message, uri),
        }
        let sum: usize = view.counts.iter().sum();
        assert_eq!(
            sum,
            view.deliveries.len(),
            "{id} has devices without a state"
        );
        let fires = disk.head(*id).is_some_and(|head| head.fired);
        assert!(
            !view.scheduled || sum == 0 || fires,
            "{id} is scheduled and has devices"
        );
        let mut labels = BTreeSet::new();
        for delivery in &view.deliveries {
            let label = &delivery.device;
            if label == "(forgotten)" {
                assert!(
                    !delivery.state.is_waiting(),
                    "{id} waits for a forgotten device"
                );
                continue;
            }
            assert!(labels.insert(label), "{id} is twice for {label}");
            let Some((user, resource)) = label.split_once('/') else {
                continue;
            };
            if disk.unknown.contains(user) || self.undone.contains(user) {
                continue;
            }
            let key = self.key(user, resource);
            let before = self.seen.insert((key.clone(), *id), delivery.state);
            assert!(
                before.is_none_or(
                    |before| before == delivery.state || before.may_become(delivery.state)
                ),
                "{id} was {before:?} for {label} and is {:?}",
                delivery.state
            );
            let has = |of: &BTreeMap<DeviceKey, BTreeSet<NotificationId>>| {
                of.get(&key).is_some_and(|ids| ids.contains(id))
            };
            match delivery.state {
                DeliveryState::Acknowledged | DeliveryState::Confirmed => {
                    assert!(has(&self.perhaps), "{label} never acknowledged {id}");
                }
                // It was given up after it was sent: a bare ping does not bring it back.
                DeliveryState::Dropped | DeliveryState::Expired | DeliveryState::Withdrawn => {}
                state => {
                    assert!(
                        !has(&self.acknowledged),
                        "{label} has {id}, which is {state:?}"
                    );
                }
            }
        }
    }
}
