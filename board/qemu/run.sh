#!/usr/bin/env bash
# Boots a cross-built binary on a board of QEMU: Debian's kernel for ARM, busybox, lanpush and a data disk.
#
#   board/qemu/run.sh [FLAG…] BINARY [FLAG-OF-LANPUSH…]
#
#   --disk FILE       the data disk, made if it is missing (target/qemu/ARCHITECTURE.disk); or none
#   --files DIR       a new data disk starts with these files
#   --disk-size MB    a new data disk is of this size (48)
#   --mount OPTIONS   how the guest mounts it (rw)
#   --config FILE     lanpush's configuration (board/qemu/lanpush.toml)
#   --memory MB       of the guest (64 for 32 bits, 96 for 64 bits)
#   --mem SIZE        use only so much of it (as in 48M)
#   --clock TIME      what the guest's clock says at start, as in 1970-01-01T00:00:00 (the time)
#   --root ro         nothing but the data disk can be written to
#   --address IP      where this machine listens for the guest's ports 5222 and 7070 (127.0.0.1)
#
# The terminal is the guest's console, with a shell; Ctrl-C pulls the plug.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${CARGO_TARGET_DIR:-$here/../../target}/qemu
PATH=$PATH:/usr/sbin:/sbin

fail() { # REASON
    echo "run.sh: $1" >&2
    exit 2
}

# What a binary is made for, by the machine in its ELF header.
architecture() { # BINARY
    local magic machine
    [[ -f $1 ]] || fail "there is no file $1"
    magic=$(od -An -tx1 -N4 "$1" | tr -d ' \n')
    machine=$(od -An -tu2 -j18 -N2 "$1" | tr -d ' \n')
    case $magic-$machine in
        7f454c46-40) echo armhf ;;
        7f454c46-183) echo arm64 ;;
        7f454c46-*) fail "$1 is for another processor; this boots programs for ARM, of 32 and 64 bits" ;;
        *) fail "$1 is no program" ;;
    esac
}

# Leaves the flags in variables of their names, $binary and ${server_flags[@]}.
read_arguments() { # ARGUMENT…
    local name
    disk='' files='' disk_size=48 mount=rw config=$here/lanpush.toml memory='' mem='' clock=utc root=rw
    address=127.0.0.1
    while [[ ${1-} == --* ]]; do
        name=${1#--}
        case $name in
            disk | files | disk-size | mount | config | memory | mem | clock | root | address) ;;
            *) fail "there is no flag $1" ;;
        esac
        (($# > 1)) || fail "$1 wants a value"
        printf -v "${name//-/_}" %s "$2"
        shift 2
    done
    if (($# == 0)); then
        sed -n '/^#  /s/^#//p' "${BASH_SOURCE[0]}" >&2
        exit 2
    fi
    binary=$1
    server_flags=("${@:2}")
}

# Packs what the guest's memory holds at start.
pack() { # ARCHITECTURE FILE
    local tree from=$emulator/$1
    tree=$(mktemp -d "$work/tree.XXXXXX")
    mkdir -p "$tree/bin" "$tree/etc"
    cp -r "$from/modules" "$tree/modules"
    cp "$here/init" "$tree/init"
    cp "$from/busybox" "$here/lanpush-start" "$tree/bin/"
    ln -s busybox "$tree/bin/sh"
    cp "$binary" "$tree/bin/lanpush"
    cp "$config" "$tree/etc/lanpush.toml"
    chmod 755 "$tree/init" "$tree"/bin/*
    {
        printf '%s=%q\n' mount_options "$mount" root "$root"
        printf 'set --'
        ((${#server_flags[@]} == 0)) || printf ' %q' "${server_flags[@]}"
        printf '\n'
    } >"$tree/etc/guest"
    (cd "$tree" && find . | "$emulator/bin/cpio" --quiet -o -H newc -R 0:0) | gzip -1 >"$2"
    rm -r "$tree"
}

main() { # ARGUMENT…
    local architecture board drive=() initramfs
    read_arguments "$@"
    architecture=$(architecture "$binary")
    emulator=$("$here/../toolchain.sh" emulator)
    mkdir -p "$work"
    if [[ $architecture == armhf ]]; then
        board=(qemu-system-arm -machine "virt,highmem=off" -cpu cortex-a7 -m "${memory:-64}")
    else
        board=(qemu-system-aarch64 -machine virt -cpu cortex-a53 -m "${memory:-96}")
    fi
    disk=${disk:-$work/$architecture.disk}
    if [[ $disk != none ]]; then
        if [[ ! -f $disk ]]; then
            command -v mke2fs >/dev/null || fail "mke2fs is missing (on Debian: apt-get install e2fsprogs)"
            truncate -s "${disk_size}M" "$disk"
            mke2fs -q -t ext4 ${files:+-d "$files"} "$disk"
        fi
        # What the guest has written is then this machine's, which stays under power.
        drive=(-drive "file=$disk,if=none,id=data,format=raw,cache=unsafe" -device "virtio-blk-device,drive=data")
    fi
    # The kernel takes it before the script ends: qemu replaces it.
    initramfs=$work/$architecture-$address.cpio.gz
    pack "$architecture" "$initramfs"
    exec "$emulator/bin/${board[0]}" "${board[@]:1}" -L "$emulator/share" \
        -display none -monitor none -serial stdio -no-reboot -rtc "base=$clock" \
        -kernel "$emulator/$architecture/vmlinuz" -initrd "$initramfs" \
        -append "console=ttyAMA0 quiet panic=-1 norandmaps rdinit=/init ${mem:+mem=$mem}" \
        -netdev "user,id=lan,hostfwd=tcp:$address:5222-:5222,hostfwd=tcp:$address:7070-:7070" \
        -device virtio-net-device,netdev=lan "${drive[@]}"
}

main "$@"
