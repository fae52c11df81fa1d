//! What people see: one function per view, one stylesheet for all, no scripts, nothing from elsewhere.

use std::fmt::Display;

use super::error::HttpError;
use super::html::{Ago, Count, Duration, Name, Parameter, Text, Time};
use super::response::Response;
use crate::limits;
use crate::push::notification::{DeliveryState, Target};
use crate::push::views::{DeliveryView, NotificationView, SessionView, Status, UserView};
use crate::time::Wall;

const STYLE: &str = include_str!("page.css");

/// What the console shows.
pub(super) struct Overview {
    /// Figures.
    pub(super) status: Status,
    /// The first users.
    pub(super) users: Vec<UserView>,
    /// The newest sessions.
    pub(super) sessions: Vec<SessionView>,
    /// The newest notifications.
    pub(super) notifications: Vec<NotificationView>,
    /// The present.
    pub(super) now: Wall,
}

/// The form to send, with what is filled in.
pub(super) struct SendForm<'a> {
    /// Where it goes.
    pub(super) action: &'static str,
    /// Value of `broadcast`: `0`, `1`, `2` or `3`.
    pub(super) kind: &'a str,
    /// User, alias or tag.
    pub(super) who: &'a str,
    /// Title.
    pub(super) title: &'a str,
    /// Message.
    pub(super) message: &'a str,
    /// URI.
    pub(super) uri: &'a str,
}

/// What became of the last push.
pub(super) enum Notice<'a> {
    /// It has been taken.
    Sent {
        /// Devices it is kept for.
        queued: usize,
        /// Those among them that are connected.
        now: usize,
    },
    /// It has not.
    Failed(&'a str),
}

/// `/`: everything at a glance.
pub(super) fn home(
    overview: &Overview,
    form: &SendForm<'_>,
    notice: Option<&Notice<'_>>,
) -> String {
    let Overview {
        status,
        users,
        sessions,
        notifications,
        now,
    } = overview;
    let content = format!(
        "{}{}{}<section id=\"send\"><h2>Send</h2>{}</section>\
         <section><h2>Notifications</h2>{}</section>\
         <section><h2>Users</h2>{}{}</section>\
         <section><h2>Sessions</h2>{}{}</section>",
        notice.map(notice_box).unwrap_or_default(),
        troubles(status, *now),
        figures(status),
        send_form(form),
        notification_list(notifications, *now),
        user_table(users, "wide"),
        rest_link("/user.do", users.len(), status.users),
        session_table(sessions, "wide"),
        rest_link("/session.do", sessions.len(), status.connections),
    );
    layout("Overview", &content)
}

/// `/user.do`: androidpn's columns, and ours behind them.
pub(super) fn users(users: &[UserView], offset: usize, more: bool) -> String {
    let back = (offset > 0).then(|| offset.saturating_sub(limits::PAGE_ROWS));
    let on = more.then(|| offset + users.len());
    let link = |offset: Option<usize>, text| match offset {
        Some(offset) => format!("<a href=\"/user.do?offset={offset}\">{text}</a> "),
        None => String::new(),
    };
    let content = format!(
        "<h1>Users</h1>{}<p>{}{}</p>",
        user_table(users, ""),
        link(back, "Previous"),
        link(on, "Next")
    );
    layout("Users", &content)
}

/// `/session.do`: androidpn's columns; `total` counts those not listed too.
pub(super) fn sessions(sessions: &[SessionView], total: usize) -> String {
    let rest = total.saturating_sub(sessions.len());
    let rest = match rest {
        0 => String::new(),
        rest => format!("<p>and {rest} older</p>"),
    };
    let content = format!("<h1>Sessions</h1>{}{rest}", session_table(sessions, ""));
    layout("Sessions", &content)
}

/// `/notification.do`: androidpn's form, and what has been sent.
pub(super) fn notifications(
    notifications: &[NotificationView],
    form: &SendForm<'_>,
    notice: Option<&Notice<'_>>,
    now: Wall,
) -> String {
    let content = format!(
        "{}<h1>Send</h1>{}<h2>Notifications</h2>{}",
        notice.map(notice_box).unwrap_or_default(),
        send_form(form),
        notification_list(notifications, now)
    );
    layout("Notifications", &content)
}

/// The page of an error.
pub(super) fn failure(error: &HttpError) -> Response {
    let content = format!(
        "<h1>That did not work</h1><p role=\"alert\">{}</p><p class=\"meta\">{} {}</p>",
        Text(&error.message),
        error.status,
        error.code
    );
    Response::page(error.status, layout("Error", &content))
}

fn layout(title: &str, content: &str) -> String {
    let links = [
        ("/", "Overview"),
        ("/user.do", "Users"),
        ("/session.do", "Sessions"),
        ("/notification.do", "Notifications"),
    ];
    let links = links.map(|(href, text)| {
        let current = if text == title {
            " aria-current=\"page\""
        } else {
            ""
        };
        format!("<a href=\"{href}\"{current}>{text}</a>")
    });
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} - lanpush</title><style>{STYLE}</style></head>\
         <body><header><strong>lanpush</strong><nav aria-label=\"Pages\">{}</nav></header>\
         <main>{content}</main></body></html>\n",
        links.concat()
    )
}

fn notice_box(notice: &Notice<'_>) -> String {
    match notice {
        Notice::Sent { queued: 0, .. } => {
            "<p role=\"status\">Stored, but there is no device to get it.</p>".to_owned()
        }
        Notice::Sent { queued, now } => format!(
            "<p role=\"status\">Stored for {}, sent to {now} at once. The others get it when they \
             connect.</p>",
            Count(*queued, "device")
        ),
        Notice::Failed(why) => {
            format!("<p role=\"alert\">Nothing was sent: {}.</p>", Text(why))
        }
    }
}

fn troubles(status: &Status, now: Wall) -> String {
    let mut boxes = String::new();
    if let Some(trouble) = &status.trouble {
        boxes += &format!("<p role=\"alert\">{}</p>", Text(trouble));
    }
    if !now.trusted {
        boxes +=
            "<p role=\"alert\">The clock of this machine is not set; times here are wrong.</p>";
    }
    boxes
}

fn figures(status: &Status) -> String {
    let figure =
        |name: &str, value: &dyn Display| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    let figures = [
        figure("Users", &status.users),
        figure("Users online", &status.users_online),
        figure("Connections", &status.connections),
        figure("Waiting pushes", &status.waiting),
        figure("Dropped", &status.dropped),
        figure("Uptime", &Duration(status.uptime)),
    ];
    format!("<h1>Status</h1><dl>{}</dl>", figures.concat())
}

fn send_form(form: &SendForm<'_>) -> String {
    let kinds = [
        ("0", "Everyone"),
        ("1", "One user"),
        ("2", "Alias"),
        ("3", "Tag"),
    ];
    let kinds = kinds.map(|(value, text)| {
        let selected = if value == form.kind { " selected" } else { "" };
        format!("<option value=\"{value}\"{selected}>{text}</option>")
    });
    format!(
        "<form method=\"post\" action=\"{}\">\
         <label>To<select name=\"broadcast\">{}</select></label>\
         <label>Name of the user, alias or tag<input name=\"who\" value=\"{}\" autocapitalize=\"none\" \
         autocomplete=\"off\"></label>\
         <label class=\"all\">Title<input name=\"title\" value=\"{}\" maxlength=\"{}\"></label>\
         <label class=\"all\">Message<textarea name=\"message\" rows=\"3\" maxlength=\"{}\">\n{}</textarea>\
         </label>\
         <label class=\"all\">Link (optional)<input name=\"uri\" value=\"{}\" maxlength=\"{}\" \
         inputmode=\"url\"></label>\
         <p><button>Send</button></p></form>",
        form.action,
        kinds.concat(),
        Text(form.who),
        Text(form.title),
        limits::TITLE,
        limits::MESSAGE,
        Text(form.message),
        Text(form.uri),
        limits::URI,
    )
}

fn user_table(users: &[UserView], extra: &str) -> String {
    let row = |user: &UserView| {
        let online = match user.online {
            true => "<span class=\"on\">online</span>",
            false => "offline",
        };
        format!(
            "<tr><td>{online}</td><td class=\"id\"><a href=\"/?to={}#send\">{}</a></td>\
             <td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"{extra}\">{}</td>\
             <td class=\"{extra}\">{}</td><td class=\"{extra}\">{}</td></tr>",
            Parameter(&user.name),
            Name(&user.name),
            Name(&user.alias),
            Name(&user.tags.join(", ")),
            user.waiting,
            Name(&user.full_name),
            Name(&user.email),
            Time(user.created),
        )
    };
    let head = format!(
        "<th>Online</th><th>Username</th><th>Alias</th><th>Tags</th><th class=\"n\">Waiting</th>\
         <th class=\"{extra}\">Name</th><th class=\"{extra}\">Email</th>\
         <th class=\"{extra}\">Created (UTC)</th>"
    );
    table(
        "Users",
        &head,
        users.iter().map(row).collect(),
        "Nobody has registered yet.",
    )
}

fn session_table(sessions: &[SessionView], extra: &str) -> String {
    let row = |session: &SessionView| {
        format!(
            "<tr><td class=\"id\">{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"{extra}\">{}</td><td class=\"{extra}\">{}</td></tr>",
            Name(&session.user),
            Name(&session.resource),
            Text(session.status),
            Text(session.presence),
            session.peer.to_canonical(),
            Time(session.created),
        )
    };
    let head = format!(
        "<th>Username</th><th>Resource</th><th>Status</th><th>Presence</th>\
         <th class=\"{extra}\">Client IP</th><th class=\"{extra}\">Created (UTC)</th>"
    );
    table(
        "Sessions",
        &head,
        sessions.iter().map(row).collect(),
        "No phone is connected.",
    )
}

/// A table that scrolls sideways by itself on a small screen, or `none` in place of its rows.
fn table(name: &str, head: &str, rows: String, none: &str) -> String {
    if rows.is_empty() {
        return format!("<p>{none}</p>");
    }
    format!(
        "<div class=\"table\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\"><table><thead>\
         <tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// The way to the whole list, if this is not all of it.
fn rest_link(href: &str, shown: usize, total: usize) -> String {
    if shown < total {
        format!("<p><a href=\"{href}\">All {total}</a></p>")
    } else {
        String::new()
    }
}

fn notification_list(notifications: &[NotificationView], now: Wall) -> String {
    if notifications.is_empty() {
        return "<p>Nothing has been sent yet.</p>".to_owned();
    }
    let items = notifications
        .iter()
        .map(|view| notification_item(view, now));
    format!("<ol>{}</ol>", items.collect::<String>())
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
        Target::Tag(tag) => format!("tag {}", Name(tag)),
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
