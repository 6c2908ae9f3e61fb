#!/bin/sh
# Runs the tests marked `siege` at full scale: those that count effects beside each other, then, alone, those that measure time.
# `scripts/siege.sh ARGUMENT…` hands pytest the arguments, for a part of them. Needs .venv (scripts/setup.sh dev).
set -eu
cd "$(dirname "$0")/.."

export SIEGE=1
siege() {
    .venv/bin/python -m pytest -m siege --timeout=600 -rfEsXP "$@"
}

if [ $# -gt 0 ]; then
    siege "$@"
    exit
fi
timed="lag or throughput or empty_jobs or costs_the_same or ends_in_one_worker"
status=0
siege --numprocesses=logical --maxprocesses=4 --dist=worksteal -k "not ($timed)" || status=1
siege -k "$timed" || status=1
exit $status
