//! androidpn's URLs and parameters (servers 0.5 and 0.6, the forks of lijian17 and meijieman), GET and POST.
//!
//! | page | answer |
//! |---|---|
//! | `/notification.do?action=send` | 302 to `/notification.do` |
//! | `/notification_api.do?action=send` | `{"result":"0","description":"success"}` |
//! | `/user_api.do` | `{"data":["u1","u2"]}` |
//!
//! The original says so even when nobody gets the push. Here a push that fails has an error status, which
//! every sender we know takes for a failure: Python's urllib and requests look at it, Java's
//! `HttpURLConnection` throws. `notification_api.do` repeats the status as its `result`.

use std::time::Duration;

use serde::Serialize;

use super::Desk;
use super::ask::notify;
use super::error::HttpError;
use super::form::Fields;
use super::response::Response;
use crate::limits;
use crate::push::Draft;
use crate::push::notification::{Extras, Link, Priority, Target};
use crate::time::parse_calendar;

/// What `notification_api.do` says.
#[derive(Serialize)]
struct Outcome<'a> {
    result: &'a str,
    description: &'a str,
}

/// What `user_api.do` says.
#[derive(Serialize)]
struct Users {
    data: Vec<String>,
}

/// `/notification_api.do`
pub(super) async fn notification_api<D: Desk>(
    desk: &D,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    if fields.trimmed("action") != "send" {
        return Err(HttpError::bad(
            "action",
            "nothing is sent without action=send",
        ));
    }
    notify(desk, draft(fields)?, wait).await?;
    let success = Outcome {
        result: "0",
        description: "success",
    };
    Ok(Response::json(200, &success))
}

/// An error as `notification_api.do` says it.
pub(super) fn failure(error: &HttpError) -> Response {
    let outcome = Outcome {
        result: &error.status.to_string(),
        description: &error.message,
    };
    Response::json(error.status, &outcome)
}

/// `/user_api.do`: names of users, all of them, or those online (`online=1`) or not (`online=0`), or those
/// created at a second or later (`from=2024-05-01 00:00:00`, UTC).
pub(super) async fn user_api<D: Desk>(desk: &D, fields: &Fields) -> Result<Response, HttpError> {
    if !matches!(fields.trimmed("action"), "" | "list") {
        return Err(HttpError::bad("action", "the only action is list"));
    }
    let online = online(fields)?;
    let from = match fields.trimmed("from") {
        "" => 0,
        text => parse_calendar(text).ok_or_else(|| {
            HttpError::bad(
                "invalid-field",
                "from wants a time like 2024-05-31 12:00:00",
            )
        })?,
    };
    let mut data = Vec::new();
    for skip in (0..limits::ACCOUNTS).step_by(limits::API_ROWS) {
        let users = desk.users(online, skip, limits::API_ROWS)?;
        let last = users.len() < limits::API_ROWS;
        let wanted = users.into_iter().filter(|user| user.created >= from);
        data.extend(wanted.map(|user| user.name));
        if last {
            break;
        }
        // Phones get their turn between the pieces of a long list.
        smol::future::yield_now().await;
    }
    Ok(Response::json(200, &Users { data }))
}

/// The parameter `online`: `1`, `0` or nothing.
pub(super) fn online(fields: &Fields) -> Result<Option<bool>, HttpError> {
    match fields.trimmed("online") {
        "" => Ok(None),
        "1" => Ok(Some(true)),
        "0" => Ok(Some(false)),
        _ => Err(HttpError::bad("invalid-field", "online wants 1 or 0")),
    }
}

/// The push that a form describes.
pub(super) fn draft(fields: &Fields) -> Result<Draft, HttpError> {
    let text = |name| fields.get(name).unwrap_or_default().to_owned();
    Ok(Draft {
        target: target(fields)?,
        title: text("title"),
        message: text("message"),
        uri: fields.trimmed("uri").to_owned(),
        extras: Box::new(extras(fields)?),
    })
}

/// What the forks add (`imageUrl`, `validTime` in seconds, `pushtype`), and our own page: `words` are the tags
/// of the notification, for `tags` are those of users, and `links` its actions.
fn extras(fields: &Fields) -> Result<Extras, HttpError> {
    let first = |names: [&'static str; 2]| {
        let values = names.map(|name| fields.trimmed(name));
        values.into_iter().find(|value| !value.is_empty())
    };
    let invalid = |field, message| move || HttpError::field(field, message);
    let ttl = match first(["ttl", "validTime"]) {
        None => Ok(0),
        Some(seconds) => seconds.parse(),
    };
    let priority = match fields.trimmed("priority") {
        "" => Some(Priority::default()),
        number => number.parse().ok().and_then(Priority::new),
    };
    let silent = match first(["pushtype", "pushType"]) {
        None | Some("0" | "notification") => Some(false),
        Some("1" | "payload") => Some(true),
        Some(_) => None,
    };
    let deliver_at = match fields.trimmed("deliver_at") {
        "" => Some(0),
        text => text.parse().ok().or_else(|| parse_calendar(text)),
    };
    let wanted = "deliver_at wants a time like 2026-12-24 18:00 (UTC)";
    let words = fields.trimmed("words").split(',').map(str::trim);
    let links = fields.trimmed("links").lines().map(str::trim);
    let links = links.filter(|line| !line.is_empty()).map(link);
    Ok(Extras {
        image: first(["imageUrl", "image"]).unwrap_or_default().to_owned(),
        priority: priority
            .ok_or_else(invalid("priority", "priority wants a number from 1 to 5"))?,
        tags: words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
        actions: links.collect::<Result<_, _>>()?,
        silent: silent.ok_or_else(invalid(
            "pushtype",
            "pushtype wants 0 for people or 1 for the app",
        ))?,
        sequence: fields.trimmed("sequence").to_owned(),
        ttl: ttl.map_err(|_| invalid("ttl", "validTime (or ttl) wants a number of seconds")())?,
        deliver_at: deliver_at.ok_or_else(invalid("deliver_at", wanted))?,
        ..Extras::default()
    })
}

/// A line such as `Open = http://door.lan/open`.
fn link(line: &str) -> Result<Link, HttpError> {
    let halves = line
        .split_once('=')
        .map(|(label, uri)| (label.trim(), uri.trim()));
    match halves {
        Some((label, uri)) if !label.is_empty() && !uri.is_empty() => Ok(Link {
            label: label.to_owned(),
            uri: uri.to_owned(),
        }),
        _ => Err(HttpError::field(
            "actions",
            "a button wants a line like Open = http://door.lan/",
        )),
    }
}

/// Whom `broadcast` means: the original's Y (default) and N, the forks' 0 to 3, and the words that senders
/// written in Python make of a switch.
fn target(fields: &Fields) -> Result<Target, HttpError> {
    let broadcast = fields.get("broadcast").unwrap_or("Y").trim();
    match broadcast.to_ascii_lowercase().as_str() {
        "y" | "0" | "true" => everyone(fields),
        "n" | "1" | "false" | "" => Ok(Target::User(
            named(fields, &["username", "who"])?.to_lowercase(),
        )),
        "2" => Ok(Target::Alias(named(fields, &["alias", "who"])?)),
        // meijieman's form calls it `tags`, and uses the first.
        "3" => {
            let tags = named(fields, &["tag", "tags", "who"])?.parse();
            let wrong = || HttpError::field("to", "tag wants a tag, or tags with & | ! ( )");
            tags.map(Target::Tags).map_err(|_| wrong())
        }
        "topic" => Ok(Target::Topic(named(fields, &["topic", "who"])?)),
        "device" => {
            let device = named(fields, &["username", "who"])?;
            let wrong = || HttpError::field("to", "a device wants a name like user/device");
            let is_device = |target: &Target| matches!(target, Target::Device { .. });
            device.parse().ok().filter(is_device).ok_or_else(wrong)
        }
        _ => Err(HttpError::field(
            "to",
            "broadcast wants Y or 0 for everyone, N or 1 for a username, 2 for an alias, 3 for a tag",
        )),
    }
}

/// Everyone, unless a name on our own page shows that somebody forgot to choose.
fn everyone(fields: &Fields) -> Result<Target, HttpError> {
    if fields.trimmed("who").is_empty() {
        return Ok(Target::Everyone);
    }
    Err(HttpError::field(
        "to",
        "a name is given, but everyone is chosen; choose what it is the name of, or clear it",
    ))
}

/// The first of `names` that is filled in. `who` is our own page's one field for all of them.
fn named(fields: &Fields, names: &[&'static str]) -> Result<String, HttpError> {
    let mut values = names.iter().map(|name| fields.trimmed(name));
    let value = values.find(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| {
        let name = names.first().copied().unwrap_or_default();
        HttpError {
            code: "missing-field",
            ..HttpError::field("to", format!("{name} is missing"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let user = |name: &str| Ok(Target::User(name.into()));
        for (query, want) in [
            ("", Ok(Target::Everyone)),
            ("username=sam", Ok(Target::Everyone)),
            ("broadcast=Y", Ok(Target::Everyone)),
            ("broadcast=y&username=sam", Ok(Target::Everyone)),
            ("broadcast=0", Ok(Target::Everyone)),
            ("broadcast=True", Ok(Target::Everyone)),
            ("broadcast=N&username=sam", user("sam")),
            ("broadcast=N&username=+Sam+", user("sam")),
            ("broadcast=1&username=sam&alias=x&tag=y", user("sam")),
            ("broadcast=False&username=sam", user("sam")),
            ("broadcast=&username=sam", user("sam")),
            ("broadcast=1&who=sam", user("sam")),
            (
                "broadcast=2&alias=Kitchen&username=x",
                Ok(Target::Alias("Kitchen".into())),
            ),
            (
                "broadcast=2&who=Kitchen",
                Ok(Target::Alias("Kitchen".into())),
            ),
            (
                "broadcast=3&tag=office",
                Ok(Target::Tags("office".parse().unwrap())),
            ),
            (
                "broadcast=3&tags=office",
                Ok(Target::Tags("office".parse().unwrap())),
            ),
            (
                "broadcast=3&who=office",
                Ok(Target::Tags("office".parse().unwrap())),
            ),
            (
                "broadcast=topic&who=doors",
                Ok(Target::Topic("doors".into())),
            ),
            ("broadcast=topic", Err("topic is missing")),
            (
                "broadcast=device&who=Sam/Phone",
                Ok(Target::Device {
                    user: "sam".into(),
                    resource: "Phone".into(),
                }),
            ),
            ("broadcast=device&who=sam", Err("a device wants")),
            ("broadcast=device&who=alias:a", Err("a device wants")),
            ("broadcast=N", Err("username is missing")),
            ("broadcast=1&username=+", Err("username is missing")),
            ("broadcast=2&username=x", Err("alias is missing")),
            ("broadcast=3", Err("tag is missing")),
            ("broadcast=4", Err("broadcast wants")),
            ("broadcast=0&who=sam", Err("a name is given")),
        ] {
            let got = target(&Fields::of_query(query).unwrap());
            match (got, want) {
                (Err(error), Err(start)) => assert!(error.message.starts_with(start), "{query}"),
                (got, want) => assert_eq!(got.ok(), want.ok(), "{query}"),
            }
        }
    }

    #[test]
    fn what_the_forks_add() {
        let plain = Extras::default;
        for (query, want) in [
            ("validTime=&pushtype=0&imageUrl=&image=+", Ok(plain())),
            (
                "validTime=3600",
                Ok(Extras {
                    ttl: 3600,
                    ..plain()
                }),
            ),
            ("ttl=60&validTime=3600", Ok(Extras { ttl: 60, ..plain() })),
            (
                "pushtype=1",
                Ok(Extras {
                    silent: true,
                    ..plain()
                }),
            ),
            (
                "imageUrl=http://x/i.png",
                Ok(Extras {
                    image: "http://x/i.png".into(),
                    ..plain()
                }),
            ),
            (
                "image=http://x/i.png&priority=5",
                Ok(Extras {
                    image: "http://x/i.png".into(),
                    priority: Priority::new(5).unwrap(),
                    ..plain()
                }),
            ),
            (
                "words=door,+cat+,,&sequence=s&deliver_at=2026-12-24T18:00",
                Ok(Extras {
                    tags: vec!["door".into(), "cat".into()],
                    sequence: "s".into(),
                    deliver_at: 1_798_135_200,
                    ..plain()
                }),
            ),
            (
                "deliver_at=1798135200&links=Open+%3D+http://x/%3Fa%3Db%0D%0A%0D%0AShut%3Du",
                Ok(Extras {
                    deliver_at: 1_798_135_200,
                    actions: vec![
                        Link {
                            label: "Open".into(),
                            uri: "http://x/?a=b".into(),
                        },
                        Link {
                            label: "Shut".into(),
                            uri: "u".into(),
                        },
                    ],
                    ..plain()
                }),
            ),
            ("links=http://x/", Err("a button wants")),
            ("links=Open+%3D", Err("a button wants")),
            ("links=%3Dhttp://x/", Err("a button wants")),
            ("deliver_at=tomorrow", Err("deliver_at wants")),
            ("validTime=soon", Err("validTime (or ttl) wants")),
            ("validTime=-1", Err("validTime (or ttl) wants")),
            ("pushtype=2", Err("pushtype wants")),
            ("priority=0", Err("priority wants")),
            ("priority=high", Err("priority wants")),
        ] {
            let got = extras(&Fields::of_query(query).unwrap());
            match (got, want) {
                (Err(error), Err(start)) => assert!(error.message.starts_with(start), "{query}"),
                (got, want) => assert_eq!(got.ok(), want.ok(), "{query}"),
            }
        }
    }

    #[test]
    fn missing_fields_are_empty() {
        let draft = draft(&Fields::of_query("message=+a%0D%0Ab").unwrap()).unwrap();
        assert_eq!(
            (&*draft.title, &*draft.message, &*draft.uri),
            ("", " a\nb", "")
        );
    }
}
