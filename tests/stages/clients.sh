#!/usr/bin/env bash
# clients   foreign clients against a release build: Smack 3.2 and 4.4, slixmpp, xmpp.js, tokio-xmpp, Profanity
# shellcheck source=tests/steps.sh
. tests/steps.sh

need_binary
for client in tests/clients/*/run; do
    # shellcheck source=/dev/null
    . "${client%run}prepare.sh"
    try "$(basename "$(dirname "$client")")" 180 "$client"
done
