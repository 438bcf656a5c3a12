# shellcheck shell=bash
# machine.sh: sourced by what builds a layer. Its tools trust whom the machine trusts: a network may have certificates of
# its own, and the package ca-certificates would put Debian's in their place.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive

if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
  cp /etc/ssl/certs/ca-certificates.crt /tmp/machine.crt
  export SSL_CERT_FILE=/tmp/machine.crt PIP_CERT=/tmp/machine.crt CURL_CA_BUNDLE=/tmp/machine.crt NODE_EXTRA_CA_CERTS=/tmp/machine.crt
fi

# Ends the build with 69, "not here", if one of these addresses cannot be reached.
need() {
  local url
  for url in "$@"; do
    curl --silent --show-error --fail --head --location --retry 2 --max-time 20 --output /dev/null "$url" ||
      { echo "$url cannot be reached" && exit 69; }
  done
}
