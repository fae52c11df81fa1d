#!/usr/bin/env bash
# arm       static binaries for ARM, in QEMU: unit tests and conversations, and two boards that are booted
# shellcheck source=tests/steps.sh
. tests/steps.sh

PATH=$PATH:/usr/sbin:/sbin
armv7='armv7-unknown-linux-musleabihf'
aarch64='aarch64-unknown-linux-musl'
armv6='arm-unknown-linux-musleabihf'

build() { # NAME TARGET
    prepare "$1" 2400 board/build.sh "$2"
    prepare "$1 without TLS" 2400 board/build.sh "$2" --no-default-features
}

board() { # NAME TARGET NAME-OF-A-TEST…
    try "$1" 1200 board/qemu/smoke.sh "$target/cross/lanpush-$2" "${@:3}"
    grep -E '(armv7l|aarch64): |pushes were accepted' "$log" | sed 's/^test .* \.\.\. //; s/^/   | /' || true
}

need_cargo
need cc gcc
need python3 python3
need mke2fs e2fsprogs
need readelf binutils
prepare compiler 1800 board/toolchain.sh compiler
prepare emulator 1800 board/toolchain.sh emulator

# What one linker does alone leaves a core to the other: two lines of work, which share no directory.
{
    build armv7 "$armv7"
    try "armv7 tests" 2400 board/build.sh "$armv7" test --lib --test conversations
    board "armv7 board" "$armv7"
    try "armv7 memory" 10 board/footprint.sh memory "$log"
    board "armv7 board, no TLS" "$armv7-without-tls" phones_get_pushes
} &
lines=("$!")
{
    prepare "tests of boards" 1200 cargo test --locked --test guest --no-run
    build aarch64 "$aarch64"
    build armv6 "$armv6"
    board "aarch64 board" "$aarch64"
    try "aarch64 memory" 10 board/footprint.sh memory "$log"
    board "aarch64 board, no TLS" "$aarch64-without-tls" phones_get_pushes
    # No board of QEMU is that old, so a newer one has to do.
    board "armv6 board" "$armv6" phones_get_pushes power_cuts
} &
lines+=("$!")
incomplete=0
for line in "${lines[@]}"; do
    wait "$line" || incomplete=1
done
((incomplete == 0)) || exit 1

binaries=()
for triple in "$armv7" "$aarch64" "$armv6"; do
    binaries+=("$target/cross/lanpush-$triple"{,-without-tls})
done
try binaries 60 tests/arm/binaries "${binaries[@]}"
grep '^ok ' "$log" | sed 's/^ok /   | /' || true
try "sizes as recorded" 60 board/footprint.sh sizes "${binaries[@]}"
