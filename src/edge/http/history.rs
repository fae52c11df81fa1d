//! The part of a page that lists notifications and how far each device has got with them.

use super::html::{Ago, Name, Text, Time};
use crate::limits;
use crate::push::notification::{DeliveryState, Link, Priority, Target};
use crate::push::views::{DeliveryView, NotificationView};
use crate::time::{Wall, calendar};

/// What the words of [`DeliveryState::as_str`] mean, for people.
const LEGEND: &str = "<details class=\"meta\"><summary>What the states mean</summary><p>queued: waits for \
    the device. sent: on its way. acknowledged: the device has it. confirmed: the app has said so. \
    dropped: given up. expired: too late. withdrawn: taken back. Times are UTC.</p></details>";

/// What every button to withdraw belongs to.
const WITHDRAW: &str =
    "<form id=\"w\" method=\"post\" action=\"/notification.do?action=withdraw\"></form>";

/// Notifications, newest first.
pub(super) fn notification_list(notifications: &[NotificationView], now: Wall) -> String {
    if notifications.is_empty() {
        return "<p>Nothing has been sent yet.</p>".to_owned();
    }
    let items = notifications
        .iter()
        .map(|view| notification_item(view, now));
    format!("{WITHDRAW}<ol>{}</ol>{LEGEND}", items.collect::<String>())
}

fn notification_item(view: &NotificationView, now: Wall) -> String {
    let notification = &view.notification;
    let title = match notification.title.trim() {
        "" => String::new(),
        title => format!("<h3>{}</h3>", Name(title)),
    };
    let extras = &notification.extras;
    let actions = extras.actions.iter().map(action);
    format!(
        "<li>{title}{}{}{}{}<p class=\"meta\">to {}, {}{}</p>{}{}</li>",
        message(&notification.message),
        link(&notification.uri),
        link(&extras.image),
        actions.collect::<String>(),
        whom(&notification.target),
        Ago {
            at: notification.id.seconds(),
            now
        },
        particulars(view),
        deliveries(view, now),
        withdraw_button(view),
    )
}

/// What makes a notification different from most.
fn particulars(view: &NotificationView) -> String {
    let extras = &view.notification.extras;
    let mut text = String::new();
    if extras.priority != Priority::default() {
        text += &format!(", priority {}", extras.priority.number());
    }
    if extras.silent {
        text += ", silent";
    }
    if !extras.sequence.is_empty() {
        text += &format!(", series {}", Name(&extras.sequence));
    }
    if !extras.tags.is_empty() {
        text += &format!(", tags {}", Name(&extras.tags.join(", ")));
    }
    if view.scheduled {
        text += &format!(", scheduled for {}", Time(extras.deliver_at));
    }
    match (view.over, view.expires) {
        (Some((state, at)), _) => text += &format!(", {} {}", state.as_str(), Time(at)),
        (None, Some(at)) => text += &format!(", expires {}", Time(at)),
        (None, None) => {}
    }
    text
}

fn withdraw_button(view: &NotificationView) -> String {
    let waiting = view.count(DeliveryState::is_waiting) > 0;
    if view.over.is_some() || !(waiting || view.scheduled) {
        return String::new();
    }
    format!(
        "<button form=\"w\" name=\"id\" value=\"{}\">Withdraw</button>",
        view.notification.id
    )
}

fn message(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        _ => format!("<p class=\"text\">{}</p>", Name(&shortened(text))),
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(limits::PAGE_MESSAGE) {
        Some((end, _)) => format!("{}…", message.split_at(end).0),
        None => message.to_owned(),
    }
}

fn link(uri: &str) -> String {
    match uri {
        "" => String::new(),
        uri => format!("<p>{}</p>", anchor(uri, uri)),
    }
}

fn action(link: &Link) -> String {
    let label = match link.label.trim() {
        "" => &link.uri,
        label => label,
    };
    format!("<p>{}</p>", anchor(&link.uri, label))
}

/// A link if it leads to a page (which is not told from where, by the policy of all our pages), else plain text: other schemes could run scripts or start programs.
fn anchor(uri: &str, text: &str) -> String {
    let is_page = ["http://", "https://"].iter().any(|scheme| {
        uri.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let name = Name(text);
    if is_page {
        format!("<a href=\"{}\">{name}</a>", Text(uri))
    } else {
        name.to_string()
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

/// One device by itself, more of them counted by state and some listed below.
fn deliveries(view: &NotificationView, now: Wall) -> String {
    let item = |delivery: &DeliveryView| {
        let at = delivery.at;
        let device = Name(&delivery.device);
        let (state, ago) = (state(delivery.state, ""), Ago { at, now });
        format!("{state} {device} {ago}{}", way(delivery))
    };
    match (view.total, view.deliveries.as_slice()) {
        (0, _) if view.scheduled => String::new(),
        (0, _) => "<p class=\"meta\">for no device</p>".to_owned(),
        (1, [only]) => format!("<p class=\"meta\">{}</p>", item(only)),
        (total, listed) => {
            let list: String = listed
                .iter()
                .map(|delivery| format!("<li>{}</li>", item(delivery)))
                .collect();
            let more = match total.saturating_sub(listed.len()) {
                0 => String::new(),
                more => format!("<li>and {more} more</li>"),
            };
            let have = view.count(DeliveryState::has_arrived);
            format!(
                "<details class=\"meta\"><summary>{have} of {total} have it {}</summary>\
                 <ul>{list}{more}</ul></details>",
                counts(view)
            )
        }
    }
}

/// When a device reached the states before the last.
fn way(delivery: &DeliveryView) -> String {
    let before = [
        (DeliveryState::Queued, delivery.queued),
        (DeliveryState::Sent, delivery.sent),
        (DeliveryState::Acknowledged, delivery.acknowledged),
    ];
    let past = before
        .iter()
        .filter(|(state, at)| *at > 0 && *state != delivery.state)
        .map(|(state, at)| format!("{} {}", state.as_str(), clock(*at, delivery.at)));
    let past: Vec<String> = past.collect();
    match past.as_slice() {
        [] => String::new(),
        past => format!(" ({})", past.join(", ")),
    }
}

/// The time of day, with its date if that is another than that of `other`.
fn clock(at: u64, other: u64) -> String {
    let text = calendar(at);
    match text.split_once(' ') {
        Some((_, time)) if at / 86_400 == other / 86_400 => time.to_owned(),
        _ => text,
    }
}

/// How many devices are in which state.
fn counts(view: &NotificationView) -> String {
    let counted = DeliveryState::ALL.into_iter().zip(view.counts);
    let chips = counted
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| state(kind, &format!("{count} ")));
    chips.collect::<Vec<_>>().join(" ")
}

fn state(state: DeliveryState, prefix: &str) -> String {
    let word = state.as_str();
    format!("<span class=\"state {word}\">{prefix}{word}</span>")
}
