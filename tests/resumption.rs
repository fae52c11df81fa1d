//! Sessions that lose their connections at any byte, a hundred times, and are resumed: what two users write to
//! each other and what they are pushed arrives once and in order, every request is answered once, and both
//! sides count alike (XEP-0198). In every second evening clients also stay away for more than a day, and the
//! server restarts: then nothing that was accepted is lost.
//!
//! `RESUMPTION_SEED=7 cargo test --test resumption` plays one seed, `RESUMPTION_ROUNDS=1000` that many.

#[cfg(test)]
#[path = "resumption/client.rs"]
mod client;
#[cfg(test)]
#[path = "simulation/random.rs"]
mod random;
#[cfg(test)]
#[path = "conversations/runner/scram.rs"]
mod scram;
#[cfg(test)]
#[path = "resumption/world.rs"]
mod world;
#[cfg(test)]
#[expect(dead_code, reason = "conversations use more of it")]
#[path = "conversations/runner/xml.rs"]
mod xml;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::world::World;

    /// Seeds of a usual run, each of which takes a second of a build for debugging.
    const ROUNDS: u64 = 24;
    /// How often sessions are resumed in each.
    const RESUMPTIONS: usize = 100;

    fn number(variable: &str) -> Option<u64> {
        let text = std::env::var(variable).ok()?;
        Some(
            text.parse()
                .unwrap_or_else(|_| panic!("{variable} has to be a number")),
        )
    }

    /// Plays one seed; what went before a failure is printed.
    fn play(seed: u64) -> bool {
        let mut world = World::new(seed);
        let held = catch_unwind(AssertUnwindSafe(|| world.run(RESUMPTIONS))).is_ok();
        if !held {
            for line in &world.trace {
                println!("  {line}");
            }
            println!("to see it again: RESUMPTION_SEED={seed} cargo test --test resumption");
        }
        held
    }

    #[test]
    fn a_hundred_resumptions_lose_and_repeat_nothing() {
        if let Some(seed) = number("RESUMPTION_SEED") {
            assert!(play(seed), "seed {seed}");
            return;
        }
        let rounds = number("RESUMPTION_ROUNDS").unwrap_or(ROUNDS);
        let next = AtomicU64::new(1);
        let play_some = || {
            let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            let seeds = seeds.take_while(|seed| *seed <= rounds);
            let failed = seeds.filter(|seed| !play(*seed)).take(2);
            failed.collect::<Vec<u64>>()
        };
        let failed = thread::scope(|scope| {
            let players = [scope.spawn(play_some), scope.spawn(play_some)];
            players.map(|player| player.join().unwrap()).concat()
        });
        assert!(failed.is_empty(), "these seeds fail: {failed:?}");
    }
}
