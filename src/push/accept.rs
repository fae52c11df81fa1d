//! Accepting notifications: checked, given an identity, kept on the disk, and only then sent.

use super::commits::{Ended, Then, Waiter};
use super::domain::{Domain, Effect};
use super::event::{AskId, Done, Draft, Refusal};
use super::head::Head;
use super::notification::{Extras, Link, Notification, NotificationId};
use super::receipt::{Receipt, short};
use super::store::{Change, DeviceId};
use crate::limits;
use crate::time::Now;
use crate::xmpp::stanza::xml_text;

impl Domain {
    /// Accepts a notification: it goes to the disk first, and to devices when it is there.
    pub(super) fn notify(&mut self, draft: Draft, ask: AskId, now: Now) -> Result<(), Refusal> {
        check(&draft, now)?;
        if self.commits.is_full() {
            return Err(Refusal::Busy);
        }
        let scheduled = is_ahead(draft.extras.deliver_at, now);
        let devices = if scheduled {
            Vec::new()
        } else {
            let devices = self.resolve(&draft.target);
            devices.ok_or_else(|| Refusal::Unknown(draft.target.clone()))?
        };
        let notification = written(draft, self.next_id(now));
        let head = Head {
            fired: !scheduled,
            begun: trusted_second(now),
            ..Head::of(&notification)
        };
        let ended = self.replaced_by(&head, now);
        let mut changes = self.enter(notification, head, &devices, now);
        changes.extend(self.hold(&ended));
        self.submit(changes, Then::Notified { head, ended }, Waiter::Ask(ask));
        Ok(())
    }

    /// An identity above all others.
    pub(super) fn next_id(&mut self, now: Now) -> NotificationId {
        let id = NotificationId::next(self.newest, now.wall, self.random());
        self.newest = Some(id);
        id
    }

    /// Enters a notification in memory, where it waits for the disk, and returns what the disk has to keep.
    pub(super) fn enter(
        &mut self,
        notification: Notification,
        head: Head,
        devices: &[DeviceId],
        now: Now,
    ) -> Vec<Change> {
        self.ledger.enter(head, false);
        let mut changes = Vec::with_capacity(devices.len() + 2);
        changes.push(Change::PutNotification(notification));
        changes.push(Change::PutHead(head));
        changes.extend(self.enqueue(head.id, devices, now));
        changes
    }

    /// Puts a notification into the queues of its devices.
    pub(super) fn enqueue(
        &mut self,
        id: NotificationId,
        devices: &[DeviceId],
        now: Now,
    ) -> Vec<Change> {
        let at = now.wall.seconds();
        self.ledger.add_devices(id, devices, at);
        for device in devices {
            if let Some(device) = self.devices.get_mut(*device) {
                device.enqueue(id);
            }
        }
        let delivery = |device: &DeviceId| Receipt::queued(*device, at).delivery(id);
        devices
            .iter()
            .map(delivery)
            .map(Change::PutDelivery)
            .collect()
    }

    /// The notification is on disk: devices that are there get it now.
    pub(super) fn notified(&mut self, head: Head, ended: &Ended, now: Now) -> Done {
        let id = head.id;
        self.end_all(ended);
        if self.ledger.head(id).is_none() {
            // A bound has cost it its place meanwhile.
            return Done::Accepted {
                id,
                queued: 0,
                sent: 0,
            };
        }
        self.ledger.set_head(head);
        self.ledger.set_durable(id);
        self.ledger.hold(id, false);
        self.timetable.enter(&head, self.config.push.history_days);
        self.series.enter(&head, &self.ledger);
        self.end_overtaken(&head, now);
        self.end_if_overtaken(id, now);
        if self.has_expired(id, now) {
            self.expire(id, now);
        }
        self.answer_waits(id);
        if head.is_scheduled() {
            self.keep_history_bounded(id, now);
            log::info!("notification {id}: scheduled");
            return Done::Scheduled { id };
        }
        let devices = self.ledger.waiting_for(id);
        let mut sent = 0;
        for device in &devices {
            self.keep_queue_bounded(*device, now);
            if self
                .devices
                .get(*device)
                .is_some_and(super::devices::Device::is_ready)
            {
                sent += 1;
                self.effects.push_back(Effect::Pump(*device));
            }
        }
        self.keep_history_bounded(id, now);
        let queued = devices.len();
        log::info!("notification {id}: kept for {queued}, sent to {sent}");
        Done::Accepted { id, queued, sent }
    }

    /// The disk has refused the notification: nobody has seen it, nobody will.
    pub(super) fn take_back(&mut self, id: NotificationId) {
        self.empty_queues_of(id);
        self.ledger.remove(id);
    }

    /// Takes a notification out of every queue. What lay behind it may go on.
    pub(super) fn empty_queues_of(&mut self, id: NotificationId) {
        for device in self.ledger.waiting_for(id) {
            if let Some(known) = self.devices.get_mut(device) {
                known.dequeue(id);
                if known.is_ready() {
                    self.effects.push_back(Effect::Pump(device));
                }
            }
        }
    }
}

/// The second it is, or 0 if nobody knows.
pub(super) fn trusted_second(now: Now) -> u32 {
    if now.wall.trusted {
        short(now.wall.seconds())
    } else {
        0
    }
}

/// Whether a moment lies ahead, as far as is known.
fn is_ahead(deliver_at: u64, now: Now) -> bool {
    deliver_at > 0 && (!now.wall.trusted || deliver_at > now.wall.seconds())
}

/// A draft as it is kept: without what XML cannot carry.
fn written(draft: Draft, id: NotificationId) -> Notification {
    let clean = |text: &str| xml_text(text).into_owned();
    let extras = *draft.extras;
    let link = |link: &Link| Link {
        label: clean(&link.label),
        uri: clean(&link.uri),
    };
    Notification {
        id,
        target: draft.target,
        title: clean(&draft.title),
        message: clean(&draft.message),
        uri: clean(&draft.uri),
        extras: Extras {
            image: clean(&extras.image),
            tags: extras.tags.iter().map(|tag| clean(tag)).collect(),
            actions: extras.actions.iter().map(link).collect(),
            sequence: clean(&extras.sequence),
            withdraws: None,
            ..extras
        },
    }
}

fn check(draft: &Draft, now: Now) -> Result<(), Refusal> {
    let extras = &draft.extras;
    for (field, text, limit) in [
        ("title", &draft.title, limits::TITLE),
        ("message", &draft.message, limits::MESSAGE),
        ("uri", &draft.uri, limits::URI),
        ("image", &extras.image, limits::URI),
        ("sequence", &extras.sequence, limits::LABEL),
        ("sender", &extras.sender, limits::LABEL),
    ] {
        bounded(field, text, limit)?;
    }
    for tag in &extras.tags {
        bounded("tags", tag, limits::LABEL)?;
    }
    for Link { label, uri } in &extras.actions {
        bounded("actions", label, limits::LABEL)?;
        bounded("actions", uri, limits::URI)?;
    }
    let invalid = |field, why| Err(Refusal::Invalid { field, why });
    if extras.tags.len() > limits::TAGS {
        return invalid("tags", "are too many");
    }
    if extras.actions.len() > limits::ACTIONS {
        return invalid("actions", "are too many");
    }
    let ahead = extras.deliver_at.saturating_sub(now.wall.seconds());
    if now.wall.trusted && ahead > limits::SCHEDULE_AHEAD
        || u32::try_from(extras.deliver_at).is_err()
    {
        return invalid("deliver_at", "is more than a year ahead");
    }
    let shown = [&draft.title, &draft.message, &draft.uri];
    if !extras.silent && shown.into_iter().all(|text| is_blank(text)) {
        return invalid("message", "is empty, and so are title and uri");
    }
    Ok(())
}

/// Whether nothing is to be seen of a text, as XML will carry it.
fn is_blank(text: &str) -> bool {
    xml_text(text).trim().is_empty()
}

fn bounded(field: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() > limit {
        return Err(Refusal::TooLong { field, limit });
    }
    Ok(())
}
