//! `admin sees …`: the gateway's own account of itself, as the page and the API show it.

use super::script::Sight;
use super::stage::{BEGIN, Stage};
use super::words::Settings;

/// Rows asked for; scripts never have as many.
const ALL: usize = 10_000;

pub(crate) fn check(stage: &mut Stage, sight: &Sight) -> Result<(), String> {
    match sight {
        Sight::Push(label, states) => push(stage, label, states.as_ref()),
        Sight::Times(label, device, facts) => times(stage, label, device, facts),
        Sight::User(name, facts) => {
            let users = stage.gateway()?.users(None, 0, ALL);
            let users = users.map_err(|error| error.to_string())?;
            let user = users.into_iter().find(|user| user.name == *name);
            let seen = user.map(|user| {
                facts_of(&[
                    ("online", yes(user.online)),
                    ("name", user.full_name),
                    ("email", user.email),
                    ("alias", user.alias),
                    ("tags", user.tags.join(",")),
                    ("waiting", user.waiting.to_string()),
                ])
            });
            compare(seen, facts.as_ref())
        }
        Sight::Session(jid, facts) => {
            let now = stage.now;
            let sessions = stage.gateway()?.sessions(0, ALL, now);
            let mut same = sessions
                .into_iter()
                .filter(|session| format!("{}/{}", session.user, session.resource) == *jid);
            let seen = same.next().map(|session| {
                facts_of(&[
                    ("status", session.status.to_owned()),
                    ("presence", session.presence.to_owned()),
                    ("peer", session.peer.to_string()),
                ])
            });
            if same.next().is_some() {
                return Err(format!("there are two sessions {jid}"));
            }
            compare(seen, facts.as_ref())
        }
        Sight::Status(facts) => {
            let now = stage.now;
            let clock = stage.basis().as_str().to_owned();
            let status = stage.gateway()?.status(now);
            let seen = facts_of(&[
                ("users", status.users.to_string()),
                ("users-online", status.users_online.to_string()),
                ("connections", status.connections.to_string()),
                ("asleep", status.asleep.to_string()),
                ("sessions", status.sessions.to_string()),
                ("waiting", status.waiting.to_string()),
                ("notifications", status.notifications.to_string()),
                ("dropped", status.dropped.to_string()),
                ("expired", status.expired.to_string()),
                ("withdrawn", status.withdrawn.to_string()),
                ("scheduled", status.scheduled.to_string()),
                ("uptime", status.uptime.to_string()),
                ("clock", clock),
                ("trouble", yes(status.trouble.is_some())),
            ]);
            compare(Some(seen), Some(facts))
        }
    }
}

fn push(stage: &mut Stage, label: &str, states: Option<&Settings>) -> Result<(), String> {
    let id = stage
        .scope
        .get(label)
        .ok_or_else(|| format!("nothing has been called {{{label}}} so far"))?
        .to_owned();
    let notifications = stage.gateway()?.notifications(0, ALL, ALL);
    let notifications = notifications.map_err(|error| error.to_string())?;
    let view = notifications
        .into_iter()
        .find(|view| view.notification.id.to_string() == id);
    let seen = view.map(|view| {
        let mut seen: Settings = view
            .deliveries
            .iter()
            .map(|delivery| (delivery.device.clone(), delivery.state.as_str().to_owned()))
            .collect();
        seen.sort();
        seen
    });
    let wanted = states.map(|states| {
        let mut wanted = states.clone();
        wanted.sort();
        wanted
    });
    if seen == wanted {
        return Ok(());
    }
    Err(format!(
        "what there is: {}",
        seen.map_or_else(
            || "no such notification".to_owned(),
            |seen| {
                let states: Vec<_> = seen
                    .iter()
                    .map(|(device, state)| format!("{device} {state}"))
                    .collect();
                states.join(", ")
            },
        )
    ))
}

/// When a device got how far, in seconds since the beginning.
fn times(stage: &mut Stage, label: &str, device: &str, facts: &Settings) -> Result<(), String> {
    let id = stage.id_of(label)?;
    let view = stage.gateway()?.notification(id, 0, ALL);
    let view = view
        .map_err(|error| error.to_string())?
        .ok_or("there is no such notification")?;
    let mut deliveries = view.deliveries.into_iter();
    let seen = deliveries
        .find(|delivery| delivery.device == device)
        .map(|delivery| {
            let since = |second: u64| match second {
                0 => "never".to_owned(),
                second => (second - BEGIN / 1000).to_string(),
            };
            facts_of(&[
                ("state", delivery.state.as_str().to_owned()),
                ("at", since(delivery.at)),
                ("queued", since(delivery.queued)),
                ("sent", since(delivery.sent)),
                ("acknowledged", since(delivery.acknowledged)),
            ])
        });
    compare(seen, Some(facts))
}

/// Compares only the facts the script names.
fn compare(seen: Option<Settings>, wanted: Option<&Settings>) -> Result<(), String> {
    match (seen, wanted) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err("there is none".to_owned()),
        (Some(seen), None) => Err(format!("there is one: {}", written(&seen))),
        (Some(seen), Some(wanted)) => {
            for (key, value) in wanted {
                let found = seen.iter().find(|(name, _)| name == key);
                match found {
                    None => return Err(format!("there is no fact {key:?}")),
                    Some((_, found)) if found != value => {
                        return Err(format!("what there is: {}", written(&seen)));
                    }
                    Some(_) => {}
                }
            }
            Ok(())
        }
    }
}

fn facts_of(facts: &[(&str, String)]) -> Settings {
    facts
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

fn written(facts: &Settings) -> String {
    let facts: Vec<_> = facts
        .iter()
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    facts.join(" ")
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
