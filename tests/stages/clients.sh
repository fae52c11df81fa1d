#!/usr/bin/env bash
# clients   foreign clients against a release build: Smack 3.2 as androidpn uses it
# shellcheck source=tests/steps.sh
. tests/steps.sh

need_binary
for client in tests/clients/*/run; do
    # shellcheck source=/dev/null
    . "${client%run}prepare.sh"
    try "$(basename "$(dirname "$client")")" 150 "$client"
done
