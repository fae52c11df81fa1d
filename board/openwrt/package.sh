#!/usr/bin/env bash
# Makes packages for OpenWrt of a cross-built binary without OpenWrt's SDK, and prints where they are.
#
#   board/openwrt/package.sh BINARY [DIRECTORY]      into target/packages without DIRECTORY
#
# The .ipk is for releases up to 24.10 (opkg), the .apk for 25.12 and later (apk). Needs tar, gzip and
# python3 for the .apk. Packages of the same files are the same to the last bit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=board/package.sh
. board/package.sh

# What `uname -m` says on the routers a binary runs on, as a pattern of the shell.
machines() { # BINARY
    local processor
    processor=$(binary_processor "$1")
    case $processor in
        arm)
            if is_armv6 "$1"; then
                echo 'armv6l | armv7l | armv8l'
            else
                echo 'armv7l | armv8l'
            fi
            ;;
        arm64) echo aarch64 ;;
        amd64) echo x86_64 ;;
        *) echo "$processor" ;;
    esac
}

# The part of the file's name that tells which router.
board_name() { # BINARY
    machines "$1" | sed 's/ .*//; s/l$//'
}

script() { # NAME BINARY TO
    sed "s/@MACHINES@/$(machines "$2")/g" "board/openwrt/scripts/$1" >"$3"
    chmod 755 "$3"
}

# A tar whose order, owners and times do not depend on where it is made.
pack() { # DIRECTORY NAME…
    local from=$1
    shift
    tar -C "$from" --format=gnu --numeric-owner --owner=0 --group=0 --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
        -cf - "$@" | gzip -9n
}

make_ipk() { # BINARY TREE WORK TO
    local control=$3/control name
    mkdir "$control"
    for name in preinst postinst prerm; do
        script "$name" "$1" "$control/$name"
    done
    echo /etc/config/lanpush >"$control/conffiles"
    cat >"$control/control" <<END
Package: lanpush
Version: $(package_version)-r1
Section: net
License: MIT OR Apache-2.0
Require-User: lanpush=7070:lanpush=7070
Maintainer: $package_maintainer
Architecture: all
Installed-Size: $(find "$2" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
Description: $package_summary
END
    echo 2.0 >"$3/debian-binary"
    pack "$2" . >"$3/data.tar.gz"
    pack "$control" . >"$3/control.tar.gz"
    pack "$3" ./debian-binary ./data.tar.gz ./control.tar.gz >"$4"
}

# apk finds a package's user, settings and list of files in the package itself.
make_apk() { # BINARY TREE WORK TO
    local about=$2/lib/apk/packages name
    mkdir -p "$about"
    (cd "$2" && find . -type f -printf '/%P\n' | LC_ALL=C sort) >"$3/list"
    mv "$3/list" "$about/lanpush.list"
    echo lanpush=7070:lanpush=7070 >"$about/lanpush.rusers"
    echo /etc/config/lanpush >"$about/lanpush.conffiles"
    printf '/etc/config/lanpush %s\n' "$(sha256sum "$2/etc/config/lanpush" | cut -d' ' -f1)" >"$about/lanpush.conffiles_static"
    script preinst "$1" "$3/pre-install"
    for name in post-install post-upgrade pre-deinstall; do
        script "apk/$name" "$1" "$3/$name"
    done
    board/openwrt/apk.py --root "$2" --time "$SOURCE_DATE_EPOCH" \
        --info name=lanpush --info "version=$(package_version)-r1" --info arch=noarch \
        --info "description=$package_summary" --info "license=MIT OR Apache-2.0" --info origin=lanpush \
        --info "maintainer=$package_maintainer" \
        --script "pre-install=$3/pre-install" --script "post-install=$3/post-install" \
        --script "pre-upgrade=$3/pre-install" --script "post-upgrade=$3/post-upgrade" \
        --script "pre-deinstall=$3/pre-deinstall" --output "$4"
}

main() { # BINARY [DIRECTORY]
    local binary=$1 to=${2:-${CARGO_TARGET_DIR:-target}/packages} work name
    binary_processor "$binary" >/dev/null
    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    umask 022
    name=lanpush_$(package_version)-r1_$(board_name "$binary")
    mkdir -p "$work/tree" "$to"
    put 755 "$binary" "$work/tree/usr/bin/lanpush"
    sh board/openwrt/files/install.sh board/openwrt/files "$work/tree"
    make_ipk "$binary" "$work/tree" "$work" "$work/package"
    mv "$work/package" "$to/$name.ipk"
    echo "$to/$name.ipk"
    make_apk "$binary" "$work/tree" "$work" "$work/package"
    mv "$work/package" "$to/$name.apk"
    echo "$to/$name.apk"
}

if (($# < 1 || $# > 2)); then
    sed -n '/^#  /s/^#//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
main "$@"
