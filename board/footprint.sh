#!/usr/bin/env bash
# Compares what binaries and their memory cost with the record, board/footprint.txt. Growth of more than 3 % is a
# failure: make it smaller, or put the new figure into the record and say in the commit what it is for.
#
#   board/footprint.sh check NAME BYTES       one figure
#   board/footprint.sh sizes BINARY…          files named as board/build.sh names them
#   board/footprint.sh memory LOG             what a booted board told: "MACHINE: BYTES bytes resident WHEN, …"
#
# Prints a line `ok` or `FAIL` for each figure.
set -euo pipefail
record=$(dirname "${BASH_SOURCE[0]}")/footprint.txt

check() { # NAME BYTES
    local recorded
    recorded=$(awk -v name="$1" '$1 == name { print $2 }' "$record")
    if [[ ! $recorded =~ ^[0-9]+$ || ! $2 =~ ^[0-9]+$ ]]; then
        echo "FAIL $1: \"$2\" bytes cannot be compared with \"$recorded\" in $record"
    elif (($2 * 100 > recorded * 103)); then
        echo "FAIL $1: $2 bytes, the record says $recorded"
    elif (($2 * 103 < recorded * 100)); then
        echo "ok $1: $2 bytes, the record may come down from $recorded"
    else
        echo "ok $1: $2 bytes, the record says $recorded"
    fi
}

check_sizes() { # BINARY…
    local binary
    for binary; do
        check "$(basename "$binary")" "$(stat -c %s "$binary")"
    done
}

check_memory() { # LOG
    local lines machine bytes when
    lines=$(sed -nE 's/^(.* )?(armv7l|aarch64): ([0-9]+) bytes resident ([a-z0-9 ]+).*/\2 \3 \4/p' "$1")
    if [[ -z $lines ]]; then
        echo "FAIL memory: $1 tells nothing of it"
        return
    fi
    while read -r machine bytes when; do
        check "resident-$machine-${when// /-}" "$bytes"
    done <<<"$lines"
}

usage() {
    sed -n '/^#  /s/^#//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

case ${1-}/$# in
    check/3) said=$(check "$2" "$3") ;;
    sizes/*) said=$(check_sizes "${@:2}") ;;
    memory/2) said=$(check_memory "$2") ;;
    *) usage ;;
esac
echo "$said"
! grep -q '^FAIL ' <<<"$said"
