//! Whole conversations with the gateway: it never panics, comes to rest, writes XML that can be read, answers every
//! request, and says goodbye. `src/phone.rs` tells what an input means.
#![no_main]

use lanpush_fuzz::{phone, scripts, seeds};
use libfuzzer_sys::fuzz_target;

fn conversations() -> Vec<Vec<u8>> {
    scripts().iter().map(|script| phone::seed(script)).collect()
}

fuzz_target!(
    init: seeds(conversations),
    |bytes: &[u8]| phone::play(bytes)
);
