# Sourced after tests/steps.sh: node, and the packages of package-lock.json, whose directory is $modules.
# shellcheck shell=bash disable=SC2034,SC2154

need node nodejs
need npm npm
if ! node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)'; then
    give_up "node is $(node --version), and xmpp.js wants 20 or newer"
fi
need python3 python3
# The name holds all that the directory depends on, so that what is there is right.
modules=$cache/xmppjs-$(cat tests/clients/xmppjs/package*.json | sha256sum | head -c 16)
if [[ ! -f $modules/complete ]]; then
    rm -rf "$modules"
    mkdir -p "$modules"
    cp tests/clients/xmppjs/package*.json "$modules"
    prepare "fetch xmpp.js" 600 npm ci --prefix "$modules" --ignore-scripts --no-audit --no-fund
    touch "$modules/complete"
fi
