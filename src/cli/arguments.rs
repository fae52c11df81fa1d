//! The command line, from words to what they ask for.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::Failure;
use super::send::Draft;
use super::settings::{FLAGS, Options};
use super::user::Action;

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
    Send(Draft),
    Export(PathBuf),
    Import { file: PathBuf, replace: bool },
    Help,
    Version,
}

/// What the words ask for. A flag given twice holds its last value.
pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Arguments, Failure> {
    let mut parser = Parser::from_args(words);
    let mut options = Options::default();
    let mut draft = Draft::default();
    let mut names = Vec::new();
    let mut replace = false;
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
            Arg::Long("title") => draft.title = Some(text(value(&mut parser)?)?),
            Arg::Long("uri") => draft.uri = Some(text(value(&mut parser)?)?),
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
    let command = command(&words, draft, replace)?;
    Ok(Arguments { command, options })
}

fn command(words: &[&str], draft: Draft, replace: bool) -> Result<Command, Failure> {
    if let Some(flag) = draft.flag().filter(|_| words.first() != Some(&"send")) {
        return Err(bad(format!("{flag} belongs to lanpush send")));
    }
    match words {
        [] | ["serve"] => Ok(Command::Serve),
        ["check"] => Ok(Command::Check),
        ["help", ..] => Ok(Command::Help),
        ["user", rest @ ..] => action(rest).map(Command::User),
        ["send", to, message] => Ok(Command::Send(Draft {
            to: (*to).to_owned(),
            message: (*message).to_owned(),
            ..draft
        })),
        ["export", file] if !file.is_empty() => Ok(Command::Export(PathBuf::from(file))),
        ["import", file] if !file.is_empty() => Ok(Command::Import {
            file: PathBuf::from(file),
            replace,
        }),
        [verb @ ("export" | "import"), ..] => Err(bad(format!(
            "lanpush {verb} wants one FILE, or - for standard {}",
            if *verb == "export" { "output" } else { "input" }
        ))),
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
        ["list", ..] => Err(bad("lanpush user list takes no argument")),
        ["del", ..] => Err(bad("lanpush user del wants NAME")),
        [verb @ ("add" | "passwd"), ..] => {
            Err(bad(format!("lanpush user {verb} wants NAME [PASSWORD]")))
        }
        [word, ..] => Err(bad(format!(
            "unknown command user {word:?}, want add, del, passwd or list"
        ))),
        [] => Err(bad("lanpush user wants add, del, passwd or list")),
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
            (
                &["user", "del", "sam"],
                Command::User(Action::Remove { name: "sam".into() }),
            ),
            (&["send", "*", "hi"], Command::Send(draft("*", "hi"))),
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
            (&["token", "list"], "unknown command \"token\""),
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
            (&["send", "sam"], "lanpush send wants TO and MESSAGE"),
            (
                &["send", "a.txt", "b.txt", "hi"],
                "lanpush send wants one TO and one MESSAGE; put * and a message of several words in quotes",
            ),
            (&["user"], "lanpush user wants add, del, passwd or list"),
            (
                &["user", "rm", "sam"],
                "unknown command user \"rm\", want add, del, passwd or list",
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
