#!/usr/bin/env bash
# layer.sh NAME ROOT: builds what layers/NAME/build.sh adds to a root file system, once, and prints the path of what was
# added: it goes on top of the root. Unlike a lab this has the machine's network.
# Exit code 69: this machine cannot build it (the reason is on stderr).
set -euo pipefail

name=$1 root=$2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dsm2mqtt
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
[[ -x $here/layers/$name/build.sh ]] || { echo "There is no layer '$name' in $here/layers" >&2 && exit 2; }

recipe=$(cd "$here/layers/$name" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
layer=$cache/layers/$name-${root##*/}-${recipe:0:12}
log=$cache/layers/.$name.log
mkdir -p "$cache/layers"

exec 9>"$cache/layers/.$name.lock"
flock 9
if [[ ! -d $layer ]]; then
  echo "Building the lab's layer $name ($(sed -n 's/^# Expect: //p' "$here/layers/$name/build.sh")) in $layer" >&2
  partial=$cache/layers/.partial-$name
  rm -rf --one-file-system "$partial"
  mkdir -p "$partial"/{upper,work,mnt,memory,images}
  code=0
  LAB_LAYER=yes setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --uts --ipc \
    "$here/container.sh" "roots/${root##*/}" "$partial" "$repository" "$here/layers/$name/build.sh" >"$log" 2>&1 9>&- ||
    code=$?
  if ((code == 69)); then
    echo "The layer $name cannot be built here: $(tail -n 1 "$log")" >&2
    exit 69
  elif ((code != 0)); then
    tail -n 5 "$log" >&2
    echo "The layer $name could not be built, see $log" >&2
    exit 1
  fi
  mv "$partial/upper" "$layer"
  rm -rf --one-file-system "$partial"
  echo "Built in $SECONDS s, $(du -sm "$layer" | cut -f1) MB" >&2
fi

echo "$layer"
