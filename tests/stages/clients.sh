#!/usr/bin/env bash
# clients   foreign clients against a release build: Smack 3.2 as androidpn uses it
# shellcheck source=tests/steps.sh
. tests/steps.sh

need_binary
for client in tests/clients/*/; do
    # shellcheck source=/dev/null
    . "$client/prepare.sh"
    try "$(basename "$client")" 150 "${client}run"
done
