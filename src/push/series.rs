//! Series: of the notifications under one sequence id only the newest counts, and a sender may take them
//! back.
//!
//! Devices that have not got an older one never get it. Devices that have it are told by the newer one,
//! which names it. When nothing newer comes, only apps that are known to understand are told, by a silent
//! push: a stock client would show it to its user. Known is an app that has confirmed with
//! `androidpn:iq:receipt`, whose fork does not show silent pushes, or that has used an IQ of ours.

use std::collections::{BTreeMap, BTreeSet};

use super::accept::trusted_second;
use super::commits::{Ended, Then, Waiter};
use super::domain::{Domain, Effect};
use super::event::{AskId, Done, Refusal, Withdrawal};
use super::head::{Head, Over, Reach, Series};
use super::ledger::Ledger;
use super::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use super::receipt::short;
use super::store::{Change, DeviceId};
use crate::limits;
use crate::time::Now;

/// The notifications of each series, oldest first.
#[derive(Debug, Default)]
pub struct SeriesTable {
    members: BTreeMap<Series, Vec<NotificationId>>,
}

impl SeriesTable {
    /// Enters a notification that is kept. Those that no device has or will get need not be known.
    pub fn enter(&mut self, head: &Head, ledger: &Ledger) {
        let Some(series) = head.series else {
            return;
        };
        let members = self.members.entry(series).or_default();
        let matters = |id: &NotificationId| {
            let head = ledger.head(*id);
            head.is_some_and(|head| head.over.is_none()) || is_somewhere(ledger, *id)
        };
        members.retain(|id| *id != head.id && matters(id));
        let position = members.partition_point(|id| *id < head.id);
        members.insert(position, head.id);
        // What may still be sent has to be known until it has an end.
        let is_settled = |id: &NotificationId| {
            let scheduled = ledger.head(*id).is_some_and(Head::is_scheduled);
            !scheduled && !ledger.is_held(*id) && !ledger.is_waited_for(*id)
        };
        let mut over = members.len().saturating_sub(limits::SERIES);
        members.retain(|id| {
            let goes = over > 0 && *id != head.id && is_settled(id);
            over -= usize::from(goes);
            !goes
        });
    }

    /// Takes out a notification that is forgotten.
    pub fn leave(&mut self, head: &Head) {
        if let Some(series) = head.series
            && let Some(members) = self.members.get_mut(&series)
        {
            members.retain(|id| *id != head.id);
            if members.is_empty() {
                self.members.remove(&series);
            }
        }
    }

    /// The notifications of a series, oldest first.
    #[must_use]
    pub fn members(&self, series: Series) -> &[NotificationId] {
        self.members.get(&series).map_or(&[], Vec::as_slice)
    }
}

impl Domain {
    /// What a notification puts an end to: those of its series that still wait, for a device or, if it is
    /// itself scheduled, for their time.
    pub(super) fn replaced_by(&self, newer: &Head, now: Now) -> Ended {
        let members = newer
            .series
            .map_or(&[][..], |series| self.series.members(series));
        let ends = |id: &&NotificationId| {
            let head = self.ledger.head(**id);
            let scheduled = head.is_some_and(Head::is_scheduled);
            **id < newer.id && self.can_end(**id) && (scheduled || !newer.is_scheduled())
        };
        Ended {
            ids: members.iter().filter(ends).copied().collect(),
            at: short(now.wall.seconds()),
        }
    }

    /// Puts every series together again after a start. That a newer one has put an end to what came to the
    /// disk together with it may not have been written any more: it is now.
    pub(super) fn make_series(&mut self, now: Now) {
        let heads: Vec<Head> = self
            .ledger
            .heads()
            .filter(|head| head.series.is_some())
            .copied()
            .collect();
        let mut overtaken = BTreeSet::new();
        for head in &heads {
            let members = head.series.map_or(&[][..], |id| self.series.members(id));
            let is_overtaken = |id: &&NotificationId| {
                let scheduled = self.ledger.head(**id).is_some_and(Head::is_scheduled);
                self.can_end(**id) && (head.fired || scheduled)
            };
            overtaken.extend(members.iter().filter(is_overtaken).copied());
            self.series.enter(head, &self.ledger);
        }
        let over = Over {
            state: DeliveryState::Withdrawn,
            at: short(now.wall.seconds()),
        };
        for id in overtaken {
            let head = self.end(id, over);
            self.receipts.extend(head.map(Change::PutHead));
        }
    }

    fn can_end(&self, id: NotificationId) -> bool {
        let open = self.ledger.head(id).is_some_and(|head| head.over.is_none());
        open && !self.ledger.is_held(id) && self.is_wanted(id)
    }

    fn is_wanted(&self, id: NotificationId) -> bool {
        let scheduled = self.ledger.head(id).is_some_and(Head::is_scheduled);
        scheduled || self.ledger.is_waited_for(id)
    }

    /// Keeps what is about to end from being sent, and returns what the disk has to know.
    pub(super) fn hold(&mut self, ended: &Ended) -> Vec<Change> {
        let mut changes = Vec::with_capacity(ended.ids.len());
        for id in &ended.ids {
            self.ledger.hold(*id, true);
            let over = Some(ended.over());
            changes.extend(
                self.ledger
                    .head(*id)
                    .map(|head| Change::PutHead(Head { over, ..*head })),
            );
        }
        changes
    }

    /// The end is on the disk. Returns how many deliveries it has spared.
    pub(super) fn end_all(&mut self, ended: &Ended) -> usize {
        let before = self.tally.withdrawn;
        for id in &ended.ids {
            self.ledger.hold(*id, false);
            if self.ledger.head(*id).is_none() {
                // Its own batch was refused, or it has been forgotten; nothing of it may stay.
                self.receipts.push(Change::DeleteNotification(*id));
            }
            let waiting = self.ledger.waiting_for(*id);
            self.end(*id, ended.over());
            // What lay behind it may go on.
            self.effects.extend(waiting.into_iter().map(Effect::Pump));
        }
        usize::try_from(self.tally.withdrawn - before).unwrap_or(usize::MAX)
    }

    /// Ends what came to the disk at the same time as the newer one that replaces it.
    pub(super) fn end_overtaken(&mut self, newer: &Head, now: Now) {
        let overtaken = self.replaced_by(newer, now);
        for id in &overtaken.ids {
            let head = self.end(*id, overtaken.over());
            self.receipts.extend(head.map(Change::PutHead));
        }
        self.overtake_held(newer, &overtaken);
    }

    /// Notes what is replaced while its own fate is on its way to the disk, so that it ends when that is settled,
    /// whatever becomes of the newer one until then. The disk learns it at once.
    fn overtake_held(&mut self, newer: &Head, overtaken: &Ended) {
        let members = newer.series.map_or(&[][..], |id| self.series.members(id));
        let known = |id: &NotificationId| {
            let firing = self.commits.notifying(*id);
            firing.or_else(|| self.ledger.head(*id)).copied()
        };
        let replaces = |head: &Head| {
            let held = head.id < newer.id && head.over.is_none() && self.ledger.is_held(head.id);
            held && (head.is_scheduled() || newer.fired)
        };
        let held: Vec<Head> = members.iter().filter_map(known).filter(replaces).collect();
        for head in held {
            self.ledger.overtake(head.id);
            let over = Some(overtaken.over());
            self.receipts.push(Change::PutHead(Head { over, ..head }));
        }
    }

    /// Ends what a newer one has replaced while its own fate was on its way to the disk, and nobody could end it.
    pub(super) fn end_if_overtaken(&mut self, id: NotificationId, now: Now) {
        let Some(head) = self.ledger.head(id).copied() else {
            return;
        };
        let members = head.series.map_or(&[][..], |id| self.series.members(id));
        let replaces = |newer: &&Head| newer.id > id && (newer.fired || head.is_scheduled());
        let mut newer = members.iter().filter_map(|other| self.ledger.head(*other));
        let overtaken = self.ledger.is_overtaken(id) || newer.any(|newer| replaces(&newer));
        if overtaken && self.can_end(id) {
            let over = Over {
                state: DeliveryState::Withdrawn,
                at: short(now.wall.seconds()),
            };
            let waiting = self.ledger.waiting_for(id);
            let head = self.end(id, over);
            self.receipts.extend(head.map(Change::PutHead));
            // What lay behind it may go on.
            self.effects.extend(waiting.into_iter().map(Effect::Pump));
        }
    }

    /// The disk has refused the end: everything is as it was, but for what has come meanwhile.
    pub(super) fn let_go(&mut self, ended: &Ended, now: Now) {
        for id in &ended.ids {
            self.ledger.hold(*id, false);
            self.end_if_overtaken(*id, now);
            let waiting = self.ledger.waiting_for(*id);
            self.effects.extend(waiting.into_iter().map(Effect::Pump));
        }
    }

    /// The newest earlier one of a notification's series that a device may have.
    pub(super) fn replaced_on(
        &self,
        id: NotificationId,
        device: DeviceId,
    ) -> Option<NotificationId> {
        let series = self.ledger.head(id)?.series?;
        let mut earlier = self
            .series
            .members(series)
            .iter()
            .rev()
            .filter(|other| **other < id);
        earlier
            .find(|other| self.may_have(device, **other))
            .copied()
    }

    /// The oldest earlier one of a notification's series that a device may have: as messages, all later ones
    /// took its place.
    pub(super) fn begun_by(&self, id: NotificationId, device: DeviceId) -> Option<NotificationId> {
        let series = self.ledger.head(id)?.series?;
        let mut earlier = self.series.members(series).iter();
        let first = earlier.find(|other| **other < id && self.may_have(device, **other));
        first.copied()
    }

    /// Whether a device has a notification, or may have got it over a connection.
    fn may_have(&self, device: DeviceId, id: NotificationId) -> bool {
        let state = self.ledger.state(id, device);
        state.is_some_and(|state| state.has_arrived() || state == DeliveryState::Sent)
    }

    /// Takes notifications back for a sender.
    pub(super) fn withdraw(
        &mut self,
        withdrawal: &Withdrawal,
        ask: AskId,
        now: Now,
    ) -> Result<(), Refusal> {
        let ids = self.named(withdrawal);
        if ids.is_empty() {
            return Err(Refusal::NoNotification);
        }
        if self.commits.is_full() || ids.iter().any(|id| self.ledger.is_held(*id)) {
            return Err(Refusal::Busy);
        }
        let ended = Ended {
            ids: ids.iter().copied().filter(|id| self.can_end(*id)).collect(),
            at: short(now.wall.seconds()),
        };
        let mut told = Vec::new();
        let mut notices = Vec::new();
        let mut changes = Vec::new();
        for id in ids.iter().rev() {
            let devices = self.to_be_told(*id, &told);
            if devices.is_empty() {
                continue;
            }
            let target = match self.store.notification(*id) {
                Ok(Some(notification)) => notification.target,
                Ok(None) => continue,
                Err(_) => {
                    notices
                        .iter()
                        .for_each(|head: &Head| self.take_back(head.id));
                    return Err(Refusal::Failed);
                }
            };
            told.extend(&devices);
            let notice = notice(self.next_id(now), *id, target);
            let head = Head {
                begun: trusted_second(now),
                reach: Reach::Device,
                ..Head::of(&notice)
            };
            changes.extend(self.enter(notice, head, &devices, now));
            notices.push(head);
        }
        changes.extend(self.hold(&ended));
        let told = told.len();
        if changes.is_empty() {
            let done = Done::Withdrawn { spared: 0, told };
            self.effects.push_back(Effect::Answer(ask, Ok(done)));
            return Ok(());
        }
        let then = Then::Withdrawn {
            ended,
            notices,
            told,
        };
        self.submit(changes, then, Waiter::Ask(ask));
        Ok(())
    }

    /// The durable notifications a withdrawal means, oldest first.
    fn named(&self, withdrawal: &Withdrawal) -> Vec<NotificationId> {
        let ids = match withdrawal {
            Withdrawal::Id(id) => vec![*id],
            Withdrawal::Sequence {
                sequence,
                target,
                sender,
            } => {
                let series = Series::of(sender, target, sequence);
                series.map_or_else(Vec::new, |series| self.series.members(series).to_vec())
            }
        };
        ids.into_iter()
            .filter(|id| self.ledger.is_durable(*id))
            .collect()
    }

    /// The devices that may have a notification and whose app understands that it is taken back.
    fn to_be_told(&self, id: NotificationId, told: &[DeviceId]) -> Vec<DeviceId> {
        let receipts = self.ledger.receipts(id).iter();
        let devices = receipts.map(|receipt| receipt.device);
        devices
            .filter(|device| !told.contains(device) && self.may_have(*device, id))
            .filter(|device| {
                self.devices
                    .get(*device)
                    .is_some_and(|known| known.withdraws)
            })
            .collect()
    }
}

/// Whether some device has a notification, or may have.
fn is_somewhere(ledger: &Ledger, id: NotificationId) -> bool {
    let mut receipts = ledger.receipts(id).iter();
    receipts.any(|receipt| receipt.state.has_arrived() || receipt.state == DeliveryState::Sent)
}

/// The silent push that tells apps to take a notification back.
fn notice(id: NotificationId, withdraws: NotificationId, target: Target) -> Notification {
    Notification {
        id,
        target,
        title: String::new(),
        message: String::new(),
        uri: String::new(),
        extras: Extras {
            silent: true,
            withdraws: Some(withdraws),
            ..Extras::default()
        },
    }
}

impl Ended {
    /// How they end.
    #[must_use]
    pub fn over(&self) -> Over {
        Over {
            state: DeliveryState::Withdrawn,
            at: self.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::crowd::Crowd;
    use crate::push::store::StoreError;

    /// Two of a series, of which the older is taken back before the newer is known to be on the disk, and the
    /// disk refuses that. Whether each is over then, and whether what lies behind them may go on.
    fn replaced_while_taken_back(forgotten: bool) -> (Vec<bool>, bool) {
        let now = Now::default();
        let mut crowd = Crowd::new(1, &[], &[]);
        let device = crowd.log_in("u0");
        crowd.store.hold();
        let ids = [(); 2].map(|()| {
            let extras = Extras {
                sequence: "door".into(),
                ..Extras::default()
            };
            crowd.notify(extras, now)
        });
        crowd.store.release_one();
        crowd.settle();
        let taken_back = Withdrawal::Id(ids[0]);
        crowd.domain.withdraw(&taken_back, AskId(3), now).unwrap();
        crowd.store.release_one();
        crowd.settle();
        // The newer one may even be gone by then.
        if forgotten {
            crowd.domain.forget(ids[1], now);
        }
        crowd.domain.effects.clear();
        crowd.store.refuse(1, &StoreError::Full);
        crowd.store.release_one();
        for (ticket, outcome) in crowd.store.take_stored() {
            crowd.domain.stored(ticket, &outcome, now);
        }
        let goes_on = |effect: &Effect| matches!(effect, Effect::Pump(id) if *id == device);
        let pumped = crowd.domain.effects.iter().any(goes_on);
        let ledger = crowd.domain.ledger;
        let heads = ids.iter().filter_map(|id| ledger.head(*id));
        (heads.map(|head| head.over.is_some()).collect(), pumped)
    }

    #[test]
    fn what_was_replaced_while_it_was_taken_back_is_over_even_if_the_disk_refuses_that() {
        assert_eq!(replaced_while_taken_back(false), (vec![true, false], true));
        assert_eq!(replaced_while_taken_back(true), (vec![true], true));
    }
}
