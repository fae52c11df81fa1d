# Sourced by stages: which of cargo's test targets run the binary.
# shellcheck shell=bash

# Prints `--test NAME` for each target. One runs the binary if a file of it names the binary or uses the
# harness that starts it; so a new test file finds its stage by itself.
test_targets() { # with-binary|without-binary
    local file name wants
    for file in tests/*.rs tests/*/main.rs; do
        [[ -f $file ]] || continue
        name=${file#tests/}
        name=${name%/main.rs}
        name=${name%.rs}
        wants=without-binary
        if grep -rqE --include='*.rs' '^ *mod harness;|CARGO_BIN_EXE_|LANPUSH_BIN' "$file" "tests/$name/" 2>/dev/null; then
            wants=with-binary
        fi
        if [[ $wants == "$1" ]]; then
            printf '%s\n' --test "$name"
        fi
    done
}
