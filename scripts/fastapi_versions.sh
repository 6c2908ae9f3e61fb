#!/bin/sh
# Tests what leans on FastAPI's insides with the oldest and the newest FastAPI that pyproject.toml allows.
# `scripts/fastapi_versions.sh [VERSION…]` takes others. Needs .venv (scripts/setup.sh dev) and an index that pip can reach; .venv
# itself stays as it is. Ends with status 1 when one of them fails, and says which.
set -eu
cd "$(dirname "$0")/.."

# `fastapi>=0.165,<0.166` says which: the oldest is its first number, the newest what the index has below the second.
allowed=$(sed -n 's/^ *"fastapi\(>=[^"]*\)",$/\1/p' pyproject.toml)
oldest=$(echo "$allowed" | sed 's/^>=\([0-9.]*\),.*/==\1/')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

if [ $# -eq 0 ]; then
    set -- "$oldest" "$allowed"
fi
failed=""
# `make test` runs with this one.
own=$(.venv/bin/python -c 'import fastapi; print(fastapi.__version__)')
tested=""
for wanted in "$@"; do
    case $wanted in [0-9]*) wanted="==$wanted" ;; esac
    rm -rf "$folder/lib"
    # Its own dependencies are those of .venv: what is looked for is FastAPI's effect alone.
    if command -v uv >/dev/null; then
        uv pip install --quiet --python .venv --no-deps --target "$folder/lib" "fastapi$wanted"
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder/lib" "fastapi$wanted"
    fi
    version=$(PYTHONPATH="$folder/lib" .venv/bin/python -c 'import fastapi; print(fastapi.__version__)')
    case " $own $tested " in *" $version "*) continue ;; esac
    tested="$tested $version"
    echo "FastAPI $version"
    PYTHONPATH="$folder/lib" .venv/bin/python -m pytest -q -n auto tests/fuzz tests/kernel/http tests/api || failed="$failed $version"
done
if [ -n "$failed" ]; then
    echo "failed with FastAPI$failed" >&2
    exit 1
fi
if [ -n "$tested" ]; then
    echo "passed with FastAPI$tested; make test runs with $own"
else
    echo "nothing to do: $own, with which make test runs, is the only version that is allowed"
fi
