//! Plays the seeds of a simulation: as many as usual, or what the environment asks for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// So much of a line of what went before a failure is printed, in characters.
const LINE: usize = 400;

/// A kind of evening, and how the one that a seed stands for is played.
pub(crate) trait Evening: Sized {
    /// The test that plays it; in capitals, what its variables begin with.
    const TEST: &'static str;
    /// Seeds of a usual run.
    const ROUNDS: u64;

    fn new(seed: u64) -> Self;

    /// Panics if it does not hold.
    fn play(&mut self);

    /// What has happened, for who looks for the reason.
    fn trace(&self) -> impl Iterator<Item = &String>;
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} has to be a number")))
}

/// Plays one seed; what went before a failure is printed.
fn holds<E: Evening>(seed: u64) -> bool {
    let mut evening = E::new(seed);
    let held = catch_unwind(AssertUnwindSafe(|| evening.play())).is_ok();
    if !held {
        for line in evening.trace() {
            println!("  {}", line.chars().take(LINE).collect::<String>());
        }
        let (test, variable) = (E::TEST, E::TEST.to_uppercase());
        println!("to see it again: {variable}_SEED={seed} cargo test --test {test}");
    }
    held
}

/// Plays what the environment asks for, by two threads.
///
/// # Panics
/// If a seed does not hold.
pub(crate) fn all_hold<E: Evening>() {
    let variable = E::TEST.to_uppercase();
    if let Some(seed) = number(&format!("{variable}_SEED")) {
        assert!(holds::<E>(seed), "seed {seed}");
        return;
    }
    let rounds = number(&format!("{variable}_ROUNDS")).unwrap_or(E::ROUNDS);
    let next = AtomicU64::new(1);
    let play_some = || {
        let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let seeds = seeds.take_while(|seed| *seed <= rounds);
        let failed = seeds.filter(|seed| !holds::<E>(*seed)).take(2);
        failed.collect::<Vec<u64>>()
    };
    let failed = thread::scope(|scope| {
        let players = [scope.spawn(play_some), scope.spawn(play_some)];
        players.map(|player| player.join().unwrap()).concat()
    });
    assert!(failed.is_empty(), "these seeds fail: {failed:?}");
}
