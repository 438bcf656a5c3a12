#!/bin/sh
# dsm2mqtt on the Node that this package brings, with the service's configuration and password unless others are given.
set -e
service=yes
if [ -n "${DSM2MQTT_CONFIG+given}" ]; then service=; fi
for argument; do
  case $argument in -c* | --config | --config=*) service= ;; esac
done
: "${DSM2MQTT_CONFIG=/etc/dsm2mqtt/config.yaml}"
export DSM2MQTT_CONFIG
if [ -z "${DSM2MQTT_MQTT__PASSWORD_FILE+given}${DSM2MQTT_MQTT__PASSWORD+given}" ]; then
  # Another configuration has another broker, which must not learn this password.
  for file in "${CREDENTIALS_DIRECTORY-/none}/mqtt_password" ${service:+/etc/dsm2mqtt/mqtt_password}; do
    # An empty file means that the broker asks for no password.
    if [ -s "$file" ] && [ -r "$file" ]; then
      export DSM2MQTT_MQTT__PASSWORD_FILE="$file"
      break
    fi
  done
fi
exec /usr/lib/dsm2mqtt/node /usr/lib/dsm2mqtt/dist/cli/index.cjs "$@"
