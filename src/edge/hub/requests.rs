//! Requests of senders and administrators on their way to the gateway and back.

use super::Hub;
use crate::edge::seats::Seat;
use crate::push::{Answer, AskId, Event, Refusal, Request};

impl Hub {
    /// Asks the gateway and waits for its answer. When the future is dropped before, nobody waits any longer.
    pub(in crate::edge) async fn ask(&self, request: Request) -> Answer {
        let ask = self.next_ask.get();
        self.next_ask.set(ask.wrapping_add(1));
        let (sender, answer) = async_channel::bounded(1);
        self.asks.borrow_mut().insert(ask, sender);
        let ask = AskId(ask);
        let _asker = Asker { hub: self, ask };
        self.handle(Event::Ask { ask, request });
        answer.recv().await.unwrap_or(Err(Refusal::Busy))
    }

    /// A place to wait for a notification, if one is free.
    pub(in crate::edge) fn seat_to_wait(&self) -> Option<Seat> {
        self.waits.take()
    }
}

/// Somebody who waits for an answer, until dropped.
struct Asker<'h> {
    hub: &'h Hub,
    ask: AskId,
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        let waiting = self.hub.asks.borrow_mut().remove(&self.ask.0);
        if waiting.is_some() {
            self.hub.handle(Event::Forgotten { ask: self.ask });
            self.hub.ended.ring();
        }
    }
}
