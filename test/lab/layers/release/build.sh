#!/bin/bash
# What judges a Debian package, its man page and completions, and an AppArmor profile.
# Expect: about a minute, 200 MB
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"

install_packages lintian apparmor man-db groff zsh fish
