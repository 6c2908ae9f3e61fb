#!/bin/sh
# Writes the lock files anew from pyproject.toml: `make lock`, or `make lock ARGS=--upgrade` for newer versions.
# Each lock holds every package with its version and hashes and names no package index, so that pip and uv
# install the same files from whichever index they are configured for.
set -eu
cd "$(dirname "$0")/.."

command -v uv >/dev/null || {
    echo "make lock needs uv: python3 -m pip install uv (only whoever changes a dependency needs it)" >&2
    exit 1
}

lock() {
    file=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
        --no-annotate --output-file "$file" "$@" >/dev/null
    echo "$file: $(grep -c '==' "$file") packages"
}

lock requirements.lock pyproject.toml --extra mysql --extra postgres --group build "$@"
lock requirements-dev.lock pyproject.toml --all-extras --group dev --constraint requirements.lock "$@"
lock requirements-bench.lock pyproject.toml --all-extras --group bench --constraint requirements-dev.lock "$@"
