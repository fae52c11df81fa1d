//! The commands. Those that change something ask the running server; only `serve` opens the data, and
//! `export` and `import` do while no server runs.

mod admin;
mod arguments;
mod help;
mod password;
mod send;
mod settings;
mod token;
mod topic;
mod transfer;
mod user;
mod wait;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use lanpush::edge::trial::{self, Trial};
use lanpush::edge::{self, RunError, Serve, logging};

use admin::Admin;
use arguments::{Arguments, Command};
use settings::Options;

/// Why a command ends without having done what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    /// The arguments make no sense.
    Usage(String),
    /// The configuration makes no sense.
    Config(String),
    /// Something went wrong while doing it.
    Run(String),
    /// Nobody reads standard output any more, which is their right.
    Unread,
}

/// Does what the arguments, the program's name not among them, ask for.
pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.peekable();
    if arguments.next_if(|word| word == Trial::COMMAND).is_some() {
        // The server's own: no person asks for it.
        return trial::report(Path::new(&arguments.next().unwrap_or_default()));
    }
    match arguments::parse(arguments).and_then(perform) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn perform(Arguments { command, options }: Arguments) -> Result<(), Failure> {
    match command {
        Command::Help => say(help::TEXT),
        Command::Version => say(concat!("lanpush ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Serve => serve(options),
        Command::Check => say(&effective(&options)?.to_toml()),
        Command::Export(file) => transfer::export(&effective(&options)?, &file),
        Command::Import { file, replace } => {
            transfer::import(&effective(&options)?, &file, replace)
        }
        Command::User(action) => user::perform(&Admin::of(&effective(&options)?), action),
        Command::Topic(action) => topic::perform(&Admin::of(&effective(&options)?), action),
        Command::Token(action) => token::perform(&Admin::of(&effective(&options)?), action),
        Command::Send(draft) => send::perform(&Admin::of(&effective(&options)?), draft),
        Command::Withdraw { id } => send::withdraw(&Admin::of(&effective(&options)?), &id),
    }
}

fn serve(options: Options) -> Result<(), Failure> {
    let config = effective(&options)?;
    logging::init(config.log.level);
    let serve = Serve {
        data: PathBuf::from(&config.server.data),
        config: Rc::new(config),
        reload: Box::new(move || settings::effective(&options)),
    };
    edge::run(serve).map_err(|error| match error {
        RunError::Certificate(error) if error.is_configuration() => {
            Failure::Config(error.to_string())
        }
        error => Failure::Run(error.to_string()),
    })
}

fn effective(options: &Options) -> Result<lanpush::config::Config, Failure> {
    settings::effective(options).map_err(Failure::Config)
}

/// Writes to standard output.
fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::Run(format!("cannot write the output: {}", plain(&error))),
    })
}

impl Failure {
    /// Tells it on standard error, if anybody listens, and chooses the exit code.
    fn report(&self) -> ExitCode {
        let mut stderr = io::stderr().lock();
        let (text, hint, code) = match self {
            Self::Usage(text) => (text, "See lanpush --help.\n", 2),
            Self::Config(text) => (text, "", 2),
            Self::Run(text) => (text, "", 1),
            Self::Unread => return ExitCode::SUCCESS,
        };
        let _ = writeln!(stderr, "lanpush: {}", logging::printable(text));
        let _ = stderr.write_all(hint.as_bytes());
        ExitCode::from(code)
    }
}

/// An error of the system without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
