#!/bin/bash
# Home Assistant from PyPI in an environment of its own, and a browser to look at it with.
# Expect: about a minute, 1.9 GB
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"

install_packages python3 python3-venv chromium fonts-noto-core
python3 -m venv /opt/home-assistant
reach PyPI /opt/home-assistant/bin/pip install --no-cache-dir uv
/opt/home-assistant/bin/uv pip install --no-cache --require-hashes \
  --python /opt/home-assistant/bin/python --requirements "$here/requirements.lock"
