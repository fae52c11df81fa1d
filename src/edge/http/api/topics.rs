//! Topics of users and their devices, for the administrator.

use std::time::Duration;

use serde::Serialize;
use tiny_http::Method;

use crate::edge::http::Desk;
use crate::edge::http::ask::ask;
use crate::edge::http::error::HttpError;
use crate::edge::http::form::Fields;
use crate::edge::http::response::Response;
use crate::push::notification::Target;
use crate::push::{Refusal, Request, TopicOf};

#[derive(Serialize)]
struct TopicsOut {
    topics: Vec<TopicOut>,
}

#[derive(Serialize)]
struct TopicOut {
    topic: String,
    /// The one device that has it; all of the user's have it if there is none.
    resource: Option<String>,
}

impl From<TopicOf> for TopicOut {
    fn from(topic: TopicOf) -> Self {
        Self {
            topic: topic.topic,
            resource: topic.resource,
        }
    }
}

/// `GET users/NAME/topics`; [`crate::limits::SUBSCRIPTIONS`] bounds it.
pub(super) fn list<D: Desk>(desk: &D, user: &str, fields: &Fields) -> Result<Response, HttpError> {
    fields.only(&[])?;
    let unknown = || HttpError::from(Refusal::Unknown(Target::User(user.to_owned())));
    let topics = desk.topics(user).ok_or_else(unknown)?;
    let topics = topics.into_iter().map(TopicOut::from).collect();
    Ok(Response::json(200, &TopicsOut { topics }))
}

/// `PUT` and `DELETE users/NAME/topics/TOPIC`
pub(super) async fn change<D: Desk>(
    desk: &D,
    verb: &Method,
    user: &str,
    topic: &str,
    fields: &Fields,
    wait: Duration,
) -> Result<Response, HttpError> {
    fields.only(&["resource"])?;
    let topic = TopicOf {
        topic: topic.to_owned(),
        user: user.to_owned(),
        resource: fields.get("resource").map(str::to_owned),
    };
    let out = TopicOut::from(topic.clone());
    let order = match verb {
        Method::Put => Request::Subscribe(topic),
        Method::Delete => Request::Unsubscribe(topic),
        _ => return Err(HttpError::method("PUT, DELETE")),
    };
    ask(desk, order, wait).await?;
    Ok(Response::json(200, &out))
}
