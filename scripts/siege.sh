#!/bin/sh
# Runs the tests marked `siege` at full scale: in each part those that count effects beside each other, then, alone, those that measure
# time. `scripts/siege.sh consistency|access|shop` runs a part, `scripts/siege.sh ARGUMENT…` hands pytest the arguments.
# Needs .venv (scripts/setup.sh dev).
set -eu
cd "$(dirname "$0")/.."

export SIEGE=1
status=0
siege() {
    .venv/bin/python -m pytest -m siege --timeout=600 -rfEsXP --durations=12 "$@" || status=1
}

# They wait for processes and clocks a third of their time.
beside="--numprocesses=$(($(nproc) + 1)) --dist=worksteal"
access="fifty_parallel or no_account or ten_guesses or million_rows"
access_timed="costs_the_same or ends_in_one_worker"
timed="lag or throughput or empty_jobs"

# Events, jobs, the schedule, idempotency keys, crashes at every point.
consistency() {
    siege $beside -k "not shop and not ($access or $access_timed or $timed)"
    siege -k "not shop and ($timed)"
}

# Sign-in, sessions, revocation, large exports.
access() {
    siege $beside -k "$access"
    siege -k "$access_timed"
}

shop() {
    siege $beside -k "shop and not hot"
    siege -k "shop and hot"
}

case "${1:-}" in
    "") consistency; access; shop ;;
    consistency | access | shop) "$1" ;;
    *) siege "$@" ;;
esac
exit $status
