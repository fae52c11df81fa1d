//! What the administrator asks for, and whether the answer is the one the script expects.

use lanpush::push::invitations::TokenDraft;
use lanpush::push::notification::{Extras, Link, NotificationId, Priority, Target};
use lanpush::push::{Answer, AskId, Done, Draft, Refusal, Request, TopicOf, Withdrawal};
use lanpush::time::parse_calendar;

use super::script::{Expect, Wish};
use super::stage::Stage;
use super::words::Settings;

impl Stage {
    pub(crate) fn wish(&mut self, wish: &Wish, expect: &Expect) -> Result<(), String> {
        match wish {
            Wish::Pushes { times, push } => {
                return (1..=*times).try_for_each(|number| {
                    let mut push = (**push).clone();
                    if let Wish::Push {
                        label: Some(label), ..
                    } = &mut push
                    {
                        label.push_str(&format!("-{number}"));
                    }
                    self.wish(&push, expect)
                });
            }
            Wish::Forget(label) => {
                let ask = self.asked(label)?;
                return self.forget(ask);
            }
            _ => {}
        }
        let label = match wish {
            Wish::Push { label, .. } => label.clone(),
            Wish::Wait { label, .. } | Wish::AddToken { label, .. } => Some(label.clone()),
            _ => None,
        };
        let request = self.request(wish)?;
        if let (Some(label), Request::Notify(draft)) = (&label, &request) {
            for (key, value) in [
                ("title", &draft.title),
                ("message", &draft.message),
                ("uri", &draft.uri),
            ] {
                self.scope.set(format!("{label}.{key}"), value.as_str());
            }
        }
        let ask = self.ask(request)?;
        if let Some(label) = &label {
            self.asks.insert(label.clone(), ask);
        }
        self.answered(ask, label.as_deref(), expect)
    }

    fn request(&mut self, wish: &Wish) -> Result<Request, String> {
        Ok(match wish.clone() {
            Wish::Pushes { .. } | Wish::Forget(_) => return Err("no request of its own".to_owned()),
            Wish::AddUser { name, password } => {
                self.registered.push(name.clone());
                Request::AddUser { name, password }
            }
            Wish::SetPassword { name, password } => Request::SetPassword { name, password },
            Wish::SetTags { name, tags } => Request::SetTags { name, tags },
            Wish::RemoveUser { name } => Request::RemoveUser { name },
            Wish::AddToken { fields, .. } => Request::AddToken(token(&fields)?),
            Wish::RemoveToken(label) => Request::RemoveToken {
                id: self
                    .scope
                    .get(&format!("{label}.id"))
                    .unwrap_or(&label)
                    .to_owned(),
            },
            Wish::Push { target, fields, .. } => Request::Notify(draft(target, &fields)?),
            Wish::Withdraw(label) => Request::Withdraw(Withdrawal::Id(self.id_of(&label)?)),
            Wish::WithdrawSeries {
                sequence,
                target,
                sender,
            } => Request::Withdraw(Withdrawal::Sequence {
                sequence,
                target,
                sender,
            }),
            Wish::Topic { wanted, who, topic } => {
                let (user, resource) = match who.split_once('/') {
                    Some((user, resource)) => (user.to_owned(), Some(resource.to_owned())),
                    None => (who, None),
                };
                let topic = TopicOf {
                    topic,
                    user,
                    resource,
                };
                if wanted {
                    Request::Subscribe(topic)
                } else {
                    Request::Unsubscribe(topic)
                }
            }
            Wish::Wait { push, until, .. } => Request::Wait {
                id: self.id_of(&push)?,
                until,
            },
        })
    }

    /// The id of a push that has been answered; any other text of an id stands for itself.
    pub(crate) fn id_of(&self, label: &str) -> Result<NotificationId, String> {
        let id = self.scope.get(label).unwrap_or(label);
        id.parse()
            .map_err(|_| format!("nothing has been called {{{label}}} so far"))
    }

    pub(crate) fn asked(&self, label: &str) -> Result<AskId, String> {
        let ask = self.asks.get(label).copied();
        ask.ok_or_else(|| format!("nothing was asked as {{{label}}}"))
    }

    pub(crate) fn answered(
        &mut self,
        ask: AskId,
        label: Option<&str>,
        expect: &Expect,
    ) -> Result<(), String> {
        let answer = self.answers.get(&ask).cloned();
        if let (Some(label), Some(Ok(Done::Accepted { id, .. } | Done::Scheduled { id }))) =
            (label, &answer)
        {
            let id = id.to_string();
            match self.scope.get(label) {
                Some(known) if known != id => {
                    return Err(format!("answered with the id {id}, but pushed as {known}"));
                }
                _ => self.scope.set(label, id),
            }
        }
        if let (Some(label), Some(Ok(Done::Invited(new)))) = (label, &answer) {
            self.scope.set(label, new.token.0.as_str());
            self.scope.set(format!("{label}.id"), new.view.id.as_str());
        }
        if fulfils(answer.as_ref(), expect) {
            return Ok(());
        }
        let came = match answer {
            None => "no answer yet".to_owned(),
            Some(Ok(done)) => words(&done),
            Some(Err(refusal)) => format!("refused: {} ({refusal})", reason(&refusal)),
        };
        Err(format!("what came: {came}"))
    }
}

fn token(fields: &Settings) -> Result<TokenDraft, String> {
    let mut draft = TokenDraft::default();
    for (key, value) in fields {
        let wrong = || format!("{key} cannot be {value:?}");
        match key.as_str() {
            "uses" => draft.uses = value.parse().map_err(|_| wrong())?,
            "days" => draft.days = value.parse().map_err(|_| wrong())?,
            "note" => draft.note.clone_from(value),
            _ => return Err(wrong()),
        }
    }
    Ok(draft)
}

fn draft(target: Target, fields: &Settings) -> Result<Draft, String> {
    let mut draft = Draft {
        target,
        title: String::new(),
        message: String::new(),
        uri: String::new(),
        extras: Box::default(),
    };
    for (key, value) in fields {
        match key.as_str() {
            "title" => draft.title.clone_from(value),
            "message" => draft.message.clone_from(value),
            "uri" => draft.uri.clone_from(value),
            _ => extra(key, value, &mut draft.extras)?,
        }
    }
    Ok(draft)
}

fn extra(key: &str, value: &str, extras: &mut Extras) -> Result<(), String> {
    let wrong = || format!("{key} cannot be {value:?}");
    match key {
        "image" => value.clone_into(&mut extras.image),
        "sequence" => value.clone_into(&mut extras.sequence),
        "sender" => value.clone_into(&mut extras.sender),
        "tags" => extras.tags = value.split(',').map(str::to_owned).collect(),
        "silent" => extras.silent = value == "yes",
        "ttl" => extras.ttl = value.parse().map_err(|_| wrong())?,
        "at" => extras.deliver_at = parse_calendar(value).ok_or_else(wrong)?,
        "priority" => {
            let number = value.parse().ok().and_then(Priority::new);
            extras.priority = number.ok_or_else(wrong)?;
        }
        "action" => {
            let (label, uri) = value.split_once('=').ok_or_else(wrong)?;
            extras.actions.push(Link {
                label: label.to_owned(),
                uri: uri.to_owned(),
            });
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn words(done: &Done) -> String {
    match done {
        Done::Changed | Done::Invited(_) => "done".to_owned(),
        Done::Accepted { queued, sent, .. } => format!("queued {queued} sent {sent}"),
        Done::Scheduled { .. } => "scheduled".to_owned(),
        Done::Withdrawn { spared, told } => format!("spared {spared} told {told}"),
        Done::Settled { reached, devices } => format!("reached {reached} of {devices}"),
    }
}

fn fulfils(answer: Option<&Answer>, expect: &Expect) -> bool {
    match (answer, expect) {
        (None, Expect::NotYet) | (Some(Ok(_)), Expect::Done) => true,
        (Some(Ok(done)), expect) => words(done) == written(expect),
        (Some(Err(refusal)), Expect::Refused(word)) => reason(refusal) == word,
        _ => false,
    }
}

fn written(expect: &Expect) -> String {
    match expect {
        Expect::Counts { queued, sent } => format!("queued {queued} sent {sent}"),
        Expect::Scheduled => "scheduled".to_owned(),
        Expect::Withdrawn { spared, told } => format!("spared {spared} told {told}"),
        Expect::Reached { reached, devices } => format!("reached {reached} of {devices}"),
        Expect::Done | Expect::Refused(_) | Expect::NotYet => String::new(),
    }
}

/// The word scripts use for a refusal.
fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unknown(_) => "unknown",
        Refusal::NoNotification => "no notification",
        Refusal::TooLong { .. } => "too long",
        Refusal::Invalid { .. } => "invalid",
        Refusal::Taken => "taken",
        Refusal::NoToken => "no token",
        Refusal::TooManyTokens => "too many tokens",
        Refusal::Closed => "closed",
        Refusal::Full => "disk full",
        Refusal::Failed => "failed",
        Refusal::Busy => "busy",
    }
}
