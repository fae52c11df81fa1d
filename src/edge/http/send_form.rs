//! The part of a page by which people send: what is always wanted, and what few pushes need.

use super::form::Fields;
use super::html::Text;
use crate::limits;
use crate::time::{Wall, calendar};

/// Fields that are folded away while they are empty.
const RARE: [&str; 9] = [
    "priority",
    "ttl",
    "deliver_at",
    "image",
    "words",
    "links",
    "sequence",
    "pushtype",
    "pushType",
];

/// The form to send, with what is filled in.
pub(super) struct SendForm<'a> {
    /// Where it goes.
    pub(super) action: &'static str,
    /// What is filled in: as it was sent, or as a link to the page has it (`?to=`).
    pub(super) fields: &'a Fields,
    /// The field that was wrong, as [`super::error::HttpError::field`] names it.
    pub(super) wrong: Option<&'static str>,
    /// The present.
    pub(super) now: Wall,
}

/// The form.
pub(super) fn send_form(form: &SendForm<'_>) -> String {
    let kinds = [
        ("0", "Everyone"),
        ("1", "One user"),
        ("device", "One device"),
        ("2", "Alias"),
        ("3", "Tag or condition"),
        ("topic", "Topic"),
    ];
    let (kind, who) = form.target();
    let url = format!("maxlength=\"{}\" inputmode=\"url\"", limits::URI);
    format!(
        "<form method=\"post\" action=\"{}\">\
         <label>To<select name=\"broadcast\">{}</select></label>\
         <label>Name: user, user/device, alias, tag (or a &amp; !b) or topic<input name=\"who\" \
         value=\"{}\" autocapitalize=\"none\" autocomplete=\"off\"{}></label>\
         {}<label class=\"all\">Message<textarea name=\"message\" rows=\"3\" maxlength=\"{}\"{}>\n{}\
         </textarea></label>{}{}<p><button>Send</button></p></form>",
        form.action,
        options(&kinds, kind),
        Text(who),
        form.mark("to"),
        form.input(
            "title",
            "Title",
            &format!("maxlength=\"{}\"", limits::TITLE)
        ),
        limits::MESSAGE,
        form.mark("message"),
        Text(form.value("message")),
        form.input("uri", "Link (optional)", &url),
        rare_fields(form, &url),
    )
}

/// What few pushes need.
fn rare_fields(form: &SendForm<'_>, url: &str) -> String {
    let priorities = [
        ("", "Normal"),
        ("1", "1 (least)"),
        ("2", "2"),
        ("4", "4"),
        ("5", "5 (most)"),
    ];
    let times = [
        ("", "Until it arrives"),
        ("3600", "For an hour"),
        ("86400", "For a day"),
        ("604800", "For a week"),
    ];
    let is_wanted = |name: &&str| !matches!(form.value(name).trim(), "" | "0");
    let open = match RARE.iter().any(is_wanted) || form.wrong.is_some_and(is_rare) {
        true => " open",
        false => "",
    };
    let silent = match form.value("pushtype").trim() {
        "1" | "payload" => " checked",
        _ => "",
    };
    let label = format!("maxlength=\"{}\"", limits::LABEL);
    format!(
        "<details{open}><summary>More</summary><div class=\"pair\">\
         <label>Priority<select name=\"priority\"{}>{}</select></label>\
         <label>Worth delivering<select name=\"ttl\"{}>{}</select></label>{}{}{}{}\
         <label class=\"all\">Buttons, one on each line: Label = http://…<textarea name=\"links\" rows=\"2\"{}>\n\
         {}</textarea></label>\
         <label class=\"all check\"><input type=\"checkbox\" name=\"pushtype\" value=\"1\"{silent}>\
         Silent: for the app, nothing is shown</label></div></details>",
        form.mark("priority"),
        options(&priorities, form.value("priority").trim()),
        form.mark("ttl"),
        options(&times, form.value("ttl").trim()),
        form.input(
            "deliver_at",
            &deliver_at(form.now),
            "type=\"datetime-local\""
        ),
        form.input(
            "sequence",
            "Series (the newest replaces the others)",
            &label
        ),
        form.input("words", "Tags, with commas", ""),
        form.input("image", "Link to a picture", url),
        form.mark("actions"),
        Text(form.value("links")),
    )
}

/// Whether a field that is wrong is folded away.
fn is_rare(field: &str) -> bool {
    matches!(field, "tags" | "actions") || RARE.contains(&field)
}

/// The server has no time zone but UTC, and cannot ask a browser without a script.
fn deliver_at(now: Wall) -> String {
    let text = calendar(now.seconds());
    let time = text.split_once(' ').and_then(|(_, time)| time.get(..5));
    match time.filter(|_| now.trusted) {
        Some(time) => format!("Deliver at (UTC, where it is {time} now)"),
        None => "Deliver at (UTC)".to_owned(),
    }
}

impl SendForm<'_> {
    /// What is filled in for whom it goes to: a choice of `broadcast`, and a name.
    fn target(&self) -> (&str, &str) {
        let to = self.fields.trimmed("to");
        let broadcast = self.fields.trimmed("broadcast");
        if broadcast.is_empty() && !to.is_empty() {
            let kind = if to.contains('/') { "device" } else { "1" };
            return (kind, to);
        }
        let kind = match broadcast {
            "N" | "n" => "1",
            "Y" | "y" => "0",
            kind => kind,
        };
        let names = ["who", "username", "alias", "tag", "topic"].into_iter();
        let mut values = names.map(|name| self.fields.trimmed(name));
        let who = values.find(|value| !value.is_empty());
        (kind, who.unwrap_or_default())
    }

    fn value(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    /// A line of text with its label, as wide as the form.
    fn input(&self, name: &str, label: &str, attributes: &str) -> String {
        let field = if name == "words" { "tags" } else { name };
        let value = Text(self.value(name));
        let mark = self.mark(field);
        format!(
            "<label class=\"all\">{label}<input name=\"{name}\" value=\"{value}\" {attributes}{mark}></label>"
        )
    }

    /// What shows that a field is the wrong one: the browser goes there, the notice says why.
    fn mark(&self, field: &str) -> &'static str {
        if self.wrong == Some(field) {
            " aria-invalid=\"true\" aria-describedby=\"why\" autofocus"
        } else {
            ""
        }
    }
}

/// The choices of a select: value and text of each, and what was chosen though it is none of them.
fn options(choices: &[(&str, &str)], chosen: &str) -> String {
    let option = |value: &str, text: &str| {
        let selected = if value == chosen { " selected" } else { "" };
        let (value, text) = (Text(value), Text(text));
        format!("<option value=\"{value}\"{selected}>{text}</option>")
    };
    let mut all: String = choices
        .iter()
        .map(|(value, text)| option(value, text))
        .collect();
    if !chosen.is_empty() && choices.iter().all(|(value, _)| *value != chosen) {
        all += &option(chosen, chosen);
    }
    all
}
