#!/usr/bin/env bash
# Boots a cross-built binary on a board of QEMU and tries all that matters there: phones and pushes, memory,
# power cuts, a clock in 1970, disks that are full or missing. CI runs this very script.
#
#   board/qemu/smoke.sh [BINARY [NAME-OF-A-TEST]]     without a BINARY it builds one for armv7
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if (($# == 0)); then
    set -- "$(board/build.sh armv7-unknown-linux-musleabihf | awk 'END { print $1 }')"
fi
LANPUSH_BOARD_BIN=$(realpath "$1")
export LANPUSH_BOARD_BIN
board/toolchain.sh emulator
# One board at a time: this tells what a board can do, not what this machine can.
exec cargo test --locked --test guest -- --ignored --nocapture --test-threads 1 "${@:2}"
