#!/bin/sh
# Runs the tests marked `siege` at full scale: those that count effects beside each other, then, alone, those that measure time;
# those of the shop last. `scripts/siege.sh kernel|shop` runs a half, `scripts/siege.sh ARGUMENT…` hands pytest the arguments.
# Needs .venv (scripts/setup.sh dev).
set -eu
cd "$(dirname "$0")/.."

export SIEGE=1
status=0
siege() {
    .venv/bin/python -m pytest -m siege --timeout=600 -rfEsXP "$@" || status=1
}

# They wait for processes and clocks a third of their time.
beside="--numprocesses=$(($(nproc) + 1)) --dist=worksteal"
timed="lag or throughput or empty_jobs or costs_the_same or ends_in_one_worker"

kernel() {
    siege $beside -k "not shop and not ($timed)"
    siege -k "not shop and ($timed)"
}

shop() {
    siege $beside -k "shop and not hot"
    siege -k "shop and hot"
}

case "${1:-}" in
    "") kernel; shop ;;
    kernel | shop) "$1" ;;
    *) siege "$@" ;;
esac
exit $status
