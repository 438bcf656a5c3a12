#!/bin/bash
# image.sh REPOSITORY ARCHIVE, in a lab's root with this layer and the machine's network: builds the image as its users
# do, from the Dockerfile as it stands, and writes it to ARCHIVE, and beside it which of Debian's packages it has.
# IMAGE_SOURCE: a folder in REPOSITORY to build from instead. Two builds of the same files are the same bytes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"
repository=$1 archive=$2
source=${IMAGE_SOURCE:-$repository} epoch=${SOURCE_DATE_EPOCH:-0}

base=/opt/base
cp "$repository"/node_modules/node-linux-*/bin/node "$base/node"
mkdir "$base/npm"
tar -xzf "${archive%/*}"/npm-*.tgz -C "$base/npm" --strip-components=1
cp -L /etc/ssl/certs/ca-certificates.crt "$base/machine.crt"

name=$(sed -n 's/^ARG NODE_IMAGE=//p' "$source/Dockerfile")
podman build --quiet --network=host --format docker --timestamp "$epoch" --tag "docker.io/library/$name" --file "$here/base.Dockerfile" "$base"
podman build --network=host --format docker --timestamp "$epoch" --build-arg "VERSION=${VERSION:-unreleased}" --tag dsm2mqtt "$source"
rm -f "$archive"
podman save --format docker-archive --output "$archive" localhost/dsm2mqtt
podman run --rm --network=host --entrypoint dpkg-query localhost/dsm2mqtt \
  --show --showformat '${Package} ${Version} ${Architecture}\n' >"${archive%.tar}.packages"
[[ -n ${IMAGE_SOURCE-} ]] || "$here/app.sh" "$repository" "${archive%/*}/app.tar"
