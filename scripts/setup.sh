#!/bin/sh
# Makes .venv hold what a set of packages needs: `scripts/setup.sh run|dev|bench`. Costs a few milliseconds when it already does.
# Needs Python 3.11 or newer and nothing else; uses uv instead of pip where uv is on PATH.
# PYTHON=/path/to/python3 chooses the interpreter of a new environment.
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}
venv=.venv

case $want in
run) lock=requirements.lock ;;
dev) lock=requirements-dev.lock ;;
bench) lock=requirements-bench.lock ;;
*) echo "setup.sh: unknown set '$want'; use run, dev or bench" >&2 && exit 2 ;;
esac

fail() {
    printf 'set-up: %s\n' "$@" >&2
    exit 1
}

# What a stamp says: the environment was made here (its scripts hold this path) from these files.
fingerprint() {
    { pwd && cat "$1" pyproject.toml; } | cksum
}

is_ready() {
    [ -x "$venv/bin/python" ] && [ ! -e "$venv/.changing" ] && [ "$(cat "$venv/.stamp-$1" 2>/dev/null)" = "$(fingerprint "$2")" ]
}

is_ready "$want" "$lock" && exit 0

# Prints the first interpreter that is new enough; a command may exist and not run (version managers leave such fronts).
find_python() {
    check='import sys; sys.exit(sys.version_info < (3, 11))'
    if [ -n "${PYTHON:-}" ]; then
        "$PYTHON" -c "$check" 2>/dev/null || fail "PYTHON=$PYTHON is not Python 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c "$check" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed, found: $(python3 -V 2>&1 || echo none)" \
        "install it, or name it: PYTHON=/path/to/python3.11 make run"
}

make_environment() {
    python=$(find_python)
    echo "Making $venv with $("$python" -V) ..."
    rm -rf "$venv"
    mkdir "$venv"
    : >"$venv/.changing"
    if [ -z "$uv" ] || ! uv venv --quiet --allow-existing --python "$python" "$venv"; then
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            fail "$("$python" -V) comes without the modules venv and ensurepip" \
                "on Debian and Ubuntu: apt-get install python3-venv   (or put uv on PATH), then try again"
        "$python" -m venv "$venv"
    fi
    pwd >"$venv/.made-at"
}

# uv does not read pip's settings; where there are some, and where uv fails, pip does the work.
install() {
    if [ -n "$uv" ] && uv pip install --quiet --compile-bytecode --python "$venv/bin/python" "$@"; then
        return
    fi
    [ -x "$venv/bin/pip" ] || "$venv/bin/python" -m ensurepip >/dev/null
    PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --quiet --no-input "$@"
}

uv=$(command -v uv || true)
[ -z "${PIP_INDEX_URL:-}${PIP_NO_INDEX:-}${PIP_FIND_LINKS:-}" ] || uv=

# Interrupted, moved from elsewhere, or its interpreter is gone: start again.
made_at=$(cat "$venv/.made-at" 2>/dev/null || true)
if [ -e "$venv/.changing" ] || [ "$made_at" != "$(pwd)" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    make_environment
fi

# The mark stays when this script is killed in the middle, and goes when pip itself gives up before changing anything.
: >"$venv/.changing"
echo "Installing $(grep -c '==' "$lock") packages of $lock ..."
if ! install --require-hashes -r "$lock" || ! install --no-build-isolation --no-deps -e .; then
    rm -f "$venv/.changing"
    fail "the packages could not be installed; the message above says why" \
        "is there a network? pip's own settings (PIP_INDEX_URL, pip.conf) are respected"
fi
# pip and uv compile what they install, but not a checkout; the first start would pay for it. Without leave to write it still will.
"$venv/bin/python" -m compileall -q src || true
fingerprint "$lock" >"$venv/.stamp-$want"
rm -f "$venv/.changing"
