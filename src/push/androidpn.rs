//! Users of an androidpn server, out of the text its database leaves: HSQLDB's `.script` file, or a MySQL or
//! MariaDB dump. Phones keep their name and password, and notice nothing of the move.
//!
//! Read are `INSERT INTO apn_user`, with or without a schema, quotes, a list of columns, several rows; and
//! `CREATE TABLE apn_user` for the order of its columns. Everything else is passed over. A statement that
//! cannot be read ends with its line, and the next line is read as if nothing had happened.
//!
//! Both write a quote in a string as two. MySQL escapes with `\`; HSQLDB writes `\u00fc` for what is not
//! ASCII, and takes every other `\` as it stands.

use super::export::{self, BadLine};
use super::sql::{Lexer, Token};
use super::store::Account;
use crate::time::parse_calendar;

/// The table, in any case.
const TABLE: &str = "apn_user";
/// What Hibernate makes of androidpn's own user class.
const COLUMNS: [&str; 7] = [
    "id",
    "created_date",
    "email",
    "name",
    "password",
    "updated_date",
    "username",
];

/// What has been found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// The users, in their order; one that is there twice is there twice.
    pub accounts: Vec<Account>,
    /// Lines, counted from 1, of which something could not be taken, and why.
    pub bad: Vec<(usize, BadLine)>,
}

/// Whether the beginning of a file looks like such text.
#[must_use]
pub fn looks_like_sql(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let words = [
        "--", "/*", "#", "CREATE ", "INSERT ", "SET ", "DROP ", "LOCK ", "USE ", "GRANT ",
    ];
    words.iter().any(|word| {
        let start = text.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// The users in `text`.
#[must_use]
pub fn users(text: &[u8]) -> Users {
    let mut reader = Reader {
        lexer: Lexer::new(text, is_mysql(text)),
        columns: None,
        found: Users::default(),
    };
    while reader.lexer.skip_blank() {
        let line = reader.lexer.line();
        if let Err(why) = reader.statement() {
            reader.found.bad.push((line, BadLine(why.to_owned())));
            reader.lexer.skip_line();
        }
    }
    reader.found
}

/// MySQL quotes names with `, and its dumps say who wrote them.
fn is_mysql(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let has = |part: &[u8], word: &[u8]| part.windows(word.len()).any(|window| window == word);
    let head = lower.get(..1024).unwrap_or(&lower);
    has(&lower, b"`apn_user`") || has(head, b"mysql") || has(head, b"mariadb")
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    /// Of the table, lower case, if a statement has said.
    columns: Option<Vec<String>>,
    found: Users,
}

impl Reader<'_> {
    fn statement(&mut self) -> Result<(), &'static str> {
        let verb = self.lexer.word().unwrap_or_default();
        let mut next = || (!self.lexer.is_line_end()).then(|| self.lexer.word())?;
        match verb.as_str() {
            "insert" if next().as_deref() == Some("into") => self.insert(),
            "create" => self.create(),
            _ => {
                self.lexer.skip_statement();
                Ok(())
            }
        }
    }

    /// After `CREATE`.
    fn create(&mut self) -> Result<(), &'static str> {
        let mut name = None;
        // CREATE CACHED TABLE IF NOT EXISTS PUBLIC.APN_USER(
        while !self.lexer.is_line_end() && !self.lexer.is_next(b'(') {
            match self.lexer.name() {
                Some(word) => name = Some(word),
                None => break,
            }
        }
        if name.as_deref() != Some(TABLE) || !self.lexer.is_next(b'(') {
            self.lexer.skip_statement();
            return Ok(());
        }
        let mut columns = Vec::new();
        let mut depth = 0_usize;
        while let Some(token) = self.lexer.token()? {
            match token {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth = depth.saturating_sub(1),
                Token::Mark(b',') if depth == 1 => {}
                _ => continue,
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && matches!(token, Token::Mark(b'(' | b',')) {
                columns.extend(self.lexer.column());
            }
        }
        self.columns = Some(columns);
        self.lexer.skip_statement();
        Ok(())
    }

    /// After `INSERT INTO`.
    fn insert(&mut self) -> Result<(), &'static str> {
        if self.lexer.name().as_deref() != Some(TABLE) {
            self.lexer.skip_statement();
            return Ok(());
        }
        let mut columns = self.columns.clone();
        if self.lexer.is_next(b'(') {
            let listed = self.lexer.tuple()?;
            let listed = listed.into_iter().map(Option::unwrap_or_default);
            columns = Some(listed.map(|name| name.to_ascii_lowercase()).collect());
        }
        if self.lexer.word().as_deref() != Some("values") {
            return Err("VALUES is missing");
        }
        loop {
            let line = self.lexer.line();
            let values = self.lexer.tuple()?;
            match account(columns.as_deref(), values) {
                Ok(account) => self.found.accounts.push(account),
                Err(why) => self.found.bad.push((line, why)),
            }
            if !self.lexer.is_next(b',') {
                break;
            }
            self.lexer.token()?;
        }
        if self.lexer.is_next(b';') {
            self.lexer.token()?;
        }
        Ok(())
    }
}

/// The account a row is.
fn account(columns: Option<&[String]>, values: Vec<Option<String>>) -> Result<Account, BadLine> {
    let bad = |why: &str| Err(BadLine(why.to_owned()));
    let names: Vec<&str> = match columns {
        Some(columns) => columns.iter().map(String::as_str).collect(),
        None => COLUMNS.to_vec(),
    };
    if names.len() != values.len() {
        return bad("it has another number of columns than its table");
    }
    let mut account = Account::default();
    for (name, value) in names.into_iter().zip(values) {
        let value = value.unwrap_or_default();
        match name {
            "username" => account.name = value,
            "password" => account.password = value,
            "name" => account.full_name = value,
            "email" => account.email = value,
            "alias" => account.alias = value.trim().to_owned(),
            "tag" | "tags" => {
                let tags = value.split([',', ';']).map(str::trim);
                let tags = tags.filter(|tag| !tag.is_empty());
                account.tags = tags.map(str::to_owned).collect();
            }
            "created_date" => account.created = date(&value),
            "updated_date" => account.updated = date(&value),
            _ => {}
        }
    }
    export::checked(account)
}

/// Seconds since 1970, or 0 if it is no date. Fractions of a second fall away.
fn date(text: &str) -> u64 {
    let whole = text.split('.').next().unwrap_or_default();
    parse_calendar(whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HSQLDB: &str = "\
CREATE SCHEMA PUBLIC AUTHORIZATION DBA
COMMIT
CREATE MEMORY TABLE APN_USER(ID BIGINT GENERATED BY DEFAULT AS IDENTITY(START WITH 1) NOT NULL PRIMARY KEY,CREATED_DATE TIMESTAMP,EMAIL VARCHAR(64),NAME VARCHAR(64),PASSWORD VARCHAR(64),UPDATED_DATE TIMESTAMP,USERNAME VARCHAR(64) NOT NULL,CONSTRAINT SYS_CT_47 UNIQUE(USERNAME))
ALTER TABLE APN_USER ALTER COLUMN ID RESTART WITH 3
CREATE USER SA PASSWORD \"\"
GRANT DBA TO SA
SET WRITE_DELAY 10
SET SCHEMA PUBLIC
INSERT INTO APN_USER VALUES(1,'2010-12-01 10:11:12.123000000',NULL,'O''Hara \\u00fc\\ud83d\\ude00 \\n','p,)''(w',NULL,'0a1b2c3d')
INSERT INTO APN_USER VALUES(2,NULL,'a@b','x','y',NULL,'Second')
";
    const MYSQL: &str = "\
-- MySQL dump 10.13
/*!40101 SET NAMES utf8 */;
DROP TABLE IF EXISTS `apn_user`;
CREATE TABLE `apn_user` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `alias` varchar(64) DEFAULT NULL COMMENT 'a, (b',
  `password` varchar(64) DEFAULT NULL,
  `tag` varchar(64) DEFAULT NULL,
  `username` varchar(64) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `username` (`username`)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8;
LOCK TABLES `apn_user` WRITE;
INSERT INTO `apn_user` VALUES (1,'kitchen','it\\'s \\\\ \\\"x\\\" \\n''','a, b','u1'),(2,NULL,'ü','','u2'),
 (3,'','z',NULL,'u3');
INSERT INTO `other` VALUES (1,'INSERT INTO `apn_user` VALUES (9)');
INSERT INTO `apn_user` (`username`, `password`) VALUES ('u4', _utf8'four');
UNLOCK TABLES;
";

    fn account(name: &str, password: &str) -> Account {
        Account {
            name: name.into(),
            password: password.into(),
            ..Account::default()
        }
    }

    #[test]
    fn hsqldb() {
        let first = Account {
            full_name: "O'Hara ü😀 \\n".into(),
            created: 1_291_198_272,
            ..account("0a1b2c3d", "p,)'(w")
        };
        let second = Account {
            full_name: "x".into(),
            email: "a@b".into(),
            ..account("second", "y")
        };
        let want = Users {
            accounts: vec![first, second],
            bad: Vec::new(),
        };
        assert!(looks_like_sql(HSQLDB.as_bytes()));
        assert_eq!(users(HSQLDB.as_bytes()), want);
        // Without its table the order is androidpn's own.
        let rows = HSQLDB.find("INSERT").unwrap();
        assert_eq!(users(&HSQLDB.as_bytes()[rows..]), want);
    }

    #[test]
    fn mysql() {
        let first = Account {
            alias: "kitchen".into(),
            tags: vec!["a".into(), "b".into()],
            ..account("u1", "it's \\ \"x\" \n'")
        };
        let want = Users {
            accounts: vec![
                first,
                account("u2", "ü"),
                account("u3", "z"),
                account("u4", "four"),
            ],
            bad: Vec::new(),
        };
        assert!(looks_like_sql(MYSQL.as_bytes()));
        assert_eq!(users(MYSQL.as_bytes()), want);
        let windows = MYSQL.replace('\n', "\r\n");
        assert_eq!(users(windows.as_bytes()), want);
    }

    #[test]
    fn bad_lines_do_not_stop_the_rest() {
        let good = "INSERT INTO APN_USER VALUES(2,NULL,NULL,NULL,'y',NULL,'good')";
        for (name, bad, why) in [
            (
                "open string",
                "INSERT INTO APN_USER VALUES(1,'x",
                "a string does not end",
            ),
            (
                "open name",
                "INSERT INTO APN_USER VALUES(1,\"x",
                "a name in quotes does not end",
            ),
            (
                "open column",
                "CREATE TABLE `apn_user` (`id",
                "a name in quotes does not end",
            ),
            (
                "columns",
                "INSERT INTO APN_USER VALUES(1,'x')",
                "it has another number of columns than its table",
            ),
            (
                "no values",
                "INSERT INTO APN_USER SELECT 1",
                "VALUES is missing",
            ),
            (
                "no bracket",
                "INSERT INTO APN_USER VALUES 1",
                "a bracket is missing",
            ),
            (
                "no comma",
                "INSERT INTO APN_USER VALUES(1 2)",
                "a comma is missing",
            ),
            (
                "no value",
                "INSERT INTO APN_USER VALUES(1,,2)",
                "a value is missing",
            ),
            (
                "bad name",
                "INSERT INTO APN_USER VALUES(1,NULL,NULL,NULL,'p',NULL,'a b')",
                "its name cannot be kept",
            ),
            (
                "no name",
                "INSERT INTO APN_USER VALUES(1,NULL,NULL,NULL,'p',NULL,NULL)",
                "its name cannot be kept",
            ),
        ] {
            let text = format!("SET SCHEMA PUBLIC\n{bad}\n{good}\n");
            let found = users(text.as_bytes());
            assert_eq!(found.accounts, [account("good", "y")], "{name}");
            assert_eq!(found.bad, [(2, BadLine(why.into()))], "{name}");
            let twice = format!("{bad}\n{bad}\n");
            let lines = users(twice.as_bytes())
                .bad
                .into_iter()
                .map(|(line, _)| line);
            assert_eq!(lines.collect::<Vec<_>>(), [1, 2], "{name}");
        }
        let wide = format!("INSERT INTO APN_USER VALUES({})", "1,".repeat(1000));
        assert_eq!(users(wide.as_bytes()).bad.len(), 1);
        let not_utf8 = [b"INSERT INTO APN_USER VALUES('\xff')\n", good.as_bytes()].concat();
        assert_eq!(users(&not_utf8).accounts.len(), 1);
    }

    #[test]
    fn chopped_at_every_byte() {
        for text in [HSQLDB.as_bytes(), MYSQL.as_bytes()] {
            let whole = users(text).accounts;
            for cut in 0..text.len() {
                let part = users(&text[..cut]).accounts;
                // Without the end of MySQL's header the text may be read by the other rules.
                assert!(part.len() <= whole.len(), "cut at {cut}");
                for (part, whole) in part.iter().zip(&whole) {
                    assert_eq!(part.name, whole.name, "cut at {cut}");
                }
            }
            // And what begins in the middle.
            for cut in 0..text.len() {
                drop(users(&text[cut..]));
            }
        }
    }

    #[test]
    fn what_is_not_sql() {
        for text in ["", "{\"lanpush\":{}}", "insurance", "\u{0}"] {
            assert!(!looks_like_sql(text.as_bytes()), "{text:?}");
            assert_eq!(users(text.as_bytes()), Users::default());
        }
    }
}
