#!/bin/sh
# Installs the named Debian packages that are missing: as root right away, otherwise it prints the
# line to run and goes on, because what is missing may be there in another way (built from source).
# Of alternatives (`a|b`) the first that this release offers is taken.
set -eu

installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() {
    for wanted in "$@"; do
        have=
        for name in $(echo "$wanted" | tr '|' ' '); do
            if installed "$name"; then have=yes; fi
        done
        if [ -z "$have" ]; then echo "$wanted"; fi
    done
}

offered() {
    for name in $(echo "$1" | tr '|' ' '); do
        if apt-cache show "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "$1: not in this release" >&2
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "Not a Debian system; this needs what these Debian packages hold: $*"
    exit 0
fi
wanted=$(missing "$@")
if [ -z "$wanted" ]; then
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    apt-get update
    # shellcheck disable=SC2086 # one word per package
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        $(for name in $wanted; do offered "$name"; done)
else
    echo "Missing Debian packages. As root, run:"
    echo
    echo "    apt-get install --no-install-recommends $(for name in $wanted; do offered "$name"; done | tr '\n' ' ')"
    echo
    echo "Going on with what is here."
fi
