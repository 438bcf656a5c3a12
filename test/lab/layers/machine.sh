# shellcheck shell=bash
# machine.sh: sourced by what builds a layer. Its tools trust whom the machine trusts: a network may have certificates of
# its own, and the package ca-certificates would put Debian's in their place.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive

if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
  cp /etc/ssl/certs/ca-certificates.crt /tmp/machine.crt
  export SSL_CERT_FILE=/tmp/machine.crt PIP_CERT=/tmp/machine.crt NODE_EXTRA_CA_CERTS=/tmp/machine.crt
fi

# reach WHAT CMD…: a command that fetches; if it fails the build ends with 69, "not here".
reach() {
  local what=$1
  shift
  "$@" || { echo "$what cannot be reached" && exit 69; }
}

# Debian packages, without leaving apt's lists behind.
install_packages() {
  reach "Debian's archive" apt-get update -o APT::Update::Error-Mode=any
  apt-get install -y --no-install-recommends "$@"
  apt-get clean
  rm -rf /var/lib/apt/lists/*
}
