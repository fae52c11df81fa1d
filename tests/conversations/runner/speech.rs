//! The lines of phones and of the administrator: from words to [`Act`], [`Wish`], [`Expect`] and [`Sight`].

use lanpush::push::Until;

use super::pattern::Pattern;
use lanpush::time::parse_calendar;

use super::script::{Act, Expect, Sight, Step, Wish};
use super::template::Template;
use super::words::{duration, equations, label, number, words};

/// Fields of a push.
const FIELDS: [&str; 12] = [
    "title", "message", "uri", "image", "priority", "tags", "action", "silent", "sequence", "ttl",
    "at", "sender",
];

/// What stands behind the name of a phone.
pub(crate) fn act(text: &str) -> Result<Act, String> {
    for (words, act) in [
        ("connects", Act::Connects),
        ("connects with TLS", Act::ConnectsWithTls),
        ("starts TLS", Act::StartsTls),
        ("begins again", Act::BeginsAgain),
        ("binds", Act::Binds),
        ("shakes hands", Act::ShakesHands),
        ("opens a stream", Act::OpensStream),
        ("registers", Act::Registers),
        ("authenticates", Act::Authenticates),
        ("logs in", Act::LogsIn),
        ("receives nothing", Act::ReceivesNothing),
        ("answers the ping", Act::AnswersPing),
        ("closes the stream", Act::ClosesStream),
        ("is closed", Act::IsClosed),
        ("disconnects", Act::Disconnects),
        ("stops reading", Act::StopsReading),
        ("reads again", Act::ReadsAgain),
        ("ignores the rest", Act::IgnoresRest),
    ] {
        if text == words {
            return Ok(act);
        }
    }
    type Reader = fn(&str) -> Result<Act, String>;
    let readers: [(&str, Reader); 12] = [
        ("authenticates by ", |text| {
            Ok(Act::AuthenticatesBy(text.to_owned()))
        }),
        ("logs in by ", |text| Ok(Act::LogsInBy(text.to_owned()))),
        ("sends: ", |text| Ok(Act::Sends(Template::parse(text)?))),
        ("sends a space every ", spaces),
        ("receives: ", |text| {
            Ok(Act::Receives(Pattern::parse(text)?))
        }),
        ("receives exactly: ", |text| {
            Ok(Act::ReceivesExactly(Template::parse(text)?))
        }),
        ("receives the push ", |text| {
            Ok(Act::ReceivesPush(label(text)?))
        }),
        ("receives the message ", |text| {
            Ok(Act::ReceivesMessage(label(text)?))
        }),
        ("receives the pushes ", pushes),
        ("confirms ", |text| Ok(Act::Confirms(label(text)?))),
        ("is closed with ", |text| {
            Ok(Act::IsClosedWith(text.to_owned()))
        }),
        ("is refused ", refused),
    ];
    for (words, read) in readers {
        if let Some(rest) = text.strip_prefix(words) {
            return read(rest);
        }
    }
    Err(format!("a phone does not know how it {text:?}"))
}

fn spaces(text: &str) -> Result<Act, String> {
    let (every, during) = text.split_once(" for ").ok_or("for how long?")?;
    Ok(Act::SendsSpaces {
        every: duration(every)?,
        during: duration(during)?,
    })
}

fn pushes(text: &str) -> Result<Act, String> {
    let want = "want `receives the pushes {NAME} FIRST to LAST`";
    let (name, range) = text.split_once(' ').ok_or(want)?;
    let (from, to) = range.split_once(" to ").ok_or(want)?;
    Ok(Act::ReceivesPushes {
        label: label(name)?,
        from: number(from)?,
        to: number(to)?,
    })
}

fn refused(text: &str) -> Result<Act, String> {
    let want = "want `is refused ID: CONDITION CODE`";
    let (id, error) = text.split_once(": ").ok_or(want)?;
    let (condition, code) = error.split_once(' ').ok_or(want)?;
    Ok(Act::IsRefused {
        id: id.to_owned(),
        condition: condition.to_owned(),
        code: code.to_owned(),
    })
}

/// What stands behind `admin`.
pub(crate) fn admin(text: &str) -> Result<Step, String> {
    if let Some(rest) = text.strip_prefix("sees ") {
        return Ok(Step::Sees(sight(rest)?));
    }
    if let Some(rest) = text.strip_prefix("is answered ") {
        let (name, expected) = rest.split_once(": ").ok_or("answered with what?")?;
        return Ok(Step::Answered(label(name)?, expect(expected)?));
    }
    if let Some(moment) = text.strip_prefix("says it is ") {
        let want = "want `admin says it is yyyy-MM-dd HH:mm:ss`";
        return Ok(Step::Tells(parse_calendar(moment).ok_or(want)?));
    }
    let (wish, expected) = match text.rsplit_once(" -> ") {
        Some((wish, expected)) => (wish.trim_end(), expect(expected.trim())?),
        None => (text, Expect::Done),
    };
    Ok(Step::Admin(self::wish(wish)?, expected))
}

fn wish(text: &str) -> Result<Wish, String> {
    type Reader = fn(&str) -> Result<Wish, String>;
    let readers: [(&str, Reader); 6] = [
        ("pushes ", push),
        ("withdraws ", withdraw),
        ("waits ", wait),
        ("makes the token ", token),
        ("takes back the token ", |text| {
            Ok(Wish::RemoveToken(label(text)?))
        }),
        ("forgets ", |text| Ok(Wish::Forget(label(text)?))),
    ];
    for (words, read) in readers {
        if let Some(rest) = text.strip_prefix(words) {
            return read(rest);
        }
    }
    let words = words(text)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words[..] {
        ["adds", "user", name, "with", "password", password] => Wish::AddUser {
            name: name.to_owned(),
            password: password.to_owned(),
        },
        ["sets", "password", "of", name, "to", password] => Wish::SetPassword {
            name: name.to_owned(),
            password: password.to_owned(),
        },
        ["sets", "tags", "of", name, "to", ref tags @ ..] => Wish::SetTags {
            name: name.to_owned(),
            tags: tags.iter().map(ToString::to_string).collect(),
        },
        ["removes", "user", name] => Wish::RemoveUser {
            name: name.to_owned(),
        },
        ["subscribes", who, "to", topic] => topic_of(true, who, topic),
        ["unsubscribes", who, "from", topic] => topic_of(false, who, topic),
        _ => return Err("not what an administrator does".to_owned()),
    })
}

/// `{NAME}: FIELD=VALUE …`, where fields may be missing.
fn token(text: &str) -> Result<Wish, String> {
    let (name, fields) = text.split_once(": ").unwrap_or((text, ""));
    Ok(Wish::AddToken {
        label: label(name)?,
        fields: equations(fields)?,
    })
}

fn topic_of(wanted: bool, who: &str, topic: &str) -> Wish {
    Wish::Topic {
        wanted,
        who: who.to_owned(),
        topic: topic.to_owned(),
    }
}

/// `{NAME}`, or `the sequence S to TARGET` with or without `from SENDER`.
fn withdraw(text: &str) -> Result<Wish, String> {
    let Some(rest) = text.strip_prefix("the sequence ") else {
        return Ok(Wish::Withdraw(label(text)?));
    };
    let (sequence, rest) = rest.split_once(" to ").ok_or("to whom?")?;
    let (target, sender) = rest.split_once(" from ").unwrap_or((rest, ""));
    Ok(Wish::WithdrawSeries {
        sequence: sequence.to_owned(),
        target: target
            .parse()
            .map_err(|_| format!("{target:?} is no target"))?,
        sender: sender.to_owned(),
    })
}

/// `{WAIT} for {PUSH} to be confirmed`
fn wait(text: &str) -> Result<Wish, String> {
    let want = "want `waits {WAIT} for {PUSH} to be sent, acknowledged or confirmed`";
    let (name, rest) = text.split_once(" for ").ok_or(want)?;
    let (push, until) = rest.split_once(" to be ").ok_or(want)?;
    Ok(Wish::Wait {
        label: label(name)?,
        push: label(push)?,
        until: match until {
            "sent" => Until::Sent,
            "acknowledged" => Until::Acknowledged,
            "confirmed" => Until::Confirmed,
            _ => return Err(want.to_owned()),
        },
    })
}

/// `{NAME} 70 times to TARGET: FIELD=VALUE …`, where name and times may be missing.
fn push(text: &str) -> Result<Wish, String> {
    let want = "want `admin pushes {NAME} to TARGET: FIELD=VALUE …`";
    let (head, rest) = text.split_once("to ").ok_or(want)?;
    let (target, fields) = rest.split_once(": ").ok_or(want)?;
    let (name, times) = match head.trim().split_once(' ') {
        None => (head.trim(), None),
        Some((name, times)) => {
            let times = times.strip_suffix(" times").ok_or(want)?;
            (name, Some(number(times)?))
        }
    };
    let fields = equations(fields)?;
    for (key, _) in &fields {
        if !FIELDS.contains(&key.as_str()) {
            return Err(format!("a push has no field {key:?}"));
        }
    }
    let push = Wish::Push {
        label: (!name.is_empty()).then(|| label(name)).transpose()?,
        target: target
            .parse()
            .map_err(|_| format!("{target:?} is no target"))?,
        fields,
    };
    Ok(match times {
        None => push,
        Some(times) => Wish::Pushes {
            times,
            push: Box::new(push),
        },
    })
}

fn expect(text: &str) -> Result<Expect, String> {
    if let Some(reason) = text.strip_prefix("refused: ") {
        return Ok(Expect::Refused(reason.to_owned()));
    }
    let words = words(text)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["done"] => Ok(Expect::Done),
        ["no", "answer", "yet"] => Ok(Expect::NotYet),
        ["scheduled"] => Ok(Expect::Scheduled),
        ["spared", spared, "told", told] => Ok(Expect::Withdrawn {
            spared: number(spared)?,
            told: number(told)?,
        }),
        ["reached", reached, "of", devices] => Ok(Expect::Reached {
            reached: number(reached)?,
            devices: number(devices)?,
        }),
        ["queued", queued, "sent", sent] => Ok(Expect::Counts {
            queued: number(queued)?,
            sent: number(sent)?,
        }),
        _ => Err(format!("not an answer: {text:?}")),
    }
}

fn sight(text: &str) -> Result<Sight, String> {
    if let Some(what) = text.strip_prefix("no ") {
        return match what.split_once(' ') {
            Some(("user", name)) => Ok(Sight::User(name.to_owned(), None)),
            Some(("session", name)) => Ok(Sight::Session(name.to_owned(), None)),
            _ => Ok(Sight::Push(label(what)?, None)),
        };
    }
    let (what, facts) = text.split_once(": ").ok_or("sees what?")?;
    match what.split_once(' ') {
        Some(("user", name)) => Ok(Sight::User(name.to_owned(), Some(equations(facts)?))),
        Some(("session", name)) => Ok(Sight::Session(name.to_owned(), Some(equations(facts)?))),
        None if what == "status" => Ok(Sight::Status(equations(facts)?)),
        Some((push, device)) if device.starts_with("on ") => {
            let device = device[3..].to_owned();
            Ok(Sight::Times(label(push)?, device, equations(facts)?))
        }
        _ => {
            let states = facts
                .split(", ")
                .map(|fact| {
                    let (device, state) = fact.rsplit_once(' ').ok_or("want `DEVICE STATE`")?;
                    Ok((device.to_owned(), state.to_owned()))
                })
                .collect::<Result<_, String>>()?;
            Ok(Sight::Push(label(what)?, Some(states)))
        }
    }
}
