//! The language: from the text of a file to steps. `../README.md` is its manual.

use std::net::IpAddr;
use std::time::Duration;

use lanpush::push::notification::Target;
use lanpush::time::parse_calendar;

use super::pattern::Pattern;
use super::template::{Scope, Template};

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

/// `key: value` pairs of a declaration.
pub(crate) type Settings = Vec<(String, String)>;

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
    Stop,
    Start,
    Restart,
    PowerCut,
    Disk(Disk),
}

/// What a phone does, or what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Connects,
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
    RemoveUser {
        name: String,
    },
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
    /// By the first word or words of the reason.
    Refused(String),
    NotYet,
}

/// What the administrator sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// A notification with the state of each of its devices, or `None` if it is forgotten.
    Push(String, Option<Settings>),
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
        let step = statement(&text, &phones).map_err(|why| Mistake {
            number,
            text: text.clone(),
            why,
        })?;
        if let Step::Phone(_, name) = &step {
            phones.push(name.clone());
        }
        lines.push(Line { number, text, step });
    }
    Ok(lines)
}

/// Statements with their first line's number: indented lines belong to the line above them.
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
                let indent = *indent.get_or_insert(spaces);
                if !before.ends_with(": ") {
                    before.push('\n');
                }
                before.push_str(&line[spaces.min(indent)..]);
            }
            _ => {
                indent = None;
                let mut first = line.trim_end().to_owned();
                if first.ends_with(':') {
                    // Nothing on this line: what follows begins without a line break.
                    first.push(' ');
                }
                statements.push((index + 1, first));
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
        "after" => Ok(Step::After(duration(rest)?)),
        "admin" => admin(rest),
        "clock" => {
            let moment = rest.strip_prefix("is set to ").and_then(parse_calendar);
            let want = "want `clock is set to yyyy-MM-dd HH:mm:ss`";
            Ok(Step::Clock(moment.ok_or(want)?))
        }
        "power" if rest == "is cut" => Ok(Step::PowerCut),
        "server" => match rest {
            "stops" => Ok(Step::Stop),
            "starts" => Ok(Step::Start),
            "restarts" => Ok(Step::Restart),
            _ => Err("the server stops, starts or restarts".to_owned()),
        },
        "disk" => disk(rest),
        phone if phones.iter().any(|known| known == phone) => {
            Ok(Step::Speak(phone.to_owned(), act(rest)?))
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

fn act(text: &str) -> Result<Act, String> {
    for (words, act) in [
        ("connects", Act::Connects),
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
    if let Some(xml) = text.strip_prefix("sends: ") {
        return Ok(Act::Sends(Template::parse(xml)?));
    }
    if let Some(xml) = text.strip_prefix("receives exactly: ") {
        return Ok(Act::ReceivesExactly(Template::parse(xml)?));
    }
    if let Some(xml) = text.strip_prefix("receives: ") {
        return Ok(Act::Receives(Pattern::parse(xml)?));
    }
    if let Some(name) = text.strip_prefix("receives the push ") {
        return Ok(Act::ReceivesPush(label(name)?));
    }
    if let Some(rest) = text.strip_prefix("receives the pushes ") {
        let want = "want `receives the pushes {NAME} FIRST to LAST`";
        let (name, range) = rest.split_once(' ').ok_or(want)?;
        let (from, to) = range.split_once(" to ").ok_or(want)?;
        return Ok(Act::ReceivesPushes {
            label: label(name)?,
            from: number(from)?,
            to: number(to)?,
        });
    }
    if let Some(name) = text.strip_prefix("confirms ") {
        return Ok(Act::Confirms(label(name)?));
    }
    if let Some(condition) = text.strip_prefix("is closed with ") {
        return Ok(Act::IsClosedWith(condition.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("sends a space every ") {
        let (every, during) = rest.split_once(" for ").ok_or("for how long?")?;
        let (every, during) = (duration(every)?, duration(during)?);
        return Ok(Act::SendsSpaces { every, during });
    }
    if let Some(rest) = text.strip_prefix("is refused ") {
        let want = "want `is refused ID: CONDITION CODE`";
        let (id, error) = rest.split_once(": ").ok_or(want)?;
        let (condition, code) = error.split_once(' ').ok_or(want)?;
        return Ok(Act::IsRefused {
            id: id.to_owned(),
            condition: condition.to_owned(),
            code: code.to_owned(),
        });
    }
    Err(format!("a phone does not know how it {text:?}"))
}

fn admin(text: &str) -> Result<Step, String> {
    if let Some(rest) = text.strip_prefix("sees ") {
        return Ok(Step::Sees(sight(rest)?));
    }
    if let Some(rest) = text.strip_prefix("is answered ") {
        let (name, expected) = rest.split_once(": ").ok_or("answered with what?")?;
        return Ok(Step::Answered(label(name)?, expect(expected)?));
    }
    let (wish, expected) = match text.rsplit_once(" -> ") {
        Some((wish, expected)) => (wish.trim_end(), expect(expected.trim())?),
        None => (text, Expect::Done),
    };
    Ok(Step::Admin(self::wish(wish)?, expected))
}

fn wish(text: &str) -> Result<Wish, String> {
    if let Some(rest) = text.strip_prefix("pushes ") {
        return push(rest);
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
        ["removes", "user", name] => Wish::RemoveUser {
            name: name.to_owned(),
        },
        _ => return Err("not what an administrator does".to_owned()),
    })
}

fn push(text: &str) -> Result<Wish, String> {
    let want = "want `admin pushes {NAME} to TARGET: FIELD=VALUE …`";
    let (head, rest) = text.split_once("to ").ok_or(want)?;
    let (name, times) = match head.trim().split_once(' ') {
        None => (head.trim(), None),
        Some((name, times)) => {
            let times = times.strip_suffix(" times").ok_or(want)?;
            (name, Some(number(times)?))
        }
    };
    let name = match name {
        "" => None,
        name => Some(label(name)?),
    };
    let (target, fields) = rest.split_once(": ").ok_or(want)?;
    let target = target
        .parse()
        .map_err(|_| format!("{target:?} is no target"))?;
    let fields = equations(fields)?;
    for (key, _) in &fields {
        if !["title", "message", "uri"].contains(&key.as_str()) {
            return Err(format!("a push has no field {key:?}"));
        }
    }
    let push = Wish::Push {
        label: name,
        target,
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
    match words(text)?.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["done"] => Ok(Expect::Done),
        ["no", "answer", "yet"] => Ok(Expect::NotYet),
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

/// The name in `{name}`.
fn label(text: &str) -> Result<String, String> {
    text.strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .map(str::to_owned)
        .ok_or_else(|| format!("want a name in braces, not {text:?}"))
}

/// `90s`, `2m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("want a time like 90s, 2m or 1h, not {text:?}");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(count * unit))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| format!("want a number, not {text:?}"))
}

/// `key: value key: value`.
fn settings(text: &str) -> Result<Settings, String> {
    let words = words(text)?;
    if words.len() % 2 != 0 {
        return Err("want pairs of `key: value`".to_owned());
    }
    words
        .chunks(2)
        .map(|pair| {
            let key = pair[0]
                .strip_suffix(':')
                .ok_or_else(|| format!("want a colon behind {:?}", pair[0]))?;
            Ok((key.to_owned(), pair[1].clone()))
        })
        .collect()
}

/// `key=value key="value with spaces"`.
fn equations(text: &str) -> Result<Settings, String> {
    words(text)?
        .into_iter()
        .map(|word| {
            word.split_once('=')
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .ok_or_else(|| format!("want `key=value`, not {word:?}"))
        })
        .collect()
}

/// Words; quotes hold one together, braces and escapes mean what they mean elsewhere.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut braced, mut escaped, mut begun) = (false, false, false, false);
    for letter in text.chars() {
        let blank = letter.is_whitespace() && !quoted && !braced;
        if blank && begun {
            words.push(std::mem::take(&mut word));
            begun = false;
        }
        if blank {
            continue;
        }
        begun = true;
        match letter {
            '"' if !braced && !escaped => quoted = !quoted,
            '"' if escaped => {
                word.pop();
                word.push('"');
            }
            '{' if !escaped => {
                braced = true;
                word.push('{');
            }
            '}' if !escaped => {
                braced = false;
                word.push('}');
            }
            other => word.push(other),
        }
        escaped = letter == '\\' && !escaped;
    }
    if quoted || braced {
        return Err(format!("a quote or a brace is not closed: {text}"));
    }
    if begun {
        words.push(word);
    }
    words
        .iter()
        .map(|word| {
            let bytes = match Template::parse(word)?.fill(&Scope::default(), "") {
                Ok(bytes) => bytes,
                // A name that stands for something at run time.
                Err(_) => return Ok(word.clone()),
            };
            String::from_utf8(bytes).map_err(|_| format!("not UTF-8: {word}"))
        })
        .collect()
}

/// The address a phone connects from.
pub(crate) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}
