//! The part of a page by which people send: what is always wanted, and what few pushes need.

use super::html::Text;
use crate::limits;

/// The form to send, with what is filled in.
pub(super) struct SendForm<'a> {
    /// Where it goes.
    pub(super) action: &'static str,
    /// Value of `broadcast`: `0`, `1`, `2`, `3` or `topic`.
    pub(super) kind: &'a str,
    /// User, alias, tag expression or topic.
    pub(super) who: &'a str,
    /// Title.
    pub(super) title: &'a str,
    /// Message.
    pub(super) message: &'a str,
    /// URI.
    pub(super) uri: &'a str,
    /// URI of a picture.
    pub(super) image: &'a str,
    /// `1` to `5`, or nothing.
    pub(super) priority: &'a str,
    /// Seconds to live, or nothing.
    pub(super) ttl: &'a str,
}

/// The form.
pub(super) fn send_form(form: &SendForm<'_>) -> String {
    let kinds = [
        ("0", "Everyone"),
        ("1", "One user"),
        ("2", "Alias"),
        ("3", "Tag or condition"),
        ("topic", "Topic"),
    ];
    format!(
        "<form method=\"post\" action=\"{}\">\
         <label>To<select name=\"broadcast\">{}</select></label>\
         <label>Name of the user, alias, tag (or a &amp; !b) or topic<input name=\"who\" value=\"{}\" \
         autocapitalize=\"none\" autocomplete=\"off\"></label>\
         <label class=\"all\">Title<input name=\"title\" value=\"{}\" maxlength=\"{}\"></label>\
         <label class=\"all\">Message<textarea name=\"message\" rows=\"3\" maxlength=\"{}\">\n{}</textarea>\
         </label>\
         <label class=\"all\">Link (optional)<input name=\"uri\" value=\"{}\" maxlength=\"{}\" \
         inputmode=\"url\"></label>\
         {}<p><button>Send</button></p></form>",
        form.action,
        options(&kinds, form.kind),
        Text(form.who),
        Text(form.title),
        limits::TITLE,
        limits::MESSAGE,
        Text(form.message),
        Text(form.uri),
        limits::URI,
        rare_fields(form),
    )
}

/// What few pushes need.
fn rare_fields(form: &SendForm<'_>) -> String {
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
    let given = [form.priority, form.ttl, form.image];
    let open = if given.iter().any(|value| !value.is_empty()) {
        " open"
    } else {
        ""
    };
    format!(
        "<details{open}><summary>More</summary>\
         <label>Priority<select name=\"priority\">{}</select></label>\
         <label>Worth delivering<select name=\"ttl\">{}</select></label>\
         <label>Link to a picture<input name=\"image\" value=\"{}\" maxlength=\"{}\" inputmode=\"url\">\
         </label></details>",
        options(&priorities, form.priority),
        options(&times, form.ttl),
        Text(form.image),
        limits::URI,
    )
}

/// The choices of a select: value and text of each.
fn options(choices: &[(&str, &str)], chosen: &str) -> String {
    let option = |(value, text): &(&str, &str)| {
        let selected = if *value == chosen { " selected" } else { "" };
        format!("<option value=\"{value}\"{selected}>{text}</option>")
    };
    choices.iter().map(option).collect()
}
