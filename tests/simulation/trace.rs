//! What was asked, answered and written, in lines short enough to be read behind a failure.

use lanpush::push::notification::Extras;
use lanpush::push::store::Change;
use lanpush::push::{Answer, Done, Draft, Request, Withdrawal};

pub(crate) fn request(request: &Request) -> String {
    match request {
        Request::Notify(draft) => push(draft),
        Request::Withdraw(Withdrawal::Id(id)) => format!("take back {id}"),
        Request::Withdraw(Withdrawal::Sequence {
            sequence,
            target,
            sender,
        }) => format!("take back {sequence} of {sender:?} to {target}"),
        Request::Wait { id, until } => format!("wait for {id}, {until:?}"),
        other => format!("{other:?}"),
    }
}

fn push(draft: &Draft) -> String {
    let Extras {
        priority,
        ttl,
        deliver_at,
        sequence,
        sender,
        ..
    } = &*draft.extras;
    let mut text = format!("{} to {}", draft.title, draft.target);
    text += &format!(", priority {}", priority.number());
    if *ttl > 0 {
        text += &format!(", for {ttl} s");
    }
    if *deliver_at > 0 {
        text += &format!(", at {deliver_at}");
    }
    if !sequence.is_empty() {
        text += &format!(", {sequence} of {sender:?}");
    }
    text
}

pub(crate) fn answer(answer: &Answer) -> String {
    match answer {
        Ok(Done::Accepted { id, queued, sent }) => {
            format!("{id} is kept for {queued} and sent to {sent}")
        }
        Ok(Done::Scheduled { id }) => format!("{id} waits for its time"),
        other => format!("{other:?}"),
    }
}

/// What a batch says of notifications.
pub(crate) fn changes(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        match change {
            Change::PutHead(head) => {
                text += &format!(" {}", head.id);
                if !head.fired {
                    text += " waits for its time";
                }
                if head.begun > 0 {
                    text += &format!(" since {}", head.begun);
                }
                if let Some(over) = head.over {
                    text += &format!(" {:?}", over.state);
                }
                text += ",";
            }
            Change::PutDelivery(delivery) => {
                let (id, device) = (delivery.notification, delivery.device.0);
                text += &format!(" {id} for {device} {:?},", delivery.state);
            }
            Change::DeleteNotification(id) => text += &format!(" {id} is forgotten,"),
            _ => {}
        }
    }
    text
}
