//! Text that goes into HTML: escaped, wherever it comes from.

use std::fmt::{self, Display, Write};

use crate::time::{Wall, calendar};

/// Text for an element or a quoted attribute. Control characters, which HTML cannot hold, are shown as �.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(c)?,
                c if c.is_control() => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Text for the value of a parameter in an address.
pub(super) struct Parameter<'a>(pub(super) &'a str);

impl Display for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    f.write_char(char::from(byte))?;
                }
                byte => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// A name somebody else chose, kept from turning the text around it (`<bdi>`).
pub(super) struct Name<'a>(pub(super) &'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<bdi>{}</bdi>", Text(self.0))
    }
}

/// A second of the wall clock, in UTC.
pub(super) struct Time(pub(super) u64);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = calendar(self.0);
        let machine = text.replacen(' ', "T", 1);
        write!(f, "<time datetime=\"{machine}Z\">{text}</time>")
    }
}

/// How long ago a second of the wall clock was; its date if that is longer than a week or lies ahead.
pub(super) struct Ago {
    /// The second.
    pub(super) at: u64,
    /// The present.
    pub(super) now: Wall,
}

impl Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = calendar(self.at);
        let age = self.now.seconds().checked_sub(self.at);
        write!(f, "<time title=\"{text} UTC\">")?;
        match age {
            Some(age @ ..604_800) if age < 60 => f.write_str("just now")?,
            Some(age @ ..604_800) => write!(f, "{} ago", Duration(age))?,
            _ => f.write_str(&text)?,
        }
        f.write_str("</time>")
    }
}

/// Seconds in the one or two units that matter: `4 d 3 h`, `12 min`.
pub(super) struct Duration(pub(super) u64);

impl Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, hours, minutes) = (self.0 / 86_400, self.0 / 3600 % 24, self.0 / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{} s", self.0),
            (0, 0, minutes) => write!(f, "{minutes} min"),
            (0, hours, 0) => write!(f, "{hours} h"),
            (0, hours, minutes) => write!(f, "{hours} h {minutes} min"),
            (days, 0, _) => write!(f, "{days} d"),
            (days, hours, _) => write!(f, "{days} d {hours} h"),
        }
    }
}

/// A number with the noun it counts.
pub(super) struct Count(pub(super) usize, pub(super) &'static str);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{ending}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        for (text, want) in [
            ("a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"),
            ("😀 ünï\tx\ny", "😀 ünï\tx\ny"),
            ("\0\x1b[1m\x7f\u{85}", "\u{fffd}\u{fffd}[1m\u{fffd}\u{fffd}"),
            ("&lt;", "&amp;lt;"),
        ] {
            assert_eq!(Text(text).to_string(), want);
        }
        assert_eq!(
            Name("\u{202e}<x>").to_string(),
            "<bdi>\u{202e}&lt;x&gt;</bdi>"
        );
        assert_eq!(Parameter("a b&c='é").to_string(), "a%20b%26c%3D%27%C3%A9");
    }

    #[test]
    fn times() {
        let at = 1_000_000_000;
        let time = "<time datetime=\"2001-09-09T01:46:40Z\">2001-09-09 01:46:40</time>";
        assert_eq!(Time(at).to_string(), time);
        for (age, want) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (3600, "1 h ago"),
            (7260, "2 h 1 min ago"),
            (86_400, "1 d ago"),
            (604_799, "6 d 23 h ago"),
            (604_800, "2001-09-09 01:46:40"),
            (-1, "2001-09-09 01:46:40"),
        ] {
            let millis = at.saturating_add_signed(age) * 1000;
            let trusted = true;
            let now = Wall { millis, trusted };
            let got = Ago { at, now }.to_string();
            let want = format!("<time title=\"2001-09-09 01:46:40 UTC\">{want}</time>");
            assert_eq!(got, want, "{age}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(Count(0, "user").to_string(), "0 users");
        assert_eq!(Count(1, "user").to_string(), "1 user");
        assert_eq!(Duration(5).to_string(), "5 s");
    }
}
