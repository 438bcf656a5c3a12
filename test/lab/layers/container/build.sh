#!/bin/bash
# podman, AppArmor's parser, and what a base image is made of where no registry of images can be reached.
# Expect: about half a minute, 300 MB
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"

install_packages podman runc mmdebstrap apparmor
mkdir -p /opt/base
mmdebstrap --variant=minbase --include=ca-certificates --quiet \
  --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt=force-unsafe-io \
  --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/man/* \
  bookworm /opt/base/base.tar

# What podman makes is in memory, and it never makes a network: that would change the machine's.
mkdir -p /etc/containers
cat >/etc/containers/storage.conf <<'CONF'
[storage]
driver = "overlay"
graphroot = "/run/podman/graph"
runroot = "/run/podman/run"
CONF
cat >/etc/containers/containers.conf <<'CONF'
[containers]
netns = "host"
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
echo '{ "default": [{ "type": "insecureAcceptAnything" }] }' >/etc/containers/policy.json
