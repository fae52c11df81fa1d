# Sourced after tests/steps.sh: Profanity, and a terminal to type at it.
# shellcheck shell=bash

need profanity profanity
need tmux tmux
need python3 python3
