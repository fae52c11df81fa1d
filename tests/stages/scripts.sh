#!/usr/bin/env bash
# scripts   shellcheck over every shell script of the project
# shellcheck source=tests/steps.sh
. tests/steps.sh

need shellcheck shellcheck
mapfile -t scripts < <(git grep -lE '^#!/usr/bin/env bash|^#!/bin/sh|^# shellcheck shell=')
try shellcheck 120 shellcheck --external-sources "${scripts[@]}"
