# Sourced after tests/steps.sh: builds the client, which is $driver.
# shellcheck shell=bash disable=SC2034,SC2154

need_cargo
need cc build-essential
need python3 python3
tokio_xmpp=$cache/tokio-xmpp
prepare "build with tokio-xmpp" 1200 cargo build --locked --manifest-path tests/clients/tokio-xmpp/Cargo.toml \
    --target-dir "$tokio_xmpp"
driver=$tokio_xmpp/debug/lanpush-tests-tokio-xmpp
