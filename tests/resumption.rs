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
#[path = "simulation/seeds.rs"]
mod seeds;
#[cfg(test)]
#[path = "resumption/world.rs"]
mod world;
#[cfg(test)]
#[expect(dead_code, reason = "conversations use more of it")]
#[path = "conversations/runner/xml.rs"]
mod xml;

#[cfg(test)]
mod tests {
    use super::seeds::{Evening, all_hold};
    use super::world::World;

    /// How often sessions are resumed in each seed.
    const RESUMPTIONS: usize = 100;

    impl Evening for World {
        const TEST: &'static str = "resumption";
        /// Each takes a second of a build for debugging.
        const ROUNDS: u64 = 24;

        fn new(seed: u64) -> Self {
            Self::new(seed)
        }

        fn play(&mut self) {
            self.run(RESUMPTIONS);
        }

        fn trace(&self) -> impl Iterator<Item = &String> {
            self.trace.iter()
        }
    }

    #[test]
    fn a_hundred_resumptions_lose_and_repeat_nothing() {
        all_hold::<World>();
    }
}
