//! What people see of users: the list, and the page of one user with their devices and topics.

use super::form::Fields;
use super::html::{Name, Parameter, Text, Time};
use super::page::{Notice, layout, name, notice_box, table};
use crate::limits;
use crate::push::TopicOf;
use crate::push::views::{DeviceView, UserDetails, UserView};

/// A user of a list, and what they have subscribed to.
pub(super) type Row = (UserView, Vec<TopicOf>);

/// `/user.do`: androidpn's columns, and ours behind them; `invites`: whether a token would let anybody in.
pub(super) fn users(
    rows: &[Row],
    offset: usize,
    more: bool,
    invites: bool,
    notice: Option<&Notice<'_>>,
) -> String {
    let back = (offset > 0).then(|| offset.saturating_sub(limits::PAGE_ROWS));
    let on = more.then(|| offset + rows.len());
    let link = |offset: Option<usize>, text| match offset {
        Some(offset) => format!("<a href=\"/user.do?offset={offset}\">{text}</a> "),
        None => String::new(),
    };
    let columns = [
        "Online",
        "Username",
        "Name",
        "Email",
        "Created (UTC)",
        "Alias",
        "Tags",
        "Topics",
        "Waiting",
    ];
    let row = |(user, topics): &Row| {
        vec![
            online(user.online),
            format!(
                "<a href=\"/user.do?name={}\">{}</a>",
                Parameter(&user.name),
                Name(&user.name)
            ),
            name(&user.full_name),
            name(&user.email),
            Time(user.created).to_string(),
            name(&user.alias),
            name(&user.tags.join(", ")),
            name(&topic_names(topics)),
            user.waiting.to_string(),
        ]
    };
    let content = format!(
        "{}<h1>Users</h1>{}<p class=\"meta\">A name leads to the user's devices and topics.</p>{}<p>{}{}</p>",
        notice.map(notice_box).unwrap_or_default(),
        if invites { INVITE } else { "" },
        table(
            "Users",
            &columns,
            rows.iter().map(row),
            "Nobody has registered yet."
        ),
        link(back, "Previous"),
        link(on, "Next")
    );
    layout("Users", &content)
}

/// The button that makes a token; the command line makes others.
const INVITE: &str =
    "<form method=\"post\" action=\"/user.do?action=invite\"><p><button>Invite</button></p></form>";

/// Users as the overview has them: what sending needs.
pub(super) fn short_table(users: &[UserView]) -> String {
    let row = |user: &UserView| {
        vec![
            online(user.online),
            user_link(&user.name),
            user.waiting.to_string(),
            name(&user.alias),
            name(&user.tags.join(", ")),
        ]
    };
    table(
        "Users",
        &["Online", "Username", "Waiting", "Alias", "Tags"],
        users.iter().map(row),
        "Nobody has registered yet.",
    )
}

/// A user's name that leads to the form with that user filled in: names of stock clients are 32 hex digits.
pub(super) fn user_link(user: &str) -> String {
    send_link(user, &Name(user).to_string())
}

fn send_link(to: &str, text: &str) -> String {
    format!("<a href=\"/?to={}#send\">{text}</a>", Parameter(to))
}

fn online(is_online: bool) -> String {
    match is_online {
        true => "<span class=\"on\">online</span>".to_owned(),
        false => "offline".to_owned(),
    }
}

/// Each topic once.
fn topic_names(topics: &[TopicOf]) -> String {
    let mut names: Vec<&str> = topics.iter().map(|one| &*one.topic).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// `/user.do?name=`: one user. `fields` is what is filled in, `wrong` the field that cannot be so.
pub(super) fn user(
    details: &UserDetails,
    topics: &[TopicOf],
    fields: &Fields,
    wrong: Option<&str>,
    notice: Option<&Notice<'_>>,
) -> String {
    let UserDetails { user, devices } = details;
    let facts = [
        ("Alias", &user.alias),
        ("Name", &user.full_name),
        ("Email", &user.email),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let facts = facts.map(|(fact, value)| format!("<br>{fact}: {}", Name(value)));
    let content = format!(
        "{}<h1>{}</h1><p>{}{}<br>Registered: {}<br>{}</p><h2>Devices</h2>{}<h2>Topics</h2>{}{}<h2>Tags</h2>{}",
        notice.map(notice_box).unwrap_or_default(),
        Name(&user.name),
        online(user.online),
        facts.collect::<String>(),
        Time(user.created),
        send_link(&user.name, "Send to this user"),
        device_table(&user.name, devices),
        topic_list(&user.name, topics),
        subscribe_form(&user.name, devices, fields, wrong),
        tags_form(user, fields, wrong),
    );
    layout("Users", &content)
}

fn device_table(user: &str, devices: &[DeviceView]) -> String {
    let row = |device: &DeviceView| {
        let seen = match (device.presence, device.last_seen) {
            (None, 0) => String::new(),
            (None, at) => Time(at).to_string(),
            (Some(_), _) => "now".to_owned(),
        };
        let to = format!("{user}/{}", device.resource);
        vec![
            send_link(&to, &Name(&device.resource).to_string()),
            match device.presence {
                Some(word) => format!("<span class=\"on\">{}</span>", Text(word)),
                None => "Offline".to_owned(),
            },
            device.waiting.to_string(),
            seen,
        ]
    };
    table(
        "Devices",
        &["Device", "Presence", "Waiting", "Last seen (UTC)"],
        devices.iter().map(row),
        "None has logged in yet.",
    )
}

/// All tags in one field.
fn tags_form(user: &UserView, fields: &Fields, wrong: Option<&str>) -> String {
    let mark = match wrong {
        Some("tag" | "tags") => " aria-invalid=\"true\" aria-describedby=\"why\" autofocus",
        _ => "",
    };
    let has = user.tags.join(", ");
    format!(
        "<form method=\"post\" action=\"/user.do?action=tags\">\
         <input type=\"hidden\" name=\"name\" value=\"{}\">\
         <label>Tags, with commas between them<input name=\"tags\" value=\"{}\" maxlength=\"{}\" \
         autocapitalize=\"none\" autocomplete=\"off\"{mark}></label><p><button>Set tags</button></p></form>",
        Text(&user.name),
        Text(fields.get("tags").unwrap_or(&has)),
        limits::TAGS * (limits::LABEL + ", ".len()),
    )
}

/// What the user has, each with the button that takes it away.
fn topic_list(user: &str, topics: &[TopicOf]) -> String {
    if topics.is_empty() {
        return "<p>None. Whoever has a topic gets what is sent to it.</p>".to_owned();
    }
    let item = |one: &TopicOf| {
        let whose = match &one.resource {
            Some(resource) => format!("on {} only", Name(resource)),
            None => "on all devices".to_owned(),
        };
        format!(
            "<li><form class=\"row\" method=\"post\" action=\"/user.do?action=unsubscribe\">\
             <input type=\"hidden\" name=\"name\" value=\"{}\">\
             <input type=\"hidden\" name=\"topic\" value=\"{}\">\
             <input type=\"hidden\" name=\"resource\" value=\"{}\">\
             <span>{} <span class=\"meta\">{whose}</span></span><button>Remove</button></form></li>",
            Text(user),
            Text(&one.topic),
            Text(one.resource.as_deref().unwrap_or_default()),
            Name(&one.topic),
        )
    };
    format!("<ol>{}</ol>", topics.iter().map(item).collect::<String>())
}

fn subscribe_form(
    user: &str,
    devices: &[DeviceView],
    fields: &Fields,
    wrong: Option<&str>,
) -> String {
    let chosen = fields.get("resource").unwrap_or_default();
    let option = |device: &DeviceView| {
        let selected = if device.resource == chosen {
            " selected"
        } else {
            ""
        };
        let resource = Text(&device.resource);
        format!("<option value=\"{resource}\"{selected}>{resource} only</option>")
    };
    let mark = match wrong {
        Some("topic") => " aria-invalid=\"true\" aria-describedby=\"why\" autofocus",
        _ => "",
    };
    format!(
        "<form method=\"post\" action=\"/user.do?action=subscribe\">\
         <input type=\"hidden\" name=\"name\" value=\"{}\">\
         <label>Devices<select name=\"resource\"><option value=\"\">All devices</option>{}</select></label>\
         <label>Topic<input name=\"topic\" value=\"{}\" maxlength=\"{}\" autocapitalize=\"none\" \
         autocomplete=\"off\"{mark}></label><p><button>Add topic</button></p></form>",
        Text(user),
        devices.iter().map(option).collect::<String>(),
        Text(fields.get("topic").unwrap_or_default()),
        limits::LABEL,
    )
}
