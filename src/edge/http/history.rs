//! The part of a page that lists notifications and how far each device has got with them.

use super::html::{Ago, Name, Text};
use crate::limits;
use crate::push::notification::{DeliveryState, Target};
use crate::push::views::{DeliveryView, NotificationView};
use crate::time::Wall;

/// What the words of [`DeliveryState::as_str`] mean, for people.
const LEGEND: &str = "<details class=\"meta\"><summary>What the states mean</summary><p>queued: waits for \
    the device. sent: on its way. acknowledged: the device has it. confirmed: the app has said so. \
    dropped: given up. expired: too late. withdrawn: taken back.</p></details>";

/// Notifications, newest first.
pub(super) fn notification_list(notifications: &[NotificationView], now: Wall) -> String {
    if notifications.is_empty() {
        return "<p>Nothing has been sent yet.</p>".to_owned();
    }
    let items = notifications
        .iter()
        .map(|view| notification_item(view, now));
    format!("<ol>{}</ol>{LEGEND}", items.collect::<String>())
}

fn notification_item(view: &NotificationView, now: Wall) -> String {
    let notification = &view.notification;
    let title = match notification.title.trim() {
        "" => String::new(),
        title => format!("<h3>{}</h3>", Name(title)),
    };
    format!(
        "<li id=\"n{}\">{title}<p class=\"text\">{}</p>{}<p class=\"meta\">to {}, {}</p>{}</li>",
        notification.id,
        Name(&shortened(&notification.message)),
        link(&notification.uri),
        whom(&notification.target),
        Ago {
            at: notification.id.seconds(),
            now
        },
        deliveries(&view.deliveries, now),
    )
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(limits::PAGE_MESSAGE) {
        Some((end, _)) => format!("{}…", message.split_at(end).0),
        None => message.to_owned(),
    }
}

/// A link if it leads to a page, else plain text: other schemes could run scripts or start programs.
fn link(uri: &str) -> String {
    if uri.is_empty() {
        return String::new();
    }
    let is_page = ["http://", "https://"].iter().any(|scheme| {
        uri.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if is_page {
        format!(
            "<p><a href=\"{0}\" rel=\"noreferrer\">{0}</a></p>",
            Text(uri)
        )
    } else {
        format!("<p>{}</p>", Name(uri))
    }
}

fn whom(target: &Target) -> String {
    match target {
        Target::Everyone => "everyone".to_owned(),
        Target::User(user) => Name(user).to_string(),
        Target::Alias(alias) => format!("alias {}", Name(alias)),
        Target::Device { user, resource } => format!("{} on {}", Name(user), Name(resource)),
        Target::Topic(topic) => format!("topic {}", Name(topic)),
        Target::Tags(tags) => format!("tag {}", Name(&tags.to_string())),
    }
}

/// One device by itself, more of them counted by state and listed below.
fn deliveries(deliveries: &[DeliveryView], now: Wall) -> String {
    let item = |delivery: &DeliveryView| {
        let at = delivery.at;
        let device = Name(&delivery.device);
        format!("{} {device} {}", state(delivery.state, ""), Ago { at, now })
    };
    match deliveries {
        [] => "<p class=\"meta\">for no device</p>".to_owned(),
        [only] => format!("<p class=\"meta\">{}</p>", item(only)),
        many => {
            let shown = many.iter().take(limits::PAGE_DEVICES);
            let list: String = shown.map(|d| format!("<li>{}</li>", item(d))).collect();
            let more = if many.len() > limits::PAGE_DEVICES {
                "<li>…</li>"
            } else {
                ""
            };
            format!(
                "<details class=\"meta\"><summary>{}</summary><ul>{list}{more}</ul></details>",
                counts(many)
            )
        }
    }
}

/// How many devices are in which state.
fn counts(deliveries: &[DeliveryView]) -> String {
    let states = [
        DeliveryState::Confirmed,
        DeliveryState::Acknowledged,
        DeliveryState::Sent,
        DeliveryState::Queued,
        DeliveryState::Dropped,
        DeliveryState::Expired,
        DeliveryState::Withdrawn,
    ];
    let counted = states.into_iter().filter_map(|kind| {
        let count = deliveries
            .iter()
            .filter(|delivery| delivery.state == kind)
            .count();
        (count > 0).then(|| state(kind, &format!("{count} ")))
    });
    let mut chips = counted.collect::<Vec<_>>().join(" ");
    if deliveries.len() > limits::PAGE_COUNTED {
        chips += " and more";
    }
    chips
}

fn state(state: DeliveryState, prefix: &str) -> String {
    let word = state.as_str();
    format!("<span class=\"state {word}\">{prefix}{word}</span>")
}
