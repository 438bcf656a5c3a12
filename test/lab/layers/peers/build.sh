#!/bin/bash
# What others watch libvirt with, for the benchmark: collectd's virt plugin, and Prometheus' exporter.
# Expect: half a minute, 20 MB
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"

install_packages collectd-core prometheus-libvirt-exporter libmosquitto1
