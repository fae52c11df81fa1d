#!/usr/bin/env bash
# crash     a release build killed, without power, and on a disk that fails; needs root to mount
# shellcheck source=tests/steps.sh
. tests/steps.sh

need cc gcc
need mkfs.ext4 e2fsprogs
need_binary
# Ten idle minutes pass beside everything else.
idle_log=$logs/$stage-ten-idle-minutes.log
cargo test --locked --test idle --no-run >"$idle_log" 2>&1 || true
timeout --kill-after=10 900 cargo test --locked --test idle -- --ignored --nocapture >"$idle_log" 2>&1 </dev/null &
idle=$!
try "kills and power cuts" 300 cargo test --locked --test crash -- --ignored --nocapture
try "failing calls" 900 cargo test --locked --test file_faults -- --ignored --nocapture
# shellcheck disable=SC2016
try "ten idle minutes" 900 bash -c 'tail --pid="$1" --follow=name --lines=+1 "$2"' - "$idle" "$idle_log"
