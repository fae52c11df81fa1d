//! Plays `tests/conversations/**/*.txt`: what phones and senders say to the server, and what they hear.
//!
//! The scripts are the documentation of the server's behaviour; `tests/conversations/README.md` explains
//! their language.

#[cfg(test)]
#[path = "conversations/runner/mod.rs"]
mod runner;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::runner;

    /// Rows of the compatibility checklist.
    const ROWS: u32 = 47;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations")
    }

    #[test]
    fn every_conversation_holds() {
        match runner::play_all(&folder()) {
            Ok(played) => assert!(played > 0, "no script has such a path"),
            Err(failures) => panic!("{failures}"),
        }
    }

    #[test]
    fn every_script_says_what_it_promises() {
        for path in runner::scripts(&folder()) {
            let text = fs::read_to_string(&path).unwrap();
            let promise = text.lines().next().unwrap_or_default();
            assert!(promise.starts_with("# "), "{}", path.display());
        }
    }

    #[test]
    fn every_row_of_the_checklist_has_a_script() {
        let mut rows = BTreeSet::new();
        for path in runner::scripts(&folder()) {
            let text = fs::read_to_string(&path).unwrap();
            let comments = text.lines().take_while(|line| line.starts_with('#'));
            for comment in comments {
                if let Some((_, rest)) = comment.split_once("(checklist ") {
                    rows.extend(numbers(rest.split(')').next().unwrap_or_default()));
                }
            }
        }
        let readme = fs::read_to_string(folder().join("README.md")).unwrap();
        let (_, elsewhere) = readme.rsplit_once("elsewhere are ").unwrap();
        let elsewhere: BTreeSet<u32> = numbers(elsewhere).into_iter().collect();
        for row in 1..=ROWS {
            let placed = (rows.contains(&row), elsewhere.contains(&row));
            assert!(
                matches!(placed, (true, false) | (false, true)),
                "row {row} (scripts, elsewhere): {placed:?}"
            );
        }
    }

    fn numbers(text: &str) -> Vec<u32> {
        text.split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect()
    }
}
