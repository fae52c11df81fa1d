//! Which tags a user has to carry: `office`, `office & !night`, `a & (b | !c)`.
//!
//! `!` binds before `&`, `&` before `|`. A tag is any text without these signs and parentheses; white space
//! around it does not count. In quotes it may hold anything, `\"` and `\\` for a quote and a backslash:
//! `"R&D" | office`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// What a tag can hold only in quotes.
const SIGNS: [char; 5] = ['&', '|', '!', '(', ')'];

/// A condition on a user's tags, as text and as what it means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TagExpression {
    text: String,
    condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Has(String),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// The text is no condition on tags, or a longer one than [`limits::TAG_TERMS`] allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnExpression;

impl fmt::Display for NotAnExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no condition on tags, or too long a one")
    }
}

impl TagExpression {
    /// The condition of carrying this very tag, signs and all.
    #[must_use]
    pub fn exactly(tag: &str) -> Self {
        let is_plain = !tag.is_empty() && tag.trim() == tag && !tag.contains(SIGNS);
        let text = match is_plain && !tag.starts_with('"') {
            true => tag.to_owned(),
            false => format!("\"{}\"", tag.replace('\\', "\\\\").replace('"', "\\\"")),
        };
        Self {
            text,
            condition: Condition::Has(tag.to_owned()),
        }
    }

    /// Whether somebody for whom `has` says which tags they carry is meant.
    pub fn matches(&self, has: &dyn Fn(&str) -> bool) -> bool {
        self.condition.matches(has)
    }
}

impl Condition {
    fn matches(&self, has: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Has(tag) => has(tag),
            Self::Not(condition) => !condition.matches(has),
            Self::All(conditions) => conditions.iter().all(|one| one.matches(has)),
            Self::Any(conditions) => conditions.iter().any(|one| one.matches(has)),
        }
    }
}

impl fmt::Display for TagExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<TagExpression> for String {
    fn from(expression: TagExpression) -> Self {
        expression.text
    }
}

impl TryFrom<String> for TagExpression {
    type Error = NotAnExpression;

    fn try_from(text: String) -> Result<Self, NotAnExpression> {
        text.parse()
    }
}

impl FromStr for TagExpression {
    type Err = NotAnExpression;

    fn from_str(text: &str) -> Result<Self, NotAnExpression> {
        let text = text.trim();
        let mut reader = Reader {
            rest: text,
            terms: 0,
        };
        let condition = reader.any()?;
        if !reader.rest.is_empty() {
            return Err(NotAnExpression);
        }
        Ok(Self {
            text: text.to_owned(),
            condition,
        })
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// Signs and tags read so far; the bound on them is also a bound on depth.
    terms: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Condition, NotAnExpression> {
        let mut conditions = vec![self.all()?];
        while self.takes('|') {
            conditions.push(self.all()?);
        }
        Ok(one_or(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, NotAnExpression> {
        let mut conditions = vec![self.not()?];
        while self.takes('&') {
            conditions.push(self.not()?);
        }
        Ok(one_or(conditions, Condition::All))
    }

    fn not(&mut self) -> Result<Condition, NotAnExpression> {
        self.terms += 1;
        if self.terms > limits::TAG_TERMS {
            return Err(NotAnExpression);
        }
        if self.takes('!') {
            return Ok(Condition::Not(Box::new(self.not()?)));
        }
        if self.takes('(') {
            let inner = self.any()?;
            return if self.takes(')') {
                Ok(inner)
            } else {
                Err(NotAnExpression)
            };
        }
        self.tag()
    }

    fn tag(&mut self) -> Result<Condition, NotAnExpression> {
        if let Some((tag, rest)) = self.rest.strip_prefix('"').and_then(quoted) {
            if tag.len() > limits::LABEL {
                return Err(NotAnExpression);
            }
            self.rest = rest.trim_start();
            return Ok(Condition::Has(tag));
        }
        // A quote that is never closed is a part of the tag.
        let end = self.rest.find(SIGNS).unwrap_or(self.rest.len());
        let (tag, rest) = self.rest.split_at(end);
        let tag = tag.trim();
        if tag.is_empty() || tag.len() > limits::LABEL {
            return Err(NotAnExpression);
        }
        self.rest = rest;
        Ok(Condition::Has(tag.to_owned()))
    }

    fn takes(&mut self, sign: char) -> bool {
        match self.rest.trim_start().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }
}

/// The text up to the closing quote, and what is behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut tag = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((tag, chars.as_str())),
            '\\' => tag.push(chars.next()?),
            other => tag.push(other),
        }
    }
}

fn one_or(mut conditions: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (conditions.len(), conditions.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            conditions.push(last);
            many(conditions)
        }
        (_, None) => many(conditions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_meant() {
        for (text, tags, meant) in [
            ("office", "office", true),
            ("office", "home", false),
            (" office ", "office", true),
            ("second floor", "second floor", true),
            ("!office", "home", true),
            ("!!office", "office", true),
            ("a & b", "a,b", true),
            ("a & b", "a", false),
            ("a|b", "b", true),
            ("a & (b | !c)", "a", true),
            ("a & (b | !c)", "a,c", false),
            ("a & (b | !c)", "a,b,c", true),
            ("a | b & c", "a", true),
            ("(a | b) & c", "a", false),
            ("!(a | b)", "c", true),
            ("办公室 & !夜", "办公室", true),
            ("\"R&D\"", "R&D", true),
            ("!\"R&D\" | home", "R&D", false),
            (" ( \"a | b\" & c ) ", "a | b,c", true),
            (r#""say \"hi\" \\o/""#, r#"say "hi" \o/"#, true),
            ("5\" nails", "5\" nails", true),
            ("\"open", "\"open", true),
        ] {
            let expression: TagExpression = text.parse().unwrap();
            let has = |tag: &str| tags.split(',').any(|own| own == tag);
            assert_eq!(expression.matches(&has), meant, "{text} of {tags}");
            assert_eq!(expression.to_string(), text.trim());
        }
    }

    #[test]
    fn any_tag_can_be_written() {
        for tag in [
            "office", "R&D", "a|b", "!a", "(", ")", " a ", "", "\"", "\"a\"", "a\"b", "\\", "a\\",
            "\\\" & (",
        ] {
            let expression = TagExpression::exactly(tag);
            let read = expression.to_string().parse();
            assert_eq!(read, Ok(expression.clone()), "{tag:?}");
            assert!(expression.matches(&|own| own == tag), "{tag:?}");
            assert!(!expression.matches(&|own| own != tag), "{tag:?}");
        }
    }

    #[test]
    fn what_is_no_expression() {
        let deep = "(".repeat(1000) + "a" + &")".repeat(1000);
        let negated = "!".repeat(100_000) + "a";
        let wide = vec!["a"; limits::TAG_TERMS + 1].join("|");
        let long = "a".repeat(limits::LABEL + 1);
        let quoted = format!("\"{long}\"");
        for text in [
            "\"a\" b",
            "a \"b\" & ",
            &quoted,
            "",
            "  ",
            "&",
            "a &",
            "| a",
            "a b & ",
            "(a",
            "a)",
            "()",
            "a (b)",
            "a !b",
            &deep,
            &negated,
            &wide,
            &long,
        ] {
            assert_eq!(
                text.parse::<TagExpression>(),
                Err(NotAnExpression),
                "{text:.40}"
            );
        }
    }
}
