//! Senders that wait for a notification to get somewhere.

use litemap::LiteMap;

use super::domain::{Domain, Effect};
use super::event::{AskId, Done, Refusal, Until};
use super::head::Head;
use super::notification::{DeliveryState, NotificationId};
use super::store::{Delivery, DeviceId};
use crate::limits;

/// Requests that wait, by what they wait for.
#[derive(Debug, Default)]
pub struct Waits {
    by_id: LiteMap<NotificationId, Vec<(AskId, Until)>>,
    count: usize,
}

impl Waits {
    fn add(&mut self, id: NotificationId, ask: AskId, until: Until) {
        self.by_id.entry(id).or_default().push((ask, until));
        self.count += 1;
    }

    /// Takes out those for whom `until` is over.
    fn take(&mut self, id: NotificationId, over: impl Fn(Until) -> bool) -> Vec<(AskId, Until)> {
        let Some(waits) = self.by_id.get_mut(&id) else {
            return Vec::new();
        };
        let taken: Vec<_> = waits.extract_if(.., |(_, until)| over(*until)).collect();
        if waits.is_empty() {
            self.by_id.remove(&id);
        }
        self.count -= taken.len();
        taken
    }

    fn forget(&mut self, ask: AskId) {
        let found = self
            .by_id
            .iter()
            .find_map(|(id, waits)| waits.iter().any(|(known, _)| *known == ask).then_some(*id));
        if let Some(id) = found
            && let Some(waits) = self.by_id.get_mut(&id)
        {
            waits.retain(|(known, _)| *known != ask);
            self.count -= 1;
            if waits.is_empty() {
                self.by_id.remove(&id);
            }
        }
    }
}

impl Domain {
    /// Answers when every device of a notification has got so far, or will not get farther.
    pub(super) fn wait(
        &mut self,
        id: NotificationId,
        until: Until,
        ask: AskId,
    ) -> Result<(), Refusal> {
        if !self.ledger.is_durable(id) {
            return Err(Refusal::NoNotification);
        }
        if self.waits.count >= limits::WAITS {
            return Err(Refusal::Busy);
        }
        self.waits.add(id, ask, until);
        self.answer_waits(id);
        Ok(())
    }

    /// Nobody waits for an answer any longer.
    pub(super) fn forget_ask(&mut self, ask: AskId) {
        self.waits.forget(ask);
        self.commits.forget_ask(ask);
    }

    /// Moves a device's receipt on, and tells who waited for that.
    pub(super) fn advance(
        &mut self,
        id: NotificationId,
        device: DeviceId,
        state: DeliveryState,
        at: u64,
    ) -> Option<Delivery> {
        let delivery = self.ledger.mark(id, device, state, at)?;
        self.answer_waits(id);
        Some(delivery)
    }

    /// Answers those whose wait for a notification is over.
    pub(super) fn answer_waits(&mut self, id: NotificationId) {
        if !self.waits.by_id.contains_key(&id) {
            return;
        }
        let scheduled = self.ledger.head(id).is_some_and(Head::is_scheduled);
        let counts = self.ledger.counts(id);
        let of = |states: &[DeliveryState]| -> usize {
            let all = DeliveryState::ALL.into_iter().zip(counts);
            all.filter(|(state, _)| states.contains(state))
                .map(|(_, count)| count)
                .sum()
        };
        let over = |until: Until| !scheduled && of(before(until)) == 0;
        for (ask, until) in self.waits.take(id, over) {
            let done = Done::Settled {
                reached: of(from(until)),
                devices: counts.iter().sum(),
            };
            self.effects.push_back(Effect::Answer(ask, Ok(done)));
        }
    }

    /// The server stops: nobody gets what they wait for.
    pub(super) fn refuse_waits(&mut self) {
        let waits = std::mem::take(&mut self.waits);
        for (ask, _) in waits.by_id.into_iter().flat_map(|(_, asks)| asks) {
            self.effects
                .push_back(Effect::Answer(ask, Err(Refusal::Busy)));
        }
    }
}

/// The states from which a device may still come so far.
fn before(until: Until) -> &'static [DeliveryState] {
    const WAY: &[DeliveryState] = &[
        DeliveryState::Queued,
        DeliveryState::Sent,
        DeliveryState::Acknowledged,
    ];
    match until {
        Until::Sent => WAY.get(..1),
        Until::Acknowledged => WAY.get(..2),
        Until::Confirmed => Some(WAY),
    }
    .unwrap_or_default()
}

/// The states of a device that has come so far.
fn from(until: Until) -> &'static [DeliveryState] {
    const WAY: &[DeliveryState] = &[
        DeliveryState::Confirmed,
        DeliveryState::Acknowledged,
        DeliveryState::Sent,
    ];
    match until {
        Until::Confirmed => WAY.get(..1),
        Until::Acknowledged => WAY.get(..2),
        Until::Sent => Some(WAY),
    }
    .unwrap_or_default()
}
