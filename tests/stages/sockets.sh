#!/usr/bin/env bash
# sockets   a release build, and every cargo test that runs the binary
# shellcheck source=tests/steps.sh
. tests/steps.sh
# shellcheck source=tests/targets.sh
. tests/targets.sh

need strace strace
need mkfs.ext4 e2fsprogs

need_binary
try "size of the binary" 10 board/footprint.sh check lanpush-amd64 "$(stat -c %s "$LANPUSH_BIN")"
mapfile -t chosen < <(test_targets with-binary)
((${#chosen[@]} > 0)) || give_up "no test target runs the binary"
# By itself, so that the limit of the tests holds for the tests.
prepare "build of tests" 1800 cargo test --locked "${chosen[@]}" --no-run
try "cargo tests" 900 cargo test --locked --no-fail-fast "${chosen[@]}"
