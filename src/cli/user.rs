//! `lanpush user add|del|passwd|tag|list`: accounts of the running server.

use lanpush::edge::logging::printable;
use lanpush::limits;
use lanpush::time::calendar;
use serde::{Deserialize, Serialize};

use super::admin::{Admin, NO_BODY, percent_encoded};
use super::{Failure, password, say};

/// What is to happen with accounts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Add {
        name: String,
        /// Asked for if it is missing.
        password: Option<String>,
    },
    SetPassword {
        name: String,
        /// Asked for if it is missing.
        password: Option<String>,
    },
    SetTags {
        name: String,
        /// All the user is to have.
        tags: Vec<String>,
    },
    Remove {
        name: String,
    },
    List,
}

#[derive(Serialize)]
struct Account<'a> {
    name: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct Password<'a> {
    password: &'a str,
}

#[derive(Deserialize)]
struct Page {
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    name: String,
    online: bool,
    alias: String,
    tags: Vec<String>,
    /// Seconds since 1970.
    created: u64,
    waiting: u64,
}

pub(super) fn perform(admin: &Admin, action: Action) -> Result<(), Failure> {
    match action {
        Action::List => list(admin),
        Action::Add { name, password } => {
            let account = Account {
                name: &name,
                password: &given_or_asked(&name, password)?,
            };
            admin.ask("POST", "/api/v1/users", Some(&account))?;
            say(&format!("user {} added\n", printable(&name)))
        }
        Action::SetPassword { name, password } => {
            let body = Password {
                password: &given_or_asked(&name, password)?,
            };
            admin.ask("PUT", &path(&name), Some(&body))?;
            say(&format!("password of {} changed\n", printable(&name)))
        }
        Action::SetTags { name, tags } => {
            admin.ask("PUT", &format!("{}/tags", path(&name)), Some(&tags))?;
            say(&format!("tags of {} changed\n", printable(&name)))
        }
        Action::Remove { name } => {
            admin.ask("DELETE", &path(&name), NO_BODY)?;
            say(&format!("user {} removed\n", printable(&name)))
        }
    }
}

fn path(name: &str) -> String {
    format!("/api/v1/users/{}", percent_encoded(name))
}

fn given_or_asked(name: &str, password: Option<String>) -> Result<String, Failure> {
    password.map_or_else(|| password::ask(name), Ok)
}

/// Prints every user, page by page. Users that come and go meanwhile may be missed or seen twice.
fn list(admin: &Admin) -> Result<(), Failure> {
    let limit = limits::ADMIN_USERS;
    let mut seen = 0;
    while seen < limits::ACCOUNTS {
        let page = format!("/api/v1/users?limit={limit}&offset={seen}");
        let Page { users } = admin.ask("GET", &page, NO_BODY)?.json()?;
        match (seen, users.is_empty()) {
            (0, true) => return say("no users\n"),
            (_, true) => break,
            (0, false) => say(HEADING)?,
            _ => {}
        }
        for user in &users {
            say(&row(user))?;
        }
        seen += users.len();
    }
    Ok(())
}

const HEADING: &str = "\
NAME                             STATE   WAITING CREATED    ALIAS, TAGS
";

fn row(user: &User) -> String {
    let state = if user.online { "online" } else { "away" };
    let created = calendar(user.created);
    let day = created.split(' ').next().unwrap_or_default();
    let labels = std::iter::once(&user.alias)
        .filter(|alias| !alias.is_empty())
        .map(|alias| format!("alias:{alias}"))
        .chain(user.tags.iter().map(|tag| format!("tag:{tag}")));
    let labels = labels.collect::<Vec<_>>().join(" ");
    let (name, waiting) = (printable(&user.name), user.waiting);
    let row = format!(
        "{name:<32} {state:<7} {waiting:>7} {day} {}",
        printable(&labels)
    );
    format!("{}\n", row.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_under_the_heading() {
        let mut user = User {
            name: "0123456789abcdef0123456789abcdef".into(),
            online: true,
            alias: "kitchen".into(),
            tags: vec!["office".into(), "a\u{1b}[2J".into()],
            created: 1_700_000_000,
            waiting: 12,
        };
        assert_eq!(
            row(&user),
            "0123456789abcdef0123456789abcdef online       12 2023-11-14 alias:kitchen tag:office tag:a\\u{1b}[2J\n"
        );
        user.name = "sam".into();
        user.online = false;
        user.alias.clear();
        user.tags.clear();
        let plain = row(&user);
        assert_eq!(
            plain,
            "sam                              away         12 2023-11-14\n"
        );
        assert_eq!(HEADING.find("STATE"), plain.find("away"));
        assert_eq!(HEADING.find("CREATED"), plain.find("2023"));
    }
}
