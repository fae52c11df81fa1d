#!/usr/bin/env bash
# Builds a static binary for a board with the compiler of toolchain.sh, and prints where it is and its size.
#
#   board/build.sh TARGET [--no-default-features] [ARGUMENT-OF-CARGO-BUILD…]
#   board/build.sh TARGET test [ARGUMENT-OF-CARGO-TEST…]      runs tests of that target in QEMU
#   board/build.sh TARGET run BINARY [ARGUMENT…]              runs a program of that target in QEMU
#
# TARGET is one of
#   armv7-unknown-linux-musleabihf    routers, 32-bit systems of Raspberry Pi 2 and later
#   aarch64-unknown-linux-musl        routers, 64-bit systems of Raspberry Pi 3 and later
#   arm-unknown-linux-musleabihf      Raspberry Pi 1 and Zero
#   riscv64gc-unknown-linux-musl      RISC-V boards
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    sed -n '/^#  /s/^#//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# The emulator of a target, with a processor that has nothing a board may lack.
emulator() { # TARGET
    case $1 in
        armv7-unknown-linux-musleabihf) echo "qemu-arm-static -cpu cortex-a7" ;;
        aarch64-unknown-linux-musl) echo "qemu-aarch64-static -cpu cortex-a53" ;;
        arm-unknown-linux-musleabihf) echo "qemu-arm-static -cpu arm1176" ;;
        riscv64gc-unknown-linux-musl) echo "qemu-riscv64-static" ;;
        *) usage ;;
    esac
}

# What every call of cargo for a board has in common.
prepare() { # TARGET
    local compiler zig
    compiler=$(board/toolchain.sh compiler)
    zig=$(dirname "$compiler")/zig
    export PATH=$compiler/bin:$PATH
    export RUSTC=$compiler/bin/rustc RUSTDOC=$compiler/bin/rustdoc CARGO=$compiler/bin/cargo
    # Stable Rust builds its own std only when it is told that this is no mistake.
    export RUSTC_BOOTSTRAP=1
    export CARGO_ZIGBUILD_ZIG_PATH=$compiler/bin/zig CARGO_ZIGBUILD_CACHE_DIR=$zig/wrappers/$1
    export ZIG_GLOBAL_CACHE_DIR=$zig/cache ZIG_LOCAL_CACHE_DIR=$zig/cache
    # zig brings musl's start files, rustc has none.
    export RUSTFLAGS="-C link-self-contained=no"
    # Thumb-2, the short form of instructions, which every ARMv7 has and ARMv6 has not. rustc warns that it may
    # call this by another name one day.
    [[ $1 != armv7-* ]] || RUSTFLAGS+=" -C target-feature=+thumb-mode"
    # Each target's own, so that no two builds wait for each other.
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/cross/$1
    unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS
}

# Compiles what stands in for a library that unwinds the stack, and prints where it is.
no_unwind() { # TARGET
    local object=$CARGO_TARGET_DIR/no_unwind-$1.o
    mkdir -p "$CARGO_TARGET_DIR"
    "$CARGO_ZIGBUILD_ZIG_PATH" cc -target aarch64-linux-musl -Oz -ffunction-sections -fno-unwind-tables \
        -fno-asynchronous-unwind-tables -c board/no_unwind.c -o "$object.new.o"
    mv "$object.new.o" "$object"
    echo "$object"
}

build() { # TARGET ARGUMENT…
    local triple=$1 binary
    shift
    binary=${CARGO_TARGET_DIR%/*}/lanpush-$triple
    [[ " $* " != *' --no-default-features '* ]] || binary=$binary-without-tls
    # A panic of the release profile ends the program where it happens: nothing reads how to unwind the stack.
    RUSTFLAGS+=" -C force-unwind-tables=no"
    # Only where it has been tried.
    [[ $triple != aarch64-* ]] || RUSTFLAGS+=" -C link-arg=$(no_unwind "$triple")"
    # std as small as it gets. Backtraces go, in which a binary without symbols has no names anyway; a panic still
    # says what and where.
    cargo-zigbuild zigbuild --release --locked --bin lanpush --target "$triple" \
        -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size "$@"
    cp "$CARGO_TARGET_DIR/$triple/release/lanpush" "$binary.new"
    mv "$binary.new" "$binary"
    echo "$binary $(stat -c %s "$binary")"
}

# What a program of a target is put behind.
runner() { # TARGET
    echo "$(board/toolchain.sh emulator)/bin/$(emulator "$1")"
}

run_tests() { # TARGET ARGUMENT…
    local triple=$1 variable=${1//-/_}
    shift
    # Emulated, unoptimized tests take for ever; they are still built to notice when a number overflows.
    export CARGO_PROFILE_DEV_OPT_LEVEL=${CARGO_PROFILE_DEV_OPT_LEVEL-1} CARGO_PROFILE_DEV_DEBUG=${CARGO_PROFILE_DEV_DEBUG-0}
    export "CARGO_TARGET_${variable^^}_RUNNER=$(runner "$triple")"
    exec cargo-zigbuild test --locked -Z build-std --target "$triple" "$@"
}

main() { # TARGET [test] ARGUMENT…
    (($# > 0)) || usage
    emulator "$1" >/dev/null
    if [[ ${2-} == run ]]; then
        # The emulator and its arguments are several words.
        # shellcheck disable=SC2046
        exec $(runner "$1") "${@:3}"
    fi
    prepare "$1"
    if [[ ${2-} == test ]]; then
        run_tests "$1" "${@:3}"
    else
        build "$@"
    fi
}

main "$@"
