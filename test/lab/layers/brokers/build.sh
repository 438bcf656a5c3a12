#!/bin/bash
# Brokers other than Mosquitto: NATS and RabbitMQ.
# Expect: about a minute, 150 MB
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lab/layers/machine.sh
source "$here/../machine.sh"

install_packages nats-server rabbitmq-server
