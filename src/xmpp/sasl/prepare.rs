//! RFC 4013 SASLprep, as far as clients can tell: what a password is before it is hashed.
//!
//! Both ends hash a password, so both have to write it the same way. Printable ASCII stays as it is. Spaces of
//! other scripts become spaces (RFC 3454, table C.1.2), marks nobody sees are left out (table B.1). The
//! normal form NFKC, the last step, is left to the client: what keyboards produce has it already, and its
//! tables would be a tenth of the program. Names need none of this: they are ASCII.

use std::borrow::Cow;

/// The password in the form that is hashed.
pub fn password(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mapped = text.chars().filter(|c| !is_nothing(*c));
    let mapped = mapped.map(|c| if is_space(c) { ' ' } else { c });
    Cow::Owned(mapped.collect())
}

/// Table C.1.2.
fn is_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Table B.1, but for the zero width space, which SASLprep counts among the spaces.
fn is_nothing(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180d}' | '\u{200c}' | '\u{200d}'
            | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::password;

    #[test]
    fn examples_of_rfc_4013() {
        for (text, want) in [
            ("user", "user"),
            ("USER", "USER"),
            ("I\u{ad}X", "IX"),
            ("a\u{a0}b\u{3000}c", "a b c"),
            ("pässwörd", "pässwörd"),
            ("日本語", "日本語"),
            ("\u{1f511}\u{fe0f}", "\u{1f511}"),
        ] {
            assert_eq!(password(text), want, "{text:?}");
        }
    }
}
