//! The language: from the text of a file to steps. `../README.md` is its manual.

use std::time::Duration;

use lanpush::push::Until;
use lanpush::push::notification::Target;
use lanpush::time::parse_calendar;

use super::pattern::Pattern;
use super::speech;
use super::template::Template;
use super::words::{Settings, duration, settings};

/// A statement with the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) step: Step,
}

/// What stands wrong on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Server(Settings),
    Phone(Settings, String),
    Speak(String, Act),
    Admin(Wish, Expect),
    Answered(String, Expect),
    Sees(Sight),
    After(Duration),
    /// The wall clock jumps to this second since 1970.
    Clock(u64),
    /// The same, and nobody wakes the server.
    ClockUnnoticed(u64),
    /// An administrator says that it is this second since 1970.
    Tells(u64),
    Stop,
    Start,
    Restart,
    PowerCut,
    /// The same when the disk has everything and the server has not heard of it.
    PowerCutBehindDisk,
    Disk(Disk),
}

/// What a phone does, or what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Connects,
    ConnectsWithTls,
    StartsTls,
    /// A login by this SASL mechanism, up to the features of the stream behind it.
    AuthenticatesBy(String),
    BeginsAgain,
    Binds,
    /// All of it, and presence.
    LogsInBy(String),
    ShakesHands,
    OpensStream,
    Registers,
    Authenticates,
    LogsIn,
    Sends(Template),
    SendsSpaces {
        every: Duration,
        during: Duration,
    },
    Receives(Vec<Pattern>),
    ReceivesExactly(Template),
    ReceivesNothing,
    ReceivesPush(String),
    ReceivesMessage(String),
    ReceivesPushes {
        label: String,
        from: usize,
        to: usize,
    },
    AnswersPing,
    Confirms(String),
    IsRefused {
        id: String,
        condition: String,
        code: String,
    },
    ClosesStream,
    IsClosed,
    IsClosedWith(String),
    Disconnects,
    StopsReading,
    ReadsAgain,
    IgnoresRest,
}

/// What the administrator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Push {
        label: Option<String>,
        target: Target,
        fields: Settings,
    },
    /// The same push so many times; each has its number behind the label.
    Pushes {
        times: usize,
        push: Box<Wish>,
    },
    AddUser {
        name: String,
        password: String,
    },
    SetPassword {
        name: String,
        password: String,
    },
    SetTags {
        name: String,
        tags: Vec<String>,
    },
    RemoveUser {
        name: String,
    },
    /// A token to register with, which the label becomes.
    AddToken {
        label: String,
        fields: Settings,
    },
    /// The token of that label.
    RemoveToken(String),
    /// Takes back the push of that label.
    Withdraw(String),
    /// Takes back a series.
    WithdrawSeries {
        sequence: String,
        target: Target,
        sender: String,
    },
    /// Subscribes or unsubscribes `user` or `user/resource`.
    Topic {
        wanted: bool,
        who: String,
        topic: String,
    },
    /// Waits for the push of a label; the wait has a label of its own.
    Wait {
        label: String,
        push: String,
        until: Until,
    },
    /// Waits no longer.
    Forget(String),
}

/// The answer to a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Carried out, whatever the figures.
    Done,
    Counts {
        queued: usize,
        sent: usize,
    },
    /// The push waits for its time.
    Scheduled,
    Withdrawn {
        spared: usize,
        told: usize,
    },
    Reached {
        reached: usize,
        devices: usize,
    },
    Refused(String),
    NotYet,
}

/// What the administrator sees; `None` where nothing is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// A notification with the state of each of its devices.
    Push(String, Option<Settings>),
    /// When a device got how far with a notification.
    Times(String, String, Settings),
    User(String, Option<Settings>),
    Session(String, Option<Settings>),
    Status(Settings),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Full,
    Broken,
    Unreadable,
    Works,
    Held,
    Released,
}

/// Reads a script. `phones` are those declared before it begins.
pub(crate) fn parse(text: &str, phones: &[String]) -> Result<Vec<Line>, Mistake> {
    let mut phones = phones.to_vec();
    let mut lines = Vec::new();
    for (number, text) in statements(text) {
        let step = match statement(&text, &phones) {
            Ok(step) => step,
            Err(why) => return Err(Mistake { number, text, why }),
        };
        if let Step::Phone(_, name) = &step {
            phones.push(name.clone());
        }
        lines.push(Line { number, text, step });
    }
    Ok(lines)
}

/// Statements with their first line's number: indented lines belong to the line above them, and lose the
/// indentation of the first of them.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut indent = None;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let spaces = line.len() - line.trim_start().len();
        match statements.last_mut() {
            Some((_, before)) if spaces > 0 => {
                // What begins on the next line begins without a line break.
                let separator = if before.ends_with(':') { " " } else { "\n" };
                before.push_str(separator);
                before.push_str(&line[spaces.min(*indent.get_or_insert(spaces))..]);
            }
            _ => {
                indent = None;
                statements.push((index + 1, line.to_owned()));
            }
        }
    }
    statements
}

fn statement(text: &str, phones: &[String]) -> Result<Step, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_start();
    match word {
        "[server]" => Ok(Step::Server(settings(rest)?)),
        "[phone]" => {
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            if name.is_empty() {
                return Err("a phone needs a name".to_owned());
            }
            Ok(Step::Phone(settings(rest)?, name.to_owned()))
        }
        "admin" => speech::admin(rest),
        "after" => Ok(Step::After(duration(rest)?)),
        "clock" => {
            let unnoticed = rest.strip_prefix("is set unnoticed to ");
            if let Some(moment) = unnoticed.and_then(parse_calendar) {
                return Ok(Step::ClockUnnoticed(moment));
            }
            let moment = rest.strip_prefix("is set to ").and_then(parse_calendar);
            let want = "want `clock is set to yyyy-MM-dd HH:mm:ss`";
            Ok(Step::Clock(moment.ok_or(want)?))
        }
        "disk" => disk(rest),
        "power" if rest == "is cut" => Ok(Step::PowerCut),
        "power" if rest == "is cut behind the disk" => Ok(Step::PowerCutBehindDisk),
        "server" => match rest {
            "stops" => Ok(Step::Stop),
            "starts" => Ok(Step::Start),
            "restarts" => Ok(Step::Restart),
            _ => Err("the server stops, starts or restarts".to_owned()),
        },
        phone if phones.iter().any(|known| known == phone) => {
            Ok(Step::Speak(phone.to_owned(), speech::act(rest)?))
        }
        other => Err(format!(
            "there is neither a phone nor a directive {other:?}"
        )),
    }
}

fn disk(text: &str) -> Result<Step, String> {
    Ok(Step::Disk(match text {
        "is full" => Disk::Full,
        "is broken" => Disk::Broken,
        "is unreadable" => Disk::Unreadable,
        "works again" => Disk::Works,
        "is held" => Disk::Held,
        "is released" => Disk::Released,
        _ => return Err("not what a disk does".to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_together_by_indentation() {
        let text =
            "# promise\n\n[phone] sam\nsam sends:\n    <a>\n      <b/>\n    </a>\n\nafter 1s\n";
        assert_eq!(
            statements(text),
            [
                (3, "[phone] sam".to_owned()),
                (4, "sam sends: <a>\n  <b/>\n</a>".to_owned()),
                (9, "after 1s".to_owned()),
            ]
        );
    }

    #[test]
    fn mistakes_have_their_line() {
        for (line, why) in [
            ("kim logs in", "neither a phone nor a directive \"kim\""),
            ("sam lgs in", "does not know how it \"lgs in\""),
            ("sam sends: {", "a brace is not closed"),
            ("sam receives: <iq>", "not complete"),
            ("sam receives the push hello", "a name in braces"),
            ("sam is refused 1: conflict", "want `is refused"),
            ("admin dances", "not what an administrator does"),
            ("admin pushes to sam: tilte=x", "no field \"tilte\""),
            ("admin pushes to : title=x", "no target"),
            ("admin pushes to sam: title=x -> perhaps", "not an answer"),
            ("admin sees the sea", "sees what?"),
            ("after lunch", "want a time"),
            ("clock is set to noon", "want `clock"),
            ("admin says it is noon", "want `admin says"),
            ("disk is round", "not what a disk does"),
            ("server sings", "stops, starts or restarts"),
            ("[phone]", "a phone needs a name"),
            ("[server] queue 3", "want a colon"),
        ] {
            let text = format!("# promise\n[phone] sam\n\n{line}\nafter 1s\n");
            let mistake = parse(&text, &[]).unwrap_err();
            assert_eq!(mistake.number, 4, "{line}");
            assert_eq!(mistake.text, line);
            assert!(mistake.why.contains(why), "{line}: {}", mistake.why);
        }
    }
}
