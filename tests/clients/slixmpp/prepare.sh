# Sourced after tests/steps.sh: a Python of its own, $python, with what requirements.txt names.
# shellcheck shell=bash disable=SC2034,SC2154

need python3 python3
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    install_package python3-venv "Python's venv"
fi
# The name holds all that the directory depends on, so that what is there is right.
venv=$cache/slixmpp-$(cat <(python3 -VV) tests/clients/slixmpp/requirements.txt | sha256sum | head -c 16)
python=$venv/bin/python
# shellcheck disable=SC2016
if [[ ! -f $venv/complete ]]; then
    rm -rf "$venv"
    prepare "fetch slixmpp" 600 bash -ec 'python3 -m venv "$1"
        "$1/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$2"
        touch "$1/complete"' - "$venv" tests/clients/slixmpp/requirements.txt
fi
