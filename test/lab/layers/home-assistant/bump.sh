#!/bin/bash
# bump.sh VERSION, in a lab's root with the machine's network: pins that release of Home Assistant and all it needs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"
version=$1

install_packages python3 python3-venv
python3 -m venv /opt/bump
/opt/bump/bin/pip install uv
/opt/bump/bin/pip download --no-deps --dest /tmp/wheel "homeassistant==$version"
# Its own constraints: the versions that its integrations ask for when they are set up.
/opt/bump/bin/python - /tmp/wheel/*.whl >/tmp/constraints.txt <<'PYTHON'
import sys, zipfile
print(zipfile.ZipFile(sys.argv[1]).read("homeassistant/package_constraints.txt").decode())
PYTHON
# These releases come as sources alone, for a compiler; nothing speaks here.
sed -i '/^pymicro-vad==/d; /^pyspeex-noise==/d' /tmp/constraints.txt
sed -i "s/^homeassistant==.*/homeassistant==$version/" "$here/requirements.in"
/opt/bump/bin/uv pip compile --quiet --generate-hashes --no-annotate --no-header \
  --constraints /tmp/constraints.txt --output-file "$here/requirements.lock" "$here/requirements.in"
