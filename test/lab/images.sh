#!/usr/bin/env bash
# images.sh ROOT: builds the guest's images with the tools of a root, once, and prints the folder they are in.
set -euo pipefail

root=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dsm2mqtt
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

recipe=$(cd "$here" && find guest -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
name=${root##*/}-${recipe:0:12}
mkdir -p "$cache/guests"

exec 9>"$cache/guests/.lock"
flock 9
if [[ ! -d $cache/guests/$name ]]; then
  echo "Building the lab's guest (a few seconds)" >&2
  partial=$cache/guests/.partial
  rm -rf --one-file-system "$partial"
  mkdir -p "$partial"/{upper,work,mnt,memory,images}
  setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --uts --ipc \
    "$here/container.sh" "roots/${root##*/}" "$partial" "$(cd "$here/../.." && pwd)" "$here/guest/build.sh" \
    >"$cache/guests/.log" 2>&1 9>&- || {
    tail -n 5 "$cache/guests/.log" >&2
    exit 1
  }
  mv "$partial/images" "$cache/guests/$name"
  rm -rf --one-file-system "$partial"
fi
echo "$cache/guests/$name"
