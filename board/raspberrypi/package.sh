#!/usr/bin/env bash
# Makes a Debian package of a binary, and prints where it is. Needs dpkg-deb and nothing else; a package of the
# same files is the same to the last bit.
#
#   board/raspberrypi/package.sh BINARY [DIRECTORY]      into target/packages without DIRECTORY
#
# Which board the package is for follows from the binary; see board/README.md how to build one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=board/package.sh
. board/package.sh

# Debian's name of the processor; the package for ARMv6 runs on every other 32-bit Pi as well.
architecture() { # BINARY
    local processor
    processor=$(binary_processor "$1")
    echo "${processor/%arm/armhf}"
}

# What a binary needs that is not static: the C library it was linked with, or a later one.
dependencies() { # BINARY
    local newest
    newest=$(grep -ao 'GLIBC_2\.[0-9]*' "$1" | sort -uV | tail -n 1 || true)
    [[ -z $newest ]] || printf 'libc6 (>= %s), ' "${newest#GLIBC_}"
    if grep -aq 'libgcc_s\.so\.1' "$1"; then
        printf 'libgcc-s1, '
    fi
    echo adduser
}

tree() { # BINARY TREE
    local from=board/raspberrypi doc=$2/usr/share/doc/lanpush sample
    put 755 "$1" "$2/usr/bin/lanpush"
    put 644 $from/lanpush.service "$2/usr/lib/systemd/system/lanpush.service"
    put 644 config/raspberrypi.toml "$2/etc/lanpush/lanpush.toml"
    put 644 $from/avahi.service "$2/etc/avahi/services/lanpush.service"
    put 644 README.md "$doc/README.md"
    put 644 LICENSE "$doc/copyright"
    for sample in config/*.toml; do
        put 644 "$sample" "$doc/examples/${sample##*/}"
    done
    gzip -9n <CHANGELOG.md >"$doc/changelog.gz"
    chmod 644 "$doc/changelog.gz"
}

control() { # BINARY TREE
    local script
    mkdir "$2/DEBIAN"
    for script in postinst prerm postrm; do
        put 755 "board/raspberrypi/debian/$script" "$2/DEBIAN/$script"
    done
    printf '%s\n' /etc/lanpush/lanpush.toml /etc/avahi/services/lanpush.service >"$2/DEBIAN/conffiles"
    (cd "$2" && find etc usr -type f -print0 | sort -z | xargs -0 md5sum) >"$2/DEBIAN/md5sums"
    cat >"$2/DEBIAN/control" <<END
Package: lanpush
Version: $(package_version)-1
Architecture: $(architecture "$1")
Maintainer: $package_maintainer
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$2" | cut -f1)
Depends: $(dependencies "$1")
Suggests: avahi-daemon
Section: net
Priority: optional
Description: $package_summary
 Phones on the local network stay connected over XMPP; people and scripts send them notifications
 from a web page or by HTTP. No cloud and no Internet. Speaks to clients of androidpn as they are.
END
}

main() { # BINARY [DIRECTORY]
    local binary=$1 to=${2:-${CARGO_TARGET_DIR:-target}/packages} work name
    binary_processor "$binary" >/dev/null
    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    umask 022
    name=lanpush_$(package_version)-1_$(architecture "$binary")
    if is_armv6 "$binary"; then
        name=${name}-armv6
    fi
    mkdir -p "$work/tree" "$to"
    tree "$binary" "$work/tree"
    control "$binary" "$work/tree"
    stamp "$work/tree"
    dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$work/tree" "$work/$name.deb" >/dev/null
    mv "$work/$name.deb" "$to/$name.deb"
    echo "$to/$name.deb"
}

if (($# < 1 || $# > 2)); then
    sed -n '/^#  /s/^#//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
main "$@"
