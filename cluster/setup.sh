#!/usr/bin/env bash
# The environment of a node: Python 3.11 and exactly the packages of constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v uv >/dev/null; then
    curl -LsSf https://astral.sh/uv/0.13.8/install.sh | sh
fi
[ -x "$STUDY_VENV/bin/python" ] || uv venv --python 3.11 "$STUDY_VENV"
VIRTUAL_ENV=$STUDY_VENV uv pip install -q -c constraints.txt -e '.[cluster]'
