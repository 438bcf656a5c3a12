# shellcheck shell=bash
# setup.sh: sourced by demo and test. Goes to the repository and brings the npm packages up to date; among them is the
# Node that everything then runs on, so that the machine's own may be older.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Runs a command that ends when this script does, even if the script is killed.
tied() {
  if command -v setpriv >/dev/null; then setpriv --pdeathsig TERM "$@"; else "$@"; fi
}

packages_missing() {
  [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]
}

# No install scripts: all they would do is try to compile accelerators that nothing here needs.
install_packages() {
  local major
  if ! command -v npm >/dev/null || ! major=$(node --print 'process.versions.node.split(".")[0]') || ((major < 20)); then
    echo 'Node 20 or newer and npm are needed on this machine.' >&2
    return 1
  fi
  tied npm ci --ignore-scripts --no-progress --loglevel=error </dev/null
}

use_node() {
  # npm 9 and 10 drop this link again, together with that of the package for the other processor.
  local node
  for node in node_modules/node-linux-*/bin/node; do
    [[ ! -x $node || -e node_modules/.bin/node ]] || ln -s "../../$node" node_modules/.bin/node
  done
  export PATH=$PWD/node_modules/.bin:$PATH
  if ! node --eval 'process.exitCode = Number(process.versions.node.split(".")[0] < 24)'; then
    echo "Node 24 does not come as a package for this machine; it has to be installed here (this is $(node --version))." >&2
    return 1
  fi
}
