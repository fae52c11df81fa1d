#!/usr/bin/env bash
# crash     a release build killed, without power, and on a disk that fails; needs root to mount
# shellcheck source=tests/steps.sh
. tests/steps.sh

need cc gcc
need mkfs.ext4 e2fsprogs
need_binary
try "kills and power cuts" 300 cargo test --locked --test crash -- --ignored --nocapture
try "failing calls" 900 cargo test --locked --test file_faults -- --ignored --nocapture
