#!/usr/bin/env bash
# Prints what the machine code of a board's binary comes from, in kB by crate, largest first: what the table of
# README.md is made of. What a generic of one crate becomes for types of another counts for the first.
#
#   board/parts.sh TARGET [--no-default-features]      a target of build.sh
#   board/parts.sh FILE                                a binary with symbols
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A build of its own beside those that lose their symbols.
build_with_symbols() { # TARGET ARGUMENT…
    local built
    built=$(CARGO_TARGET_DIR=$PWD/target/parts CARGO_PROFILE_RELEASE_STRIP=none board/build.sh "$@" | tail -n 1)
    echo "${built% *}"
}

# Functions only: their sizes, and the first crate that their names tell of.
by_crate() { # FILE
    nm --demangle --print-size --radix=d --defined-only "$1" | awk '
        tolower($3) !~ /^[tw]$/ { next }
        {
            name = $0
            sub(/^[0-9]+ [0-9]+ . /, "", name)
            crate = "C and assembler"
            # What comes before the first path is none of it: `<&mut dyn …`, and in `<T as core::…>` also the T.
            if (match(name, /[a-z_][A-Za-z0-9_]*::/)) crate = substr(name, RSTART, RLENGTH - 2)
            if (!seen[$1]++) bytes[crate] += $2
        }
        END { for (crate in bytes) printf "%7.1f %s\n", bytes[crate] / 1000, crate }' | sort -rn
}

case ${1-} in
    '' | -*) sed -n '/^#  /s/^#//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
    */*) file=$1 ;;
    *) file=$(build_with_symbols "$@") ;;
esac
[[ $(nm "$file" 2>&1 | head -n 3 | wc -l) == 3 ]] || { echo "${0##*/}: $file has no symbols" >&2 && exit 1; }
by_crate "$file"
