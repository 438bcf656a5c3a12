#!/bin/bash
# app.sh REPOSITORY ARCHIVE, after image.sh: builds the image of Home Assistant's app, as its Supervisor does, from the
# folder that scripts/addon makes, and writes it to ARCHIVE.
set -euo pipefail
repository=$1 archive=$2

folder=$(mktemp -d)/dsm2mqtt
"$repository/scripts/addon" "$folder"
version=$(sed -n 's/^version: //p' "$folder/config.yaml")
case $(uname -m) in
  x86_64) arch=amd64 ;;
  *) arch=$(uname -m) ;;
esac
podman build --network=host --format docker --timestamp "${SOURCE_DATE_EPOCH:-0}" --tag dsm2mqtt-app \
  --label "io.hass.version=$version" --label "io.hass.arch=$arch" --label io.hass.type=app \
  --build-arg "BUILD_VERSION=$version" --build-arg "BUILD_ARCH=$arch" "$folder"
rm -f "$archive"
podman save --format docker-archive --output "$archive" localhost/dsm2mqtt-app
