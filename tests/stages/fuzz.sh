#!/usr/bin/env bash
# fuzz      every parser against damaged input, some seconds each; FUZZ_SECONDS=600 is more thorough
# shellcheck source=tests/steps.sh
. tests/steps.sh

need_component rustfmt fmt
need g++ g++

host=$(rustc -vV | sed -n 's/^host: //p')
work=$target/fuzz
programs=$work/$host/release
# What cargo-fuzz passes to the compiler, without the sanitizers, which only a nightly one has.
export RUSTFLAGS="-Dwarnings --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
mapfile -t names < <(sed -n 's/^path = "fuzz_targets\/\(.*\)\.rs"$/\1/p' tests/fuzz/Cargo.toml)
# The two that are played for longest come first.
mapfile -t names < <(printf '%s\n' "${names[@]}" | sed -E 's/^(phone|http)$/0 \1/; t; s/^/1 /' | sort | cut -d' ' -f2)

try formatting 60 cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
# A target triple keeps these flags from what runs while it is built.
prepare "build" 1200 cargo build --locked --release --manifest-path tests/fuzz/Cargo.toml \
    --target "$host" --target-dir "$work"
try "targets" $((600 + 30 * ${FUZZ_SECONDS:-6})) tests/fuzz/play "$programs" "$work" "${names[@]}"
