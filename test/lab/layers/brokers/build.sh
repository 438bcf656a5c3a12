#!/bin/bash
# Brokers other than Mosquitto, NATS and RabbitMQ; and Prometheus.
# Expect: about a minute, 400 MB
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"

install_packages nats-server rabbitmq-server prometheus
