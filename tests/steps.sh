# Sourced by tests/run, the stages and the clients: runs steps, finds tools, fetches what is cached.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
logs=$target/test-logs
# A line for each step: tests passed, tests failed.
tally=$logs/tally
# What is fetched lies outside the checkout, so that the next checkout finds it.
cache=${LANPUSH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lanpush}
stage=${LANPUSH_STAGE:-clients}
PATH=$PATH:$HOME/.cargo/bin
mkdir -p "$logs" "$cache"

# Runs a command that tests something; what follows runs whether it passes or not.
try() { # NAME SECONDS COMMAND…
    local name=$1 passed failed
    logged "$@"
    read -r passed failed < <(count_tests "$log")
    if ((status == 0 && passed + failed == 0)); then
        passed=1
    elif ((status != 0 && failed == 0)); then
        failed=1
    fi
    echo "$passed $failed" >>"$tally"
    if ((failed == 0)); then
        printf '   %-24s %5d passed %5d s\n' "$name" "$passed" "$seconds"
    else
        show_failure "$1" "$2"
    fi
}

# Runs a command without which the rest of the stage makes no sense; only its failure counts.
prepare() { # NAME SECONDS COMMAND…
    logged "$@"
    if ((status == 0)); then
        printf '   %-24s %12s %5d s\n' "$1" "done" "$seconds"
    else
        echo "0 1" >>"$tally"
        show_failure "$1" "$2"
        exit 1
    fi
}

# Runs a command under a time limit; leaves its exit status, its log and the seconds it took.
logged() { # NAME SECONDS COMMAND…
    local start=$SECONDS limit=$2
    log=$logs/$stage-${1// /-}.log
    status=0
    shift 2
    timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null || status=$?
    seconds=$((SECONDS - start))
}

# Passed and failed: cargo's summaries, and the lines `ok NAME` and `FAIL NAME: why` of our own programs.
count_tests() { # LOG
    awk '/^test result: / { passed += $4; failed += $6 }
         /^ok / { passed++ }
         /^FAIL / { failed++ }
         END { print passed + 0, failed + 0 }' "$1"
}

show_failure() { # NAME LIMIT; of the command that logged ran
    printf '   %-24s FAILED with exit code %d' "$1" "$status"
    if ((status == 124 || status == 137)); then
        printf ', its time limit is %d s' "$2"
    fi
    printf '\n'
    excerpt | sed 's/^/   | /'
    echo "   whole log: $log"
}

# What the log says of failed tests, or its end if it names none.
excerpt() {
    local named
    named=$(awk '/^failures:$/ { inside = 1 }
                 inside || /^FAIL / { print }
                 /^test result: / { inside = 0 }' "$log")
    if [[ -n $named ]]; then
        echo "$named"
    else
        tail -n 40 "$log"
    fi
}

# Ends the stage with a reason of ours.
give_up() { # REASON
    echo "   $1"
    echo "0 1" >>"$tally"
    exit 1
}

# Makes sure that a command exists, by a Debian package if need be.
need() { # COMMAND PACKAGE
    if ! command -v "$1" >/dev/null; then
        install_package "$2" "$1"
    fi
}

install_package() { # PACKAGE WHAT-IS-MISSING
    if ! command -v apt-get >/dev/null || [[ $(id -u) != 0 ]]; then
        give_up "$2 is missing and only root can install it (on Debian: apt-get install $1)"
    fi
    # Old package lists may do where fetching new ones fails.
    # shellcheck disable=SC2016
    prepare "install $1" 900 env DEBIAN_FRONTEND=noninteractive bash -c \
        'apt-get update; apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$1"' - "$1"
}

need_cargo() {
    command -v cargo >/dev/null || give_up "cargo is missing; https://rustup.rs tells how to install it"
}

# Makes sure that cargo has a subcommand, which a component of the toolchain brings.
need_component() { # COMPONENT SUBCOMMAND
    need_cargo
    if ! cargo "$2" --version >/dev/null 2>&1; then
        prepare "install $1" 300 rustup component add "$1"
    fi
}

# The binary that tests run: LANPUSH_BIN, or a release build.
need_binary() {
    if [[ -z ${LANPUSH_BIN-} ]]; then
        need_cargo
        prepare "release build" 1200 cargo build --release --locked
        LANPUSH_BIN=$target/release/lanpush
    fi
    [[ -x $LANPUSH_BIN ]] || give_up "LANPUSH_BIN=$LANPUSH_BIN is not a program"
    LANPUSH_BIN=$(realpath "$LANPUSH_BIN")
    export LANPUSH_BIN
}

# Puts jars of Maven Central into the cache, those that are not there, and their paths into $classpath.
need_jars() { # FILE; its lines are GROUP:ARTIFACT:VERSION SHA256
    local group artifact version hash jar pom=$logs/jars.xml missing=()
    local plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
    classpath=
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>lanpush</groupId><artifactId>jars</artifactId>
        <version>1</version><dependencies>' >"$pom"
    while IFS=': ' read -r group artifact version hash; do
        jar=$cache/jars/$artifact-$version.jar
        classpath=${classpath:+$classpath:}$jar
        if ! has_hash "$jar" "$hash"; then
            missing+=("$jar $hash")
            echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId>
                <version>$version</version></dependency>" >>"$pom"
        fi
    done <"$1"
    echo '</dependencies></project>' >>"$pom"
    ((${#missing[@]} > 0)) || return 0
    need mvn maven
    prepare "fetch ${#missing[@]} jars" 600 mvn --batch-mode --file "$pom" "$plugin:copy-dependencies" \
        -DexcludeTransitive=true "-DoutputDirectory=$cache/jars" -DoverWriteReleases=true
    for jar in "${missing[@]}"; do
        has_hash "${jar% *}" "${jar##* }" ||
            give_up "${jar% *} is not the file this test was written for: its SHA-256 differs"
    done
}

has_hash() { # FILE SHA256
    [[ -f $1 ]] && sha256sum --check --status <<<"$2  $1"
}
