//! The command line, from words to what they ask for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::{Arg, Parser};

use super::Failure;
use super::send::{Draft, Link};
use super::settings::{FLAGS, Options};
use super::token::{self, Wanted};
use super::topic::{self, Subscription};
use super::user::Action;
use super::wait::{Patience, STATES};

/// A whole command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub command: Command,
    pub options: Options,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve,
    Check,
    User(Action),
    Topic(topic::Action),
    Token(token::Action),
    Send(Draft),
    Withdraw { id: String },
    Export(PathBuf),
    Import { file: PathBuf, replace: bool },
    Help,
    Version,
}

/// What the words ask for. A flag given twice holds its last value.
pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Arguments, Failure> {
    let mut parser = Parser::from_args(words);
    let mut options = Options::default();
    let mut sending = Sending::default();
    let mut names = Vec::new();
    let mut replace = false;
    let mut inviting = Inviting::default();
    let asks = |command| {
        Ok(Arguments {
            command,
            options: Options::default(),
        })
    };
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return asks(Command::Help),
            Arg::Long("version") => return asks(Command::Version),
            Arg::Long("config") => options.config = Some(PathBuf::from(value(&mut parser)?)),
            Arg::Long("replace") => replace = true,
            Arg::Long(name) if TOKEN_FLAGS.contains(&name) => {
                let name = name.to_owned();
                inviting.take(&name, &mut parser)?;
            }
            Arg::Long(name) if SEND_FLAGS.contains(&name) => {
                let name = name.to_owned();
                sending.take(&name, &mut parser)?;
            }
            Arg::Long(name) => {
                let flag = FLAGS.iter().find(|flag| flag.name == name);
                let flag = flag.ok_or_else(|| bad(format!("unknown flag --{name}")))?;
                options.flags.push((flag, text(value(&mut parser)?)?));
            }
            Arg::Short(letter) => return Err(bad(format!("unknown flag -{letter}"))),
            Arg::Value(word) => names.push(text(word)?),
        }
    }
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    if replace && words.first() != Some(&"import") {
        return Err(bad("--replace belongs to lanpush import"));
    }
    let command = match words.as_slice() {
        ["token", rest @ ..] if sending.flag.is_none() => Command::Token(inviting.action(rest)?),
        words => {
            inviting.refuse()?;
            command(words, sending, replace)?
        }
    };
    Ok(Arguments { command, options })
}

/// Flags of `token add`.
const TOKEN_FLAGS: [&str; 3] = ["uses", "days", "note"];

/// What the flags of `token add` say.
#[derive(Default)]
struct Inviting {
    wanted: Wanted,
    /// The first of them that was given.
    flag: Option<String>,
}

impl Inviting {
    fn take(&mut self, name: &str, parser: &mut Parser) -> Result<(), Failure> {
        self.flag.get_or_insert_with(|| format!("--{name}"));
        let value = text(value(parser)?)?;
        match name {
            "uses" => self.wanted.uses = Some(number(name, &value)?),
            "days" => self.wanted.days = Some(number(name, &value)?),
            _ => self.wanted.note = Some(value),
        }
        Ok(())
    }

    /// What is asked for by the words behind `token`.
    fn action(self, words: &[&str]) -> Result<token::Action, Failure> {
        if words == ["add"] {
            return Ok(token::Action::Add(self.wanted));
        }
        self.refuse()?;
        match words {
            ["list"] => Ok(token::Action::List),
            ["del", id] if !id.is_empty() => Ok(token::Action::Remove {
                id: (*id).to_owned(),
            }),
            ["del", ..] => Err(bad("lanpush token del wants the ID that list shows")),
            [verb @ ("add" | "list"), ..] => {
                Err(bad(format!("lanpush token {verb} takes no argument")))
            }
            _ => Err(bad("lanpush token wants add, del or list")),
        }
    }

    fn refuse(&self) -> Result<(), Failure> {
        match &self.flag {
            Some(flag) => Err(bad(format!("{flag} belongs to lanpush token add"))),
            None => Ok(()),
        }
    }
}

/// Flags of `send`.
const SEND_FLAGS: [&str; 12] = [
    "title", "uri", "image", "priority", "tag", "action", "silent", "sequence", "ttl", "at",
    "wait", "for",
];
/// Seconds that `--wait` waits if it does not say.
const PATIENCE: u32 = 30;

/// What the flags of `send` say.
#[derive(Default)]
struct Sending {
    draft: Draft,
    /// The first of them that was given.
    flag: Option<String>,
    wait: Option<u32>,
    until: Option<&'static str>,
}

impl Sending {
    /// Takes the value of a flag that belongs to `send`.
    fn take(&mut self, name: &str, parser: &mut Parser) -> Result<(), Failure> {
        self.flag.get_or_insert_with(|| format!("--{name}"));
        if name == "wait" {
            self.wait = Some(match parser.optional_value() {
                Some(seconds) => number(name, &text(seconds)?)?,
                None => PATIENCE,
            });
            return Ok(());
        }
        let extras = &mut self.draft.extras;
        if name == "silent" {
            extras.silent = true;
            return Ok(());
        }
        let value = text(value(parser)?)?;
        match name {
            "title" => self.draft.title = Some(value),
            "uri" => self.draft.uri = Some(value),
            "image" => extras.image = Some(value),
            "priority" => extras.priority = Some(number(name, &value)?),
            "tag" => extras.tags.push(value),
            "action" => extras.actions.push(link(&value)?),
            "sequence" => extras.sequence = Some(value),
            "ttl" => extras.ttl = Some(number(name, &value)?),
            "at" => extras.deliver_at = Some(value),
            _ => {
                let state = STATES.into_iter().find(|state| *state == value);
                let wanted = || bad("--for wants sent, acknowledged or confirmed");
                self.until = Some(state.ok_or_else(wanted)?);
            }
        }
        Ok(())
    }

    /// Whether there is something to send without a message.
    fn says_something(&self) -> bool {
        let Draft {
            title, uri, extras, ..
        } = &self.draft;
        title.is_some() || uri.is_some() || extras.silent
    }

    fn draft(self, to: &str, message: &str) -> Result<Draft, Failure> {
        if self.until.is_some() && self.wait.is_none() {
            return Err(bad("--for wants --wait"));
        }
        let until = self.until.unwrap_or("acknowledged");
        Ok(Draft {
            to: to.to_owned(),
            message: message.to_owned(),
            wait: self.wait.map(|seconds| Patience { seconds, until }),
            ..self.draft
        })
    }
}

fn number<N: FromStr>(flag: &str, text: &str) -> Result<N, Failure> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| bad(format!("--{flag} is {text:?}, want a number")))
}

fn link(text: &str) -> Result<Link, Failure> {
    let (label, uri) = text
        .split_once('=')
        .ok_or_else(|| bad("--action wants LABEL=URI"))?;
    Ok(Link {
        label: label.to_owned(),
        uri: uri.to_owned(),
    })
}

fn command(words: &[&str], sending: Sending, replace: bool) -> Result<Command, Failure> {
    let flag = sending.flag.as_ref();
    if let Some(flag) = flag.filter(|_| words.first() != Some(&"send")) {
        return Err(bad(format!("{flag} belongs to lanpush send")));
    }
    match words {
        [] | ["serve"] => Ok(Command::Serve),
        ["check"] => Ok(Command::Check),
        ["help", ..] => Ok(Command::Help),
        ["user", rest @ ..] => action(rest).map(Command::User),
        ["export", file] if !file.is_empty() => Ok(Command::Export(PathBuf::from(file))),
        ["import", file] if !file.is_empty() => Ok(Command::Import {
            file: PathBuf::from(file),
            replace,
        }),
        [verb @ ("export" | "import"), ..] => Err(bad(format!(
            "lanpush {verb} wants one FILE, or - for standard {}",
            if *verb == "export" { "output" } else { "input" }
        ))),
        ["topic", rest @ ..] => topic_action(rest).map(Command::Topic),
        ["withdraw", id] if !id.is_empty() => Ok(Command::Withdraw {
            id: (*id).to_owned(),
        }),
        ["withdraw", ..] => Err(bad("lanpush withdraw wants the ID that send has printed")),
        ["send", to, message] => sending.draft(to, message).map(Command::Send),
        ["send", to] if sending.says_something() => sending.draft(to, "").map(Command::Send),
        ["send"] | ["send", _] => Err(bad("lanpush send wants TO and MESSAGE")),
        ["send", ..] => Err(bad(
            "lanpush send wants one TO and one MESSAGE; put * and a message of several words in quotes",
        )),
        ["check", word, ..] => Err(bad(format!(
            "lanpush check takes no argument {word:?}; name a file with --config"
        ))),
        ["serve", word, ..] => Err(bad(format!("lanpush serve takes no argument {word:?}"))),
        [word, ..] => Err(bad(format!("unknown command {word:?}"))),
    }
}

fn action(words: &[&str]) -> Result<Action, Failure> {
    if let [_, "", ..] = words {
        return Err(bad("NAME is empty"));
    }
    let owned = |word: &&str| (**word).to_owned();
    match words {
        ["list"] => Ok(Action::List),
        ["del", name] => Ok(Action::Remove { name: owned(name) }),
        ["add", name, password @ ..] if password.len() < 2 => Ok(Action::Add {
            name: owned(name),
            password: password.first().map(owned),
        }),
        ["passwd", name, password @ ..] if password.len() < 2 => Ok(Action::SetPassword {
            name: owned(name),
            password: password.first().map(owned),
        }),
        ["tag", name, tags @ ..] => Ok(Action::SetTags {
            name: owned(name),
            tags: tags.iter().map(owned).collect(),
        }),
        ["list", ..] => Err(bad("lanpush user list takes no argument")),
        ["del", ..] => Err(bad("lanpush user del wants NAME")),
        ["tag"] => Err(bad("lanpush user tag wants NAME [TAG...]")),
        [verb @ ("add" | "passwd"), ..] => {
            Err(bad(format!("lanpush user {verb} wants NAME [PASSWORD]")))
        }
        [word, ..] => Err(bad(format!(
            "unknown command user {word:?}, want add, del, passwd, tag or list"
        ))),
        [] => Err(bad("lanpush user wants add, del, passwd, tag or list")),
    }
}

fn topic_action(words: &[&str]) -> Result<topic::Action, Failure> {
    if words.contains(&"") {
        return Err(bad("a name is empty"));
    }
    match words {
        ["add", who, topic] => Ok(topic::Action::Add(Subscription::of(who, topic))),
        ["del", who, topic] => Ok(topic::Action::Remove(Subscription::of(who, topic))),
        ["list", user] => Ok(topic::Action::List {
            user: (*user).to_owned(),
        }),
        [verb @ ("add" | "del"), ..] => Err(bad(format!(
            "lanpush topic {verb} wants USER[/RESOURCE] and TOPIC"
        ))),
        ["list", ..] => Err(bad("lanpush topic list wants USER")),
        _ => Err(bad("lanpush topic wants add, del or list")),
    }
}

fn bad(text: impl Into<String>) -> Failure {
    Failure::Usage(text.into())
}

fn value(parser: &mut Parser) -> Result<OsString, Failure> {
    parser.value().map_err(usage)
}

fn text(word: OsString) -> Result<String, Failure> {
    word.into_string()
        .map_err(|word| bad(format!("{word:?} is not UTF-8")))
}

fn usage(error: lexopt::Error) -> Failure {
    use lexopt::Error;
    bad(match error {
        Error::MissingValue {
            option: Some(option),
        } => format!("{option} wants a value"),
        Error::UnexpectedOption(option) => format!("unknown flag {option}"),
        Error::UnexpectedValue { option, .. } => format!("{option} takes no value"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn parsed(words: &[&str]) -> Result<Arguments, Failure> {
        parse(words.iter().map(OsString::from))
    }

    fn draft(to: &str, message: &str) -> Draft {
        Draft {
            to: to.into(),
            message: message.into(),
            ..Draft::default()
        }
    }

    fn import(file: &str, replace: bool) -> Command {
        let file = file.into();
        Command::Import { file, replace }
    }

    fn waits(seconds: u32, until: &'static str) -> Command {
        Command::Send(Draft {
            wait: Some(Patience { seconds, until }),
            ..draft("sam", "hi")
        })
    }

    fn add(name: &str, password: Option<&str>) -> Command {
        Command::User(Action::Add {
            name: name.into(),
            password: password.map(str::to_owned),
        })
    }

    #[test]
    fn commands() {
        let with_title = Draft {
            title: Some("T".into()),
            uri: Some("http://x".into()),
            ..draft("sam", "hi")
        };
        let tag = |tags: &[&str]| {
            Command::User(Action::SetTags {
                name: "sam".into(),
                tags: tags.iter().map(ToString::to_string).collect(),
            })
        };
        let passwd = Action::SetPassword {
            name: "sam".into(),
            password: None,
        };
        for (words, want) in [
            (&[][..], Command::Serve),
            (&["serve"], Command::Serve),
            (&["--log", "debug"], Command::Serve),
            (&["check"], Command::Check),
            (&["check", "--config", "a"], Command::Check),
            (&["--config=a", "check"], Command::Check),
            (&["help"], Command::Help),
            (&["help", "send"], Command::Help),
            (&["-h"], Command::Help),
            (&["send", "--help"], Command::Help),
            (&["--version"], Command::Version),
            (&["export", "a"], Command::Export("a".into())),
            (&["export", "-"], Command::Export("-".into())),
            (&["import", "a"], import("a", false)),
            (&["import", "--replace", "-"], import("-", true)),
            (&["user", "list"], Command::User(Action::List)),
            (&["user", "add", "sam"], add("sam", None)),
            (&["user", "add", "sam", "pw"], add("sam", Some("pw"))),
            (
                &["user", "--data", "d", "add", "sam", ""],
                add("sam", Some("")),
            ),
            (
                &["user", "add", "--", "sam", "--pw"],
                add("sam", Some("--pw")),
            ),
            (&["user", "passwd", "sam"], Command::User(passwd)),
            (&["user", "tag", "sam", "a", "b"], tag(&["a", "b"])),
            (&["user", "tag", "sam"], tag(&[])),
            (
                &["user", "del", "sam"],
                Command::User(Action::Remove { name: "sam".into() }),
            ),
            (
                &["withdraw", "00ff"],
                Command::Withdraw { id: "00ff".into() },
            ),
            (
                &["topic", "list", "sam"],
                Command::Topic(topic::Action::List { user: "sam".into() }),
            ),
            (
                &["topic", "add", "sam/my phone", "doors"],
                Command::Topic(topic::Action::Add(Subscription {
                    user: "sam".into(),
                    resource: Some("my phone".into()),
                    topic: "doors".into(),
                })),
            ),
            (
                &["topic", "del", "sam", "a/b"],
                Command::Topic(topic::Action::Remove(Subscription {
                    user: "sam".into(),
                    resource: None,
                    topic: "a/b".into(),
                })),
            ),
            (&["token", "list"], Command::Token(token::Action::List)),
            (
                &["token", "del", "00ff00ff"],
                Command::Token(token::Action::Remove {
                    id: "00ff00ff".into(),
                }),
            ),
            (
                &["token", "add"],
                Command::Token(token::Action::Add(Wanted::default())),
            ),
            (
                &[
                    "token",
                    "--uses",
                    "20",
                    "add",
                    "--days=3",
                    "--note",
                    "the office",
                ],
                Command::Token(token::Action::Add(Wanted {
                    uses: Some(20),
                    days: Some(3),
                    note: Some("the office".into()),
                })),
            ),
            (&["send", "--wait", "sam", "hi"], waits(30, "acknowledged")),
            (
                &["send", "sam", "hi", "--wait=5", "--for", "sent"],
                waits(5, "sent"),
            ),
            (&["send", "*", "hi"], Command::Send(draft("*", "hi"))),
            (
                &["send", "sam", "--uri", "http://x"],
                Command::Send(Draft {
                    uri: Some("http://x".into()),
                    ..draft("sam", "")
                }),
            ),
            (
                &["send", "tag:a b", "-"],
                Command::Send(draft("tag:a b", "-")),
            ),
            (
                &["send", "sam", "--", "--hi"],
                Command::Send(draft("sam", "--hi")),
            ),
            (
                &["--title", "T", "send", "--uri=http://x", "sam", "hi"],
                Command::Send(with_title),
            ),
        ] {
            let command = parsed(words).map(|arguments| arguments.command);
            assert_eq!(command, Ok(want), "{words:?}");
        }
    }

    #[test]
    fn flags() {
        let arguments = parsed(&[
            "--config",
            "a.toml",
            "--data=/d",
            "check",
            "--domain",
            "gw",
            "--xmpp=:1",
            "--http",
            "",
            "--log",
            "warn",
            "--log=info",
        ])
        .unwrap();
        assert_eq!(arguments.options.config, Some("a.toml".into()));
        let flags: Vec<_> = arguments
            .options
            .flags
            .iter()
            .map(|(flag, value)| (flag.name, flag.key, value.as_str()))
            .collect();
        assert_eq!(
            flags,
            [
                ("data", "server.data", "/d"),
                ("domain", "server.domain", "gw"),
                ("xmpp", "xmpp.listen", ":1"),
                ("http", "http.listen", ""),
                ("log", "log.level", "warn"),
                ("log", "log.level", "info"),
            ]
        );
    }

    #[test]
    fn bad_usage() {
        for (words, want) in [
            (&["sevre"][..], "unknown command \"sevre\""),
            (&[""], "unknown command \"\""),
            (&["a\u{1b}[2J"], r#"unknown command "a\u{1b}[2J""#),
            (&["serve", "now"], "lanpush serve takes no argument \"now\""),
            (
                &["check", "a.toml"],
                "lanpush check takes no argument \"a.toml\"; name a file with --config",
            ),
            (&["--colour"], "unknown flag --colour"),
            (&["-v"], "unknown flag -v"),
            (&["--config"], "--config wants a value"),
            (&["--title", "T"], "--title belongs to lanpush send"),
            (
                &["user", "list", "--uri", "u"],
                "--uri belongs to lanpush send",
            ),
            (
                &["export", "a", "--replace"],
                "--replace belongs to lanpush import",
            ),
            (
                &["user", "list", "--uses", "2"],
                "--uses belongs to lanpush token add",
            ),
            (
                &["token", "list", "--note", "n"],
                "--note belongs to lanpush token add",
            ),
            (
                &["token", "add", "--days", "two"],
                "--days is \"two\", want a number",
            ),
            (
                &["token", "add", "--ttl", "2"],
                "--ttl belongs to lanpush send",
            ),
            (
                &["token", "add", "x"],
                "lanpush token add takes no argument",
            ),
            (
                &["token", "del", ""],
                "lanpush token del wants the ID that list shows",
            ),
            (&["token"], "lanpush token wants add, del or list"),
            (
                &["export"],
                "lanpush export wants one FILE, or - for standard output",
            ),
            (
                &["import", ""],
                "lanpush import wants one FILE, or - for standard input",
            ),
            (
                &["import", "a", "b"],
                "lanpush import wants one FILE, or - for standard input",
            ),
            (&["send"], "lanpush send wants TO and MESSAGE"),
            (
                &["send", "sam", "--priority=4"],
                "lanpush send wants TO and MESSAGE",
            ),
            (&["send", "sam"], "lanpush send wants TO and MESSAGE"),
            (
                &["send", "a.txt", "b.txt", "hi"],
                "lanpush send wants one TO and one MESSAGE; put * and a message of several words in quotes",
            ),
            (&["send", "sam", "hi", "--for=sent"], "--for wants --wait"),
            (
                &["send", "sam", "hi", "--wait", "--for=ever"],
                "--for wants sent, acknowledged or confirmed",
            ),
            (
                &["send", "sam", "hi", "--wait=-1"],
                "--wait is \"-1\", want a number",
            ),
            (
                &["send", "sam", "hi", "--priority", "high"],
                "--priority is \"high\", want a number",
            ),
            (
                &["send", "sam", "hi", "--ttl=+5"],
                "--ttl is \"+5\", want a number",
            ),
            (
                &["send", "sam", "hi", "--action=Open"],
                "--action wants LABEL=URI",
            ),
            (
                &["send", "sam", "hi", "--silent=no"],
                "--silent takes no value",
            ),
            (&["check", "--wait"], "--wait belongs to lanpush send"),
            (
                &["withdraw"],
                "lanpush withdraw wants the ID that send has printed",
            ),
            (&["topic"], "lanpush topic wants add, del or list"),
            (&["topic", "list"], "lanpush topic list wants USER"),
            (
                &["topic", "add", "sam"],
                "lanpush topic add wants USER[/RESOURCE] and TOPIC",
            ),
            (&["topic", "del", "sam", ""], "a name is empty"),
            (
                &["user"],
                "lanpush user wants add, del, passwd, tag or list",
            ),
            (
                &["user", "rm", "sam"],
                "unknown command user \"rm\", want add, del, passwd, tag or list",
            ),
            (
                &["user", "list", "sam"],
                "lanpush user list takes no argument",
            ),
            (&["user", "del"], "lanpush user del wants NAME"),
            (&["user", "add"], "lanpush user add wants NAME [PASSWORD]"),
            (
                &["user", "add", "a", "b", "c"],
                "lanpush user add wants NAME [PASSWORD]",
            ),
            (
                &["user", "passwd"],
                "lanpush user passwd wants NAME [PASSWORD]",
            ),
            (&["user", "tag"], "lanpush user tag wants NAME [TAG...]"),
            (&["user", "tag", "", "a"], "NAME is empty"),
            (&["user", "del", ""], "NAME is empty"),
        ] {
            assert_eq!(parsed(words), Err(bad(want)), "{words:?}");
        }
    }

    #[test]
    fn what_is_not_utf8() {
        let word = || OsString::from_vec(vec![b'a', 0xff]);
        let refused = parse(["send".into(), "sam".into(), word()].into_iter());
        assert_eq!(refused, Err(bad(r#""a\xFF" is not UTF-8"#)));
        let path = parse(["check".into(), "--config".into(), word()].into_iter()).unwrap();
        assert_eq!(path.options.config, Some(word().into()));
    }
}
