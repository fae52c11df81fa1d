#!/usr/bin/env bash
# Builds lanpush for a Raspberry Pi, makes its package and installs it over ssh.
#
#   board/raspberrypi/install.sh [USER@]HOST [BINARY]
#
# Without BINARY it is built by board/build.sh. On the Pi the user needs sudo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Cargo's target for a board: 32-bit systems may run on a 64-bit kernel, so Debian's word comes first.
target_of() { # ARCHITECTURE MACHINE
    case $1-$2 in
        arm64-*) echo aarch64-unknown-linux-musl ;;
        armhf-armv6l) echo arm-unknown-linux-musleabihf ;;
        armhf-*) echo armv7-unknown-linux-musleabihf ;;
        *)
            echo "no package can be made for $1 on $2" >&2
            return 1
            ;;
    esac
}

main() { # HOST [BINARY]
    local host=$1 binary=${2-} board target deb
    if [[ -z $binary ]]; then
        # shellcheck disable=SC2016 # it is the Pi's to expand
        board=$(ssh "$host" 'echo "$(dpkg --print-architecture) $(uname -m)"')
        # shellcheck disable=SC2086 # two words
        target=$(target_of $board)
        binary=$(board/build.sh "$target" | tail -n 1)
        binary=${binary% *}
    fi
    deb=$(board/raspberrypi/package.sh "$binary")
    scp "$deb" "$host:/tmp/lanpush.deb"
    ssh -t "$host" 'sudo apt-get install -y --reinstall /tmp/lanpush.deb && rm /tmp/lanpush.deb &&
        systemctl --no-pager --lines=20 status lanpush'
}

if (($# < 1 || $# > 2)); then
    sed -n '/^#  /s/^#//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
main "$@"
