#!/usr/bin/env bash
# browser   the page in chromium, on a screen and on a phone's, against a release build
# shellcheck source=tests/steps.sh
. tests/steps.sh

need chromium chromium
need chromedriver chromium-driver
need_binary
try "clicks and reads" 300 cargo test --locked --test browser -- --ignored --test-threads=1
