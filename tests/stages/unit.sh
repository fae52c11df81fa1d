#!/usr/bin/env bash
# unit      formatting, lints, documentation, and every cargo test that does not run the binary
# shellcheck source=tests/steps.sh
. tests/steps.sh
# shellcheck source=tests/targets.sh
. tests/targets.sh

need strace strace
need mkfs.ext4 e2fsprogs

need_component rustfmt fmt
need_component clippy clippy

mapfile -t chosen < <(test_targets without-binary)
try formatting 60 cargo fmt --check
try lints 600 cargo lint
try "lints without TLS" 600 cargo clippy --locked --all-targets --no-default-features -- -D warnings
# Links to private items work here, as the private items are documented too.
try documentation 300 env RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
    cargo doc --locked --no-deps --document-private-items
# By itself, so that the limit of the tests holds for the tests.
prepare "build of tests" 1800 cargo test --locked --lib --bins "${chosen[@]}" --no-run
try "cargo tests" 900 cargo test --locked --no-fail-fast --lib --bins "${chosen[@]}"
try "examples in docs" 300 cargo test --locked --doc
