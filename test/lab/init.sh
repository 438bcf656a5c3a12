#!/bin/bash
# init.sh NAME RELEASE: the lab's PID 1. Network, libvirtd, the DSM domain; then says "ready" on descriptor 3.
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
here=$(cd "$(dirname "$0")" && pwd)

hostname "lab-$2"
printf '127.0.0.1 localhost lab-%s\n10.99.0.1 host.lab\n10.99.0.20 dsm.lab\n' "$2" >/etc/hosts

ip link set lo up
ip link add br0 type bridge
ip address add 10.99.0.1/24 dev br0
ip link set br0 up
# A guest that has just come up is found within a tenth of a second, not within the usual one.
echo 100 >/proc/sys/net/ipv4/neigh/br0/retrans_time_ms

cat >/etc/libvirt/libvirtd.conf <<'CONF'
unix_sock_ro_perms = "0777"
unix_sock_rw_perms = "0777"
auth_unix_ro = "none"
auth_unix_rw = "none"
listen_tls = 1
listen_tcp = 0
listen_addr = "127.0.0.1"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
CONF
cat >/etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
CONF

# Fixed keys, so that nothing has to make them: they open nothing but a lab.
install -D -m 644 "$here/pki/ca.pem" /etc/pki/CA/cacert.pem
install -D -m 644 "$here/pki/server.pem" /etc/pki/libvirt/servercert.pem
install -D -m 600 "$here/pki/server-key.pem" /etc/pki/libvirt/private/serverkey.pem

# -d returns when the sockets answer. Descriptor 3 stays with PID 1, so that its end is the lab's end.
libvirtd -d -l 3>&-
virsh -q define "$here/dsm.xml" 3>&-

# libvirt locks the pty of a console there.
mkdir -p /run/lock
printf '{"name":"%s","release":"%s"}\n' "$1" "$2" >/run/dsm2mqtt-lab
echo ready >&3
exec 3>&-

# QEMU and the daemons become children of PID 1: bash reaps them while it waits.
while :; do
  sleep infinity &
  wait $! || true
done
