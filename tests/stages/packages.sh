#!/usr/bin/env bash
# packages  the Debian package in a Debian root, the router's in a root of busybox; needs root
# shellcheck source=tests/steps.sh
. tests/steps.sh

PATH=$PATH:/usr/sbin:/sbin
need dpkg-deb dpkg
need debootstrap debootstrap
need busybox busybox-static
need_binary
# Kept, since it comes from the network; the name changes when something else is kept of it.
root=$cache/debian/bookworm-1.tar
if [[ ! -f $root ]]; then
    prepare "Debian root" 1200 tests/packages/debian-root "$root"
fi
try debian 300 tests/packages/debian "$root"
try openwrt 300 tests/packages/openwrt/run

boards=()
for binary in "$target"/cross/lanpush-*-linux-musl*; do
    [[ ! -f $binary || $binary == *-without-tls ]] || boards+=("$binary")
done
if ((${#boards[@]} > 0)); then
    try boards 300 tests/packages/boards "${boards[@]}"
    grep '^made ' "$log" | sed 's/^made /   | /' || true
else
    echo "   no binary for a board is there to be packed: tests/run arm builds them"
fi
