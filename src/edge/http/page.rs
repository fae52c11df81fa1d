//! What people see: one function per view, one stylesheet for all, no scripts, nothing from elsewhere.

use std::fmt::Display;

use super::error::HttpError;
use super::history::notification_list;
use super::html::{Count, Duration, Name, Text, Time};
use super::people::{short_table, user_link};
use super::response::Response;
use super::send_form::{SendForm, send_form};
use crate::push::views::{NotificationView, SessionView, Status, UserView};
use crate::time::{Basis, Wall};

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

/// What became of the last push or withdrawal.
pub(super) enum Notice<'a> {
    /// The push has been taken.
    Sent {
        /// Devices it is kept for.
        queued: usize,
        /// Those among them that are connected.
        now: usize,
    },
    /// The push has been taken, and waits for its time.
    Scheduled,
    /// A topic has been given or taken away.
    Topics,
    /// Tags of a user are other ones now.
    Tags,
    /// There is a token, told this once.
    Invited {
        /// With the token.
        uri: &'a str,
        /// Second since 1970.
        expires: Option<u64>,
    },
    /// A notification has been taken back.
    Withdrawn {
        /// Devices that will not get it.
        spared: usize,
        /// Devices that have it and are told.
        told: usize,
    },
    /// It has not been done.
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
        "{}{}<section id=\"send\"><h1>Send</h1>{}</section>\
         <section id=\"sent\"><h2>Notifications</h2>{}</section>\
         <section><h2>Status</h2>{}</section>\
         <section><h2>Users</h2>{}{}</section>\
         <section><h2>Sessions</h2>{}{}</section>",
        notice.map(notice_box).unwrap_or_default(),
        troubles(status, *now),
        send_form(form),
        notification_list(notifications, *now),
        figures(status),
        short_table(users),
        rest_link("/user.do", users.len(), status.users),
        session_table(sessions, false),
        rest_link("/session.do", sessions.len(), status.connections),
    );
    layout("Overview", &content)
}

/// `/session.do`: androidpn's columns; `total` counts those not listed too.
pub(super) fn sessions(sessions: &[SessionView], total: usize) -> String {
    let rest = total.saturating_sub(sessions.len());
    let rest = match rest {
        0 => String::new(),
        rest => format!("<p>and {rest} older</p>"),
    };
    let content = format!("<h1>Sessions</h1>{}{rest}", session_table(sessions, true));
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

/// A whole page.
pub(super) fn layout(title: &str, content: &str) -> String {
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

/// What became of what was asked.
pub(super) fn notice_box(notice: &Notice<'_>) -> String {
    match notice {
        Notice::Sent { queued: 0, .. } => {
            "<p role=\"status\">Stored, but there is no device to get it.</p>".to_owned()
        }
        Notice::Sent { queued, now } => {
            let others = match queued > now {
                true => " The others get it when they connect.",
                false => "",
            };
            let devices = Count(*queued, "device");
            format!(
                "<p role=\"status\">Stored for {devices}, sent to {now} at once.{others} \
                 <a href=\"#sent\">What becomes of it</a></p>"
            )
        }
        Notice::Scheduled => "<p role=\"status\">Stored; it goes out at its time. \
             <a href=\"#sent\">What becomes of it</a></p>"
            .to_owned(),
        Notice::Topics => "<p role=\"status\">The topics have been changed.</p>".to_owned(),
        Notice::Tags => "<p role=\"status\">The tags have been changed.</p>".to_owned(),
        Notice::Invited { uri, expires } => {
            let end = match expires {
                Some(second) => format!("until {} (UTC)", Time(*second)),
                None => "until it is used, since the clock of this machine is not set".to_owned(),
            };
            format!(
                "<p role=\"status\">Whoever opens this address in a chat app can register one account, \
                 {end}. It is not shown again.<br><code>{}</code></p>",
                Text(uri)
            )
        }
        Notice::Withdrawn { spared, told } => {
            let devices = Count(*spared, "device");
            format!(
                "<p role=\"status\">Withdrawn: {devices} will not get it, {told} that had it told.</p>"
            )
        }
        Notice::Failed(why) => {
            format!(
                "<p role=\"alert\" id=\"why\">That did not work: {}.</p>",
                Text(why)
            )
        }
    }
}

fn troubles(status: &Status, now: Wall) -> String {
    let mut boxes = String::new();
    if let Some(trouble) = &status.trouble {
        boxes += &format!(
            "<p role=\"alert\">New pushes are refused: {}.</p>",
            Text(trouble)
        );
    }
    for warning in &status.warnings {
        boxes += &format!("<p role=\"alert\">{}.</p>", Text(warning));
    }
    if !now.trusted {
        boxes += "<p role=\"alert\">The clock of this machine is not set: times here are wrong, \
                  nothing expires, and nothing that is scheduled is sent.</p>";
    } else if status.clock == Basis::Hints {
        boxes += "<p role=\"alert\">The clock of this machine is wrong; the time has been told by \
                  phones or an administrator.</p>";
    }
    boxes
}

fn figures(status: &Status) -> String {
    let figure =
        |name: &str, value: &dyn Display| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    let repaired = &status.repaired;
    let repairs = [
        ("Unfinished snapshots removed", repaired.leftovers_removed),
        ("Snapshots dropped", repaired.snapshots_dropped),
        ("Databases set aside", repaired.set_aside),
        ("Restored from the export", repaired.restored),
        ("Started empty", repaired.started_empty),
        ("Damaged records", repaired.damaged_records),
    ];
    let repairs = repairs.iter().filter(|(_, count)| *count > 0);
    let repairs: String = repairs.map(|(name, count)| figure(name, count)).collect();
    let figures = [
        figure("Users", &status.users),
        figure("Users online", &status.users_online),
        figure("Connections", &status.connections),
        figure("Waiting", &status.waiting),
        figure("Scheduled", &status.scheduled),
        figure("Dropped", &status.dropped),
        figure("Uptime", &Duration(status.uptime)),
    ];
    let certificate = status.fingerprint.as_ref().map(|fingerprint| {
        format!(
            "<p class=\"meta\">Certificate for TLS, SHA-256: <code>{}</code></p>",
            Text(fingerprint)
        )
    });
    format!(
        "<dl>{}{repairs}</dl>{}",
        figures.concat(),
        certificate.unwrap_or_default()
    )
}

/// Sessions: androidpn's columns, or only who is there.
fn session_table(sessions: &[SessionView], all: bool) -> String {
    let row = |session: &SessionView| {
        let user = match session.user.as_str() {
            "" => "not logged in".to_owned(),
            user => user_link(user),
        };
        let resource = name(&session.resource);
        let presence = Text(session.presence).to_string();
        if all {
            let status = Text(session.status).to_string();
            let peer = session.peer.to_canonical().to_string();
            let created = Time(session.created).to_string();
            vec![user, resource, status, presence, peer, created]
        } else {
            vec![user, presence, resource]
        }
    };
    let columns: &[&str] = if all {
        &[
            "Username",
            "Resource",
            "Status",
            "Presence",
            "Client IP",
            "Created (UTC)",
        ]
    } else {
        &["Username", "Presence", "Resource"]
    };
    table(
        "Sessions",
        columns,
        sessions.iter().map(row),
        "No phone is connected.",
    )
}

/// A name, or nothing if there is none.
pub(super) fn name(text: &str) -> String {
    match text {
        "" => String::new(),
        text => Name(text).to_string(),
    }
}

/// A table of cells that are HTML, which scrolls sideways by itself on a small screen; `none` if it is empty.
pub(super) fn table(
    title: &str,
    columns: &[&str],
    rows: impl ExactSizeIterator<Item = Vec<String>>,
    none: &str,
) -> String {
    if rows.len() == 0 {
        return format!("<p>{none}</p>");
    }
    let head: String = columns
        .iter()
        .map(|column| format!("<th>{column}</th>"))
        .collect();
    let rows: String = rows
        .map(|cells| format!("<tr><td>{}</td></tr>", cells.join("</td><td>")))
        .collect();
    format!(
        "<div class=\"table\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\"><table><thead>\
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
