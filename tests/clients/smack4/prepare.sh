# Sourced after tests/steps.sh: a Java compiler, what shared/wire.py runs with, and $classpath.
# shellcheck shell=bash

need javac default-jdk-headless
need python3 python3
need_jars tests/clients/smack4/jars
