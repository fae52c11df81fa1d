# Sourced after tests/steps.sh: a Java compiler, and $classpath. kxml2 comes first in it: it is the parser of a
# phone, and Smack's jar brings another one.
# shellcheck shell=bash

need javac default-jdk-headless
need_jars tests/clients/smack3/jars
