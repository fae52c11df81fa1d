//! The runner of the conversations: finds the scripts, plays each twice, names every one that does not hold.

mod disk;
mod macros;
mod pattern;
mod phone;
mod play;
mod scram;
mod script;
mod sights;
mod speech;
mod stage;
mod template;
#[cfg(test)]
mod tests;
mod wishes;
mod words;
mod xml;

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use stage::Stage;

/// Plays only the scripts whose path holds this text, if the environment has it.
const FILTER: &str = "CONVERSATION";

/// Plays every script below `folder`, whole and byte by byte.
///
/// The result names each failing script with the line and the reason.
pub(crate) fn play_all(folder: &Path) -> Result<usize, String> {
    let filter = std::env::var(FILTER).unwrap_or_default();
    let scripts: Vec<_> = scripts(folder)
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(&filter))
        .collect();
    let mut failures = Vec::new();
    for path in &scripts {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        for chopped in [false, true] {
            if let Err((line, why)) = play(&text, chopped) {
                let name = path.strip_prefix(folder).unwrap_or(path).display();
                let how = if chopped { " (byte by byte)" } else { "" };
                failures.push(format!(
                    "{name}:{line}{how}: {}",
                    why.replace('\n', "\n    ")
                ));
                // What fails in one piece fails in many: once is enough to read.
                break;
            }
        }
    }
    if failures.is_empty() {
        return Ok(scripts.len());
    }
    Err(format!(
        "{} of {} conversations do not hold\n\n{}\n",
        failures.len(),
        scripts.len(),
        failures.join("\n\n")
    ))
}

/// Plays one script; the error is the line and the reason.
pub(crate) fn play(text: &str, chopped: bool) -> Result<(), (usize, String)> {
    let lines = script::parse(text, &[])
        .map_err(|mistake| (mistake.number, format!("{}\n{}", mistake.text, mistake.why)))?;
    let mut stage = Stage::new(chopped);
    let played = panic::catch_unwind(AssertUnwindSafe(|| stage.play(&lines)));
    let why = match played {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why,
        Err(_) => "the server panicked; its words stand above".to_owned(),
    };
    Err((stage.line, why))
}

/// Every `.txt` below `folder`, in order of their paths.
pub(crate) fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(scripts(&path));
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
    found.sort();
    found
}
