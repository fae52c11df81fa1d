//! The small coin of the language: words, pairs, numbers, times, names in braces.

use std::net::IpAddr;
use std::time::Duration;

use super::template::{Scope, Template};

/// Keys and values.
pub(crate) type Settings = Vec<(String, String)>;

/// The name in `{name}`.
pub(crate) fn label(text: &str) -> Result<String, String> {
    text.strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .map(str::to_owned)
        .ok_or_else(|| format!("want a name in braces, not {text:?}"))
}

/// `90s`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
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

pub(crate) fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| format!("want a number, not {text:?}"))
}

/// The address a phone connects from.
pub(crate) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}

/// `key: value key: value`
pub(crate) fn settings(text: &str) -> Result<Settings, String> {
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

/// `key=value key="value with spaces"`
pub(crate) fn equations(text: &str) -> Result<Settings, String> {
    words(text)?
        .into_iter()
        .map(|word| {
            word.split_once('=')
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .ok_or_else(|| format!("want `key=value`, not {word:?}"))
        })
        .collect()
}

/// Words; quotes hold one together, braces and escapes mean what they mean everywhere.
pub(crate) fn words(text: &str) -> Result<Vec<String>, String> {
    split(text)?
        .iter()
        .map(|word| {
            let bytes = Template::parse(word)?.fill(&Scope::default(), "")?;
            String::from_utf8(bytes).map_err(|_| format!("not UTF-8: {word}"))
        })
        .collect()
}

/// Splits at white space outside quotes and braces, and takes the quotes away.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let (mut quoted, mut braced) = (false, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() && !quoted && !braced {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match letter {
            '\\' if !braced => match letters.next() {
                Some('"') => word.push('"'),
                other => {
                    word.push('\\');
                    word.extend(other);
                }
            },
            '"' if !braced => quoted = !quoted,
            _ => {
                braced = letter == '{' || (braced && letter != '}');
                word.push(letter);
            }
        }
    }
    if quoted || braced {
        return Err(format!("a quote or a brace is not closed: {text}"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_into_words() {
        for (text, wanted) in [
            ("", &[][..]),
            (" a  bc\td ", &["a", "bc", "d"]),
            (
                r#"title="Hello World" uri="#,
                &["title=Hello World", "uri="],
            ),
            (r#"a="" b=" ""#, &["a=", "b= "]),
            (r#"title="say \"hi\"\n""#, &["title=say \"hi\"\n"]),
            (r#"title={3 x "a b"} x"#, &["title=a ba ba b", "x"]),
        ] {
            assert_eq!(words(text).unwrap(), wanted, "{text}");
        }
        for text in ["\"", "a=\"b", "{3 x \"a\"", "{name}", r"\q"] {
            assert!(words(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for text in ["", "s", "90", "1.5h", "-1s", "90 s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
