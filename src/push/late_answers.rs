//! XEP-0198 §5: a request that waits for the disk when its connection is lost has been counted, so that its client
//! will not repeat it: the session gets the answer, wherever it goes on.

use litemap::LiteMap;
use minidom::Element;

use super::delivery::stanza_error;
use super::domain::Domain;
use super::event::ConnId;
use super::store::{DeviceId, StoreError, Ticket};
use crate::xmpp::stanza;

/// Answers sessions wait for without the connection that has asked, by what the disk has to take first: never
/// more than [`crate::limits::WAITING_COMMITS`].
pub(super) type LateAnswers = LiteMap<Ticket, Late>;

/// What is to be answered, and to whom.
#[derive(Debug)]
pub(super) struct Late {
    device: DeviceId,
    serial: u32,
    request: Element,
}

impl Domain {
    /// The connection of a managed session is lost while a request of it waits.
    pub(super) fn answer_late(&mut self, conn: ConnId, device: DeviceId, request: Option<Element>) {
        let link = self.link_mut(device).filter(|link| link.is_managed());
        if let Some(request) = request
            && let Some(serial) = link.map(|link| link.serial)
            && let Some(ticket) = self.commits.take_over(conn)
        {
            let late = Late {
                device,
                serial,
                request,
            };
            self.late_answers.insert(ticket, late);
        }
    }

    /// The disk has answered.
    pub(super) fn give_late_answer(&mut self, late: &Late, outcome: &Result<(), StoreError>) {
        let link = self.link_mut(late.device);
        let is_there = link.is_some_and(|link| link.serial == late.serial);
        let Some(to) = self.bound(late.device).filter(|_| is_there) else {
            return;
        };
        let mut out = Vec::new();
        match outcome {
            // A message or a presence that has arrived is not answered.
            Ok(()) if late.request.name() != "iq" => return,
            Ok(()) => stanza::write(
                stanza::result(&late.request, &to.to_string(), None),
                &mut out,
            ),
            Err(error) => {
                let error = stanza_error(error);
                stanza::write_error(&late.request, &to.to_string(), error, &mut out);
            }
        }
        self.deliver(late.device, out.into());
    }
}
