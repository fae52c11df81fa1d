//! Whole evenings of a household in virtual time: phones of every kind, senders, an administrator, a disk
//! that fails and a plug that is pulled, all at random. What `tests/simulation/model.rs` says must hold
//! after every step; at the end every phone comes back, and every delivery has to be settled.
//!
//! `SIMULATION_SEED=7 cargo test --test simulation` plays one seed, `SIMULATION_ROUNDS=1000` that many.

#[cfg(test)]
#[path = "simulation/disk.rs"]
mod disk;
#[cfg(test)]
#[path = "simulation/model.rs"]
mod model;
#[cfg(test)]
#[path = "simulation/phone.rs"]
mod phone;
#[cfg(test)]
#[path = "simulation/random.rs"]
mod random;
#[cfg(test)]
#[path = "simulation/steps.rs"]
mod steps;
#[cfg(test)]
#[path = "simulation/trace.rs"]
mod trace;
#[cfg(test)]
#[path = "simulation/world.rs"]
mod world;
#[cfg(test)]
#[expect(dead_code, reason = "conversations use more of it")]
#[path = "conversations/runner/xml.rs"]
mod xml;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::world::World;

    /// Seeds of a usual run.
    const ROUNDS: u64 = 16;
    /// Steps of each.
    const STEPS: usize = 2000;

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
        let held = catch_unwind(AssertUnwindSafe(|| world.run(STEPS))).is_ok();
        if !held {
            for line in &world.trace {
                println!("  {}", line.chars().take(400).collect::<String>());
            }
            println!("to see it again: SIMULATION_SEED={seed} cargo test --test simulation");
        }
        held
    }

    #[test]
    fn every_promise_holds_whatever_happens() {
        if let Some(seed) = number("SIMULATION_SEED") {
            assert!(play(seed), "seed {seed}");
            return;
        }
        let rounds = number("SIMULATION_ROUNDS").unwrap_or(ROUNDS);
        let failed: Vec<u64> = thread::scope(|scope| {
            let halves = [1, 2].map(|first| {
                let seeds = (first..=rounds).step_by(2);
                scope.spawn(move || {
                    seeds
                        .filter(|seed| !play(*seed))
                        .take(3)
                        .collect::<Vec<_>>()
                })
            });
            let failed = halves.into_iter().flat_map(|half| half.join().unwrap());
            failed.collect()
        });
        assert!(failed.is_empty(), "these seeds fail: {failed:?}");
    }
}
