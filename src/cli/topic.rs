//! `lanpush topic add|del|list`: who has subscribed to what.

use lanpush::edge::logging::printable;
use serde::Deserialize;

use super::admin::{Admin, NO_BODY, percent_encoded};
use super::{Failure, say};

/// What is to happen with topics.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Add(Subscription),
    Remove(Subscription),
    List { user: String },
}

/// A topic and who is to have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub user: String,
    /// The one device that is meant, or all of the user's.
    pub resource: Option<String>,
    pub topic: String,
}

#[derive(Deserialize)]
struct Page {
    topics: Vec<Topic>,
}

#[derive(Deserialize)]
struct Topic {
    topic: String,
    resource: Option<String>,
}

impl Subscription {
    /// From the words `USER[/RESOURCE]` and `TOPIC`.
    pub(super) fn of(who: &str, topic: &str) -> Self {
        let (user, resource) = match who.split_once('/') {
            Some((user, resource)) => (user, Some(resource.to_owned())),
            None => (who, None),
        };
        Self {
            user: user.to_owned(),
            resource,
            topic: topic.to_owned(),
        }
    }

    fn path(&self) -> String {
        let topic = percent_encoded(&self.topic);
        let path = format!("{}/{topic}", path(&self.user));
        match &self.resource {
            Some(resource) => format!("{path}?resource={}", percent_encoded(resource)),
            None => path,
        }
    }
}

pub(super) fn perform(admin: &Admin, action: Action) -> Result<(), Failure> {
    match action {
        Action::Add(subscription) => {
            admin.ask("PUT", &subscription.path(), NO_BODY)?;
            say(&format!("topic {} added\n", printable(&subscription.topic)))
        }
        Action::Remove(subscription) => {
            admin.ask("DELETE", &subscription.path(), NO_BODY)?;
            let topic = printable(&subscription.topic);
            say(&format!("topic {topic} removed\n"))
        }
        Action::List { user } => {
            let Page { topics } = admin.ask("GET", &path(&user), NO_BODY)?.json()?;
            if topics.is_empty() {
                return say("no topics\n");
            }
            say(&topics.iter().map(row).collect::<String>())
        }
    }
}

fn path(user: &str) -> String {
    format!("/api/v1/users/{}/topics", percent_encoded(user))
}

fn row(topic: &Topic) -> String {
    let name = printable(&topic.topic);
    match &topic.resource {
        Some(resource) => format!("{name} (only {})\n", printable(resource)),
        None => format!("{name}\n"),
    }
}
