#!/usr/bin/env bash
# arm       static binaries for ARM, in QEMU: unit tests and conversations, and two boards that are booted
# shellcheck source=tests/steps.sh
. tests/steps.sh

PATH=$PATH:/usr/sbin:/sbin
targets=(armv7-unknown-linux-musleabihf aarch64-unknown-linux-musl arm-unknown-linux-musleabihf)

need_cargo
need cc gcc
need python3 python3
need mke2fs e2fsprogs
need readelf binutils
prepare compiler 1800 board/toolchain.sh compiler
prepare emulator 1800 board/toolchain.sh emulator

binaries=()
for triple in "${targets[@]}"; do
    prepare "${triple%%-*}" 2400 board/build.sh "$triple"
    prepare "${triple%%-*} without TLS" 1200 board/build.sh "$triple" --no-default-features
    binaries+=("$target/cross/lanpush-$triple"{,-without-tls})
done
try binaries 60 tests/arm/binaries "${binaries[@]}"
grep '^ok ' "$log" | sed 's/^ok /   | /' || true
try "sizes as recorded" 60 board/footprint.sh sizes "${binaries[@]}"

try "armv7 tests" 2400 board/build.sh "${targets[0]}" test --lib --test conversations
prepare "tests of boards" 1200 cargo test --locked --test guest --no-run
for triple in "${targets[@]:0:2}"; do
    try "${triple%%-*} board" 1200 board/qemu/smoke.sh "$target/cross/lanpush-$triple"
    grep -E '(armv7l|aarch64): |pushes were accepted' "$log" | sed 's/^test .* \.\.\. //; s/^/   | /' || true
    [[ $triple != armv7-* ]] || try "memory as recorded" 10 board/footprint.sh memory "$log"
done
