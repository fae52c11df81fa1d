#!/usr/bin/env bash
# Fetches what builds for ARM and what runs ARM on a PC into directories of its own, and installs nothing.
#
#   board/toolchain.sh [compiler|emulator]…      without a name: both; prints the directory of each
#
# compiler   rustc, cargo and the source of std, all of one version, from Debian; zig, which brings the linker
#            and musl, and cargo-zigbuild, from PyPI
# emulator   QEMU for single programs and for whole boards, Debian's ARM kernels and busybox, and cpio
#
# Runs on Debian 12 or later, on amd64, as any user; needs python3 and a C compiler for build scripts. Debian's
# signatures vouch for its packages, the hashes below for the rest. A directory appears when it is complete; what
# an interrupted run had fetched by then is kept for the next.
set -euo pipefail

# These belong together: the calloc of zig 0.17 fills what it gives out, and sled's tables become resident.
rust=1.96
zig=0.15.2
zig_hash=806316453d1ede7174ed3fefb8e5348154629089c3bb5fe812dfd0e172fac130
zigbuild=0.24.0
zigbuild_hash=484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957
# To be raised when something else is kept of the packages.
recipe=1

cross=${LANPUSH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lanpush}/cross
compiler=$cross/compiler-$rust-$zig-$zigbuild-$recipe
emulator=$cross/emulator-$recipe
# Where Debian puts libraries.
libraries=usr/lib/x86_64-linux-gnu

# What a disk, a network card and ext4 take in a guest, each behind those it needs.
modules=(virtio_mmio failover net_failover virtio_net virtio_blk crc16 crc32c_generic libcrc32c mbcache jbd2 ext4)

say() { # TEXT
    echo "toolchain: $1" >&2
}

fail() { # REASON
    say "$1"
    exit 1
}

# apt with lists of its own, which know three architectures; the machine's lists stay as they are.
own_apt() {
    local state=$cross/apt keyring=/usr/share/keyrings/debian-archive-keyring.gpg signed=
    [[ -z ${APT_CONFIG-} ]] || return 0
    command -v apt-get >/dev/null || fail "this is no Debian; board/README.md has other roads"
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    [[ ! -f $keyring ]] || signed=" signed-by=$keyring"
    # Guests need no security updates.
    apt-get indextargets 'Created-By: Packages' 'Origin: Debian' "--format=\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" |
        awk -v signed="$signed" '$3 == "main" && $2 !~ /-(updates|backports)$/ {
            print "deb [arch=amd64" ($2 ~ /-security$/ ? "" : ",armhf,arm64") signed "]", $0 }' |
        sort -u >"$state/sources"
    [[ -s $state/sources ]] || fail "apt knows no archive of Debian here; board/README.md has other roads"
    # With an empty list of what is installed, a package is fetched with everything it needs.
    : >"$state/status"
    cat >"$state/conf" <<END
Dir::State "$state";
Dir::State::status "$state/status";
Dir::State::Lists "$state/lists";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
Dir::Etc::SourceList "$state/sources";
Dir::Etc::SourceParts "/dev/null";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "armhf"; "arm64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
Debug::NoLocking "1";
END
    export APT_CONFIG=$state/conf
    say "package lists"
    apt-get -q update >&2
}

# The newest version of a package that starts with a prefix, else the newest of all.
newest() { # PACKAGE PREFIX
    local all
    all=$(apt-cache madison "$1" | awk -F ' *[|] *' '/Packages$/ { print $2 }')
    [[ -n $all ]] || fail "Debian has no package $1 here; board/README.md has other roads"
    { grep -F "$2" <<<"$all" || echo "$all"; } | head -n 1
}

# Fetches packages as they are named.
download() { # TO PACKAGE…
    local to=$1
    shift
    mkdir -p "$to"
    (cd "$to" && apt-get -q download "$@" >&2)
}

# Fetches packages and everything they need.
download_closure() { # TO PACKAGE…
    local to=$1
    shift
    mkdir -p "$to/partial"
    apt-get -q install -y --no-install-recommends --download-only -o "Dir::Cache::archives=$to" "$@" >&2
}

# Unpacks a package, or what it has under some paths.
unpack() { # PACKAGE-FILE TO PATH…
    local file=$1 to=$2
    shift 2
    mkdir -p "$to"
    dpkg-deb --fsys-tarfile "$file" | tar -x -C "$to" --wildcards --no-wildcards-match-slash "$@"
}

# Copies the shared libraries that programs of an unpacked root load, without those of libc: they go with the
# dynamic loader, which is the machine's.
copy_libraries() { # ROOT TO PROGRAM…
    local root=$1 to=$2 found
    shift 2
    found=$(LD_LIBRARY_PATH=$root/$libraries:$root/lib/x86_64-linux-gnu ldd "$@")
    if grep 'not found' <<<"$found" >&2; then
        fail "a library is missing"
    fi
    mkdir -p "$to"
    awk -v root="$root/" 'index($3, root) == 1 { print $3 }' <<<"$found" | sort -u | xargs cp -Lt "$to"
    (cd "$to" && rm -f ld-linux-* libc.so.* libm.so.* libdl.so.* libpthread.so.* librt.so.* libresolv.so.*)
}

# A command that runs a program with libraries of its own.
wrap() { # COMMAND PROGRAM LIBRARIES
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$3" "$2" >"$1"
    chmod +x "$1"
}

# This machine's pip, or Debian's without installing it.
run_pip() { # ARGUMENT…
    local file
    if ! python3 -m pip --version >/dev/null 2>&1; then
        download "$cross/debs/pip" python3-pip python3-setuptools python3-wheel python3-pkg-resources
        for file in "$cross"/debs/pip/*.deb; do
            unpack "$file" "$cross/pip" ./usr/lib
        done
        export PYTHONPATH=$cross/pip/usr/lib/python3/dist-packages
    fi
    python3 -m pip "$@" >&2
}

fetch_compiler() {
    local to=$compiler.partial debs=$cross/debs/compiler root=$cross/root version runtime cargo_needs file
    own_apt
    version=$(newest rustc-web "$rust.")
    [[ $version == "$rust".* ]] || say "Debian no longer serves Rust $rust; this takes $version"
    # The compiler's library is a package of its own, with the version in its name.
    runtime=libstd-rust-web-$(cut -d. -f1,2 <<<"$version")
    mapfile -t cargo_needs < <(apt-cache show "cargo-web=$version" | sed -n 's/^Depends: //p' | grep -oE '\<lib[a-z0-9.+-]+')
    rm -rf "$to" "$root"
    say "Rust $version"
    download_closure "$debs/libraries" "$runtime=$version" "${cargo_needs[@]}"
    download "$debs" "rustc-web=$version" "cargo-web=$version" "libstd-rust-web-dev=$version" "rust-web-src=$version"
    for file in "$debs"/libraries/*.deb; do
        unpack "$file" "$root"
    done
    unpack "$(echo "$debs"/rust-web-src*)" "$to" './usr/src/*/library' ./usr/lib
    for file in "$debs"/{rustc,cargo,libstd}*.deb; do
        unpack "$file" "$to" './usr/[bl]i[bn]'
    done
    copy_libraries "$root" "$to/$libraries" "$to"/usr/bin/{rustc,cargo,rustdoc}
    mkdir -p "$to/bin"
    for file in rustc cargo rustdoc; do
        wrap "$to/bin/$file" "$compiler/usr/bin/$file" "$compiler/$libraries"
    done
    say "zig $zig, cargo-zigbuild $zigbuild"
    printf '%s --hash=sha256:%s\n' "ziglang==$zig" "$zig_hash" "cargo-zigbuild==$zigbuild" "$zigbuild_hash" \
        >"$cross/requirements"
    run_pip -q install --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        --target "$to/python" -r "$cross/requirements"
    ln -s ../python/bin/cargo-zigbuild ../python/ziglang/zig "$to/bin/"
    finish "$compiler" "$debs" "$debs/libraries"
}

fetch_emulator() {
    local to=$emulator.partial debs=$cross/debs/emulator root=$cross/root file name
    own_apt
    rm -rf "$to" "$root"
    say "QEMU"
    download_closure "$debs" qemu-system-arm cpio
    download "$debs" qemu-user-static
    for file in "$debs"/*.deb; do
        unpack "$file" "$root"
    done
    copy_libraries "$root" "$to/lib" "$root"/usr/bin/qemu-system-{arm,aarch64} "$root/bin/cpio"
    mkdir -p "$to/bin" "$to/programs"
    for file in "$root"/usr/bin/qemu-system-{arm,aarch64} "$root/bin/cpio"; do
        name=$(basename "$file")
        cp "$file" "$to/programs/$name"
        wrap "$to/bin/$name" "$emulator/programs/$name" "$emulator/lib"
    done
    cp "$root"/usr/bin/qemu-{arm,aarch64,riscv64}-static "$to/bin/"
    fetch_guest armhf linux-image-armmp
    fetch_guest arm64 linux-image-arm64
    finish "$emulator" "$debs" "$cross"/debs/arm{hf,64}
}

# A kernel, the modules that a guest loads, and busybox.
fetch_guest() { # ARCHITECTURE KERNEL
    local to=$emulator.partial/$1 debs=$cross/debs/$1 root=$cross/root-$1 kernel module
    # The package of that name has no kernel, it depends on the newest that has.
    kernel=$(apt-cache depends "$2:$1" | awk '/Depends: linux-image-/ { print $2; exit }')
    say "kernel for $1"
    download "$debs" "$kernel" "busybox-static:$1"
    rm -rf "$root"
    unpack "$(echo "$debs"/busybox*)" "$root" ./bin/busybox
    unpack "$(echo "$debs"/linux-image*)" "$root" './boot/vmlinuz-*' './lib/modules/*/kernel/*'
    mkdir -p "$to/modules"
    cp "$root"/boot/vmlinuz-* "$to/vmlinuz"
    cp "$root/bin/busybox" "$to/busybox"
    for module in "${modules[@]}"; do
        find "$root/lib/modules" -name "$module.ko" -exec cp {} "$to/modules/" \;
        [[ -f $to/modules/$module.ko ]] || fail "the kernel for $1 has no module $module"
    done
    printf '%s\n' "${modules[@]}" >"$to/modules/order"
    rm -rf "$root"
}

# Lets a directory appear with its list of packages, and removes what it was made from and its forerunners.
finish() { # DIRECTORY PACKAGE-DIRECTORY…
    local directory=$1 old
    shift
    find "$@" -maxdepth 1 -name '*.deb' -printf '%f\n' | sort >"$directory.partial/packages"
    for old in "${directory%%-*}"-*; do
        [[ $old == "$directory.partial" ]] || rm -rf "$old"
    done
    mv "$directory.partial" "$directory"
    rm -rf "$@" "$cross"/{root,pip,requirements} "$cross/debs/pip"
}

main() { # [PART…]
    local part
    [[ $(uname -sm) == 'Linux x86_64' ]] || fail "this road starts on Linux on amd64; board/README.md has others"
    mkdir -p "$cross"
    exec 9>"$cross/lock"
    flock 9
    for part; do
        case $part in
            compiler | emulator) ;;
            *) fail "there is no part \"$part\"" ;;
        esac
        [[ -d ${!part} ]] || "fetch_$part"
        echo "${!part}"
    done
    rm -rf "$cross/apt"
}

(($# > 0)) || set -- compiler emulator
main "$@"
