#!/usr/bin/env bash
# container.sh LOWER DIR REPOSITORY CMD…: PID 1 of fresh namespaces. Makes their file system (LOWER read-only
# underneath: folders of the cache, the topmost first, with colons between; changes in DIR/upper, DIR/images as libvirt's
# image folder, the repository at its own path) and becomes CMD. LAB_LAYER: the changes are what this is for.
set -euo pipefail

dir=$2 repository=$3
lower=../../${1//:/:../../}
shift 3

cd "$dir"
# An overlay cannot have its upper layer on another overlay (a Docker container's disk): then memory has to do.
if ! mount -t overlay lab -o "lowerdir=$lower,upperdir=upper,workdir=work" "$dir/mnt" 2>/dev/null; then
  [[ -z ${LAB_LAYER-} ]] || { echo 'an overlay cannot be kept on its file system' && exit 69; }
  mount -t tmpfs -o mode=755 upper "$dir/memory"
  mkdir -p "$dir/memory/upper" "$dir/memory/work"
  mount -t overlay lab -o "lowerdir=$lower,upperdir=memory/upper,workdir=memory/work" "$dir/mnt"
fi

cd "$dir/mnt"
mount -t proc proc proc
mount -t sysfs sysfs sys
# Containers have control groups of their own; QEMU must not find any.
[[ $lower != *layers/container-* ]] || mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp

# Only what QEMU and a shell need. No /dev/kvm: where it exists without working, guests hang at their first instruction.
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm dev/net
for node in null zero full random urandom tty net/tun; do
  : >"dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for stream in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/${stream#*:}" "dev/${stream%:*}"; done

mount --bind "$dir/images" var/lib/libvirt/images
mkdir -p "./$repository"
mount --rbind "$repository" "./$repository"
if [[ -n ${LAB_OTHER-} ]]; then
  mkdir other-release
  mount --bind "$LAB_OTHER" other-release
  mount -o remount,bind,ro other-release
fi

pivot_root . .
umount -l .
cd /
exec "$@"
