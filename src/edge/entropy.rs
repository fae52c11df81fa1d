//! Random bytes from the operating system, for stream ids and notification ids.

use crate::push::gateway::Entropy;

/// The source, once it has given its first bytes.
///
/// # Errors
/// The operating system has none to give.
pub(super) fn open() -> Result<Entropy, getrandom::Error> {
    getrandom::fill(&mut [0; 16])?;
    Ok(Box::new(|bytes| {
        // A source that has worked once does not fail; guessable ids would be worse than a restart.
        if let Err(error) = getrandom::fill(bytes) {
            log::error!("no random bytes: {error}");
            std::process::abort();
        }
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_draws_differ() {
        let mut entropy = super::open().unwrap();
        let (mut one, mut other) = ([0; 16], [0; 16]);
        entropy(&mut one);
        entropy(&mut other);
        assert_ne!(one, other);
    }
}
