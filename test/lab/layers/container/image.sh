#!/bin/bash
# image.sh REPOSITORY ARCHIVE, in a lab's root with this layer and the machine's network: builds the image as its users
# do, from the Dockerfile as it stands, and writes it to ARCHIVE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"
repository=$1 archive=$2

base=/opt/base
cp "$repository"/node_modules/node-linux-*/bin/node "$base/node"
mkdir "$base/npm"
tar -xzf "${archive%/*}"/npm-*.tgz -C "$base/npm" --strip-components=1
cp -L /etc/ssl/certs/ca-certificates.crt "$base/machine.crt"

name=$(sed -n 's/^ARG NODE_IMAGE=//p' "$repository/Dockerfile")
# Two builds of one commit are the same bytes.
epoch=${SOURCE_DATE_EPOCH:-0}
podman build --quiet --network=host --format docker --timestamp "$epoch" --tag "docker.io/library/$name" --file "$here/base.Dockerfile" "$base"
podman build --network=host --format docker --timestamp "$epoch" --build-arg "VERSION=${VERSION:-unreleased}" --tag dsm2mqtt "$repository"
rm -f "$archive"
podman save --format docker-archive --output "$archive" localhost/dsm2mqtt
podman run --rm --network=host --entrypoint dpkg-query localhost/dsm2mqtt \
  --show --showformat '${Package} ${Version} ${Architecture}\n' >"${archive%.tar}.packages"
