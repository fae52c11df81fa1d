#!/usr/bin/env bash
# crash     a release build killed, without power, and on a disk that fails; needs root to mount
# shellcheck source=tests/steps.sh
. tests/steps.sh

need cc gcc
need mkfs.ext4 e2fsprogs
need_binary
# Ten idle minutes pass beside everything else; what becomes of them is counted at the end.
idle_log=$logs/idle.log
idle_status=$logs/idle.status
rm -f "$idle_status"
prepare "build of the idle test" 900 cargo test --locked --test idle --no-run
{
    status=0
    timeout --kill-after=10 900 cargo test --locked --test idle -- --ignored --nocapture \
        >"$idle_log" 2>&1 </dev/null || status=$?
    echo "$status" >"$idle_status"
} &
idle=$!
try "kills and power cuts" 300 cargo test --locked --test crash -- --ignored --nocapture
try "failing calls" 900 cargo test --locked --test file_faults -- --ignored --nocapture
# shellcheck disable=SC2016
try "ten idle minutes" 900 bash -c 'tail --pid="$1" --lines=+1 --follow "$2"; exit "$(cat "$3")"' - \
    "$idle" "$idle_log" "$idle_status"
