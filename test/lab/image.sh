#!/usr/bin/env bash
# image.sh ROOT LAYER: builds the product's image in that root with that layer, on a base image made of Debian packages.
set -euo pipefail

root=$1 layer=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dsm2mqtt
archive=$repository/node_modules/.cache/dsm2mqtt/${IMAGE_SOURCE:+release-}image.tar

mkdir -p "${archive%/*}"
compgen -G "${archive%/*}/npm-*.tgz" >/dev/null || npm pack --silent --pack-destination "${archive%/*}" npm@11 >/dev/null

echo "Building the image (about 40 s)" >&2
dir=$(mktemp -d "$cache/layers/.image-XXXXXX")
trap 'rm -rf --one-file-system "$dir"' EXIT
mkdir -p "$dir"/{upper,work,mnt,memory,images}
setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --uts --ipc \
  "$here/container.sh" "$layer:roots/${root##*/}" "$dir" "$repository" \
  "$here/layers/container/image.sh" "$repository" "$archive" >"${archive%/*}/image.log" 2>&1 || {
  tail -n 15 "${archive%/*}/image.log" >&2
  exit 1
}
echo "Built in $SECONDS s: $archive" >&2
