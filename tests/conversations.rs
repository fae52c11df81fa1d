//! Plays `tests/conversations/**/*.txt`: what phones and senders say to the server, and what they hear.
//!
//! The scripts are the documentation of the server's behaviour; `tests/conversations/README.md` explains
//! their language. `CONVERSATION=queue cargo test --test conversations` plays those with `queue` in their
//! path.

#[cfg(test)]
#[path = "conversations/runner/mod.rs"]
mod runner;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::runner;

    #[test]
    fn every_conversation_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations");
        match runner::play_all(&folder) {
            Ok(played) => assert!(played > 0, "there is no script below {}", folder.display()),
            Err(failures) => panic!("{failures}"),
        }
    }
}
