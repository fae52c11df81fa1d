//! `lanpush token add|del|list`: by what others may register.

use lanpush::edge::logging::printable;
use lanpush::time::calendar;
use serde::{Deserialize, Serialize};

use super::admin::{Admin, NO_BODY, percent_encoded};
use super::{Failure, say};

/// What is to happen with tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Add(Wanted),
    Remove { id: String },
    List,
}

/// A token as it is asked for; the server knows what is not said.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Deserialize)]
struct New {
    token: String,
    uri: String,
    id: String,
    uses: u32,
    /// Second since 1970.
    expires: Option<u64>,
}

#[derive(Deserialize)]
struct Page {
    tokens: Vec<Token>,
}

#[derive(Deserialize)]
struct Token {
    id: String,
    uses: u32,
    /// Second since 1970.
    expires: Option<u64>,
    expired: bool,
    note: String,
}

pub(super) fn perform(admin: &Admin, action: Action) -> Result<(), Failure> {
    match action {
        Action::Add(wanted) => {
            let answer = admin.ask("POST", "/api/v1/tokens", Some(&wanted))?;
            say(&told(&answer.json()?))
        }
        Action::Remove { id } => {
            let path = format!("/api/v1/tokens/{}", percent_encoded(&id));
            admin.ask("DELETE", &path, NO_BODY)?;
            say(&format!("token {} removed\n", printable(&id)))
        }
        Action::List => {
            let Page { tokens } = admin.ask("GET", "/api/v1/tokens", NO_BODY)?.json()?;
            if tokens.is_empty() {
                return say("no tokens\n");
            }
            let rows = tokens.iter().map(row);
            say(&std::iter::once(HEADING.to_owned())
                .chain(rows)
                .collect::<String>())
        }
    }
}

/// What is said of a new token: it is not told again.
fn told(new: &New) -> String {
    let uses = new.uses;
    let accounts = if uses == 1 { "account" } else { "accounts" };
    let end = match new.expires {
        Some(second) => format!("until {} (UTC)", calendar(second)),
        None => "without end, since the clock here is not set".to_owned(),
    };
    format!(
        "{}\n{}\ntoken {}: good for {uses} {accounts}, {end}; it is not shown again\n",
        printable(&new.token),
        printable(&new.uri),
        printable(&new.id),
    )
}

const HEADING: &str = "\
ID       USES EXPIRES (UTC)       NOTE
";

fn row(token: &Token) -> String {
    let end = match (token.expired, token.expires) {
        (true, _) => "expired".to_owned(),
        (_, Some(second)) => calendar(second),
        (_, None) => "never".to_owned(),
    };
    let (id, uses) = (printable(&token.id), token.uses);
    let row = format!("{id:<8} {uses:>4} {end:<19} {}", printable(&token.note));
    format!("{}\n", row.trim_end())
}
