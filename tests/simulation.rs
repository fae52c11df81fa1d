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
#[path = "simulation/seeds.rs"]
mod seeds;
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
    use super::seeds::{Evening, all_hold};
    use super::world::World;

    /// Steps of each seed.
    const STEPS: usize = 2000;

    impl Evening for World {
        const TEST: &'static str = "simulation";
        const ROUNDS: u64 = 16;

        fn new(seed: u64) -> Self {
            Self::new(seed)
        }

        fn play(&mut self) {
            self.run(STEPS);
        }

        fn trace(&self) -> impl Iterator<Item = &String> {
            self.trace.iter()
        }
    }

    #[test]
    fn every_promise_holds_whatever_happens() {
        all_hold::<World>();
    }
}
