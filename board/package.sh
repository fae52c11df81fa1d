# Sourced by the scripts that make packages: what they all have to know of lanpush and of a binary.
# shellcheck shell=bash

# The version stands in Cargo.toml. Tests of upgrades say another.
package_version() {
    echo "${LANPUSH_PACKAGE_VERSION:-$(sed -n '/^\[package\]/,/^\[dep/s/^version = "\(.*\)"$/\1/p' Cargo.toml)}"
}

# shellcheck disable=SC2034 # for those who source this
package_maintainer="lanpush maintainers <maintainers@lanpush.invalid>"
# shellcheck disable=SC2034
package_summary="push service for one local network: XMPP to the phone, HTTP to the sender"

# Every file has this time, so that the same files make the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600}
export SOURCE_DATE_EPOCH

# What processor a binary is for, by the field e_machine of its ELF header: amd64, arm, arm64 or riscv64.
binary_processor() { # FILE
    local header
    header=$(od -An -v -tx1 -N20 "$1" | tr -d ' \n')
    case ${header:0:8}-${header:36:4} in
        7f454c46-3e00) echo amd64 ;;
        7f454c46-2800) echo arm ;;
        7f454c46-b700) echo arm64 ;;
        7f454c46-f300) echo riscv64 ;;
        *)
            echo "$1 is no program for a board that lanpush knows" >&2
            return 1
            ;;
    esac
}

# Whether the ARM code is the oldest, for ARMv6. Cargo's target is in the name that board/build.sh gives.
is_armv6() { # FILE
    [[ $1 == *arm-unknown-linux-musleabihf* ]]
}

# Puts a file where the package has it, with its rights.
put() { # MODE FILE TO
    install -D -m "$1" "$2" "$3"
}

# Gives all files of a tree the one time.
stamp() { # TREE
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}
