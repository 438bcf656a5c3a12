#!/usr/bin/env bash
# root.sh RELEASE: builds the lab's root file system for one Debian release, once, and prints its path.
# Exit code 69: this machine cannot build one (the reason is on stderr).
set -euo pipefail

release=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dsm2mqtt
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case $release in
  bookworm) expect='about 70 s, 530 MB' ;;
  *) expect='about 60 s, 440 MB' ;;
esac

packages=(
  libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils ovmf ipxe-qemu seabios
  mosquitto mosquitto-clients iproute2 procps curl openssh-server
  linux-image-cloud-amd64 busybox-static grub-efi-amd64-bin grub-common mtools dosfstools fdisk cpio xz-utils
  # The image builders': the small kernel cannot reach a USB disk, this one can.
  linux-image-amd64 dropbear-bin jq kexec-tools e2fsprogs
)
# All that is kept of its modules: the whole set is as large as everything else here.
modules=(
  drivers/virtio drivers/scsi/scsi_ drivers/scsi/sd_mod drivers/scsi/virtio_scsi drivers/net/virtio_net
  drivers/net/net_failover net/core drivers/acpi/button drivers/input/evdev block crypto/crc lib
  drivers/usb/common drivers/usb/core drivers/usb/host/xhci drivers/usb/storage fs/fat fs/nls
  fs/ext4 fs/jbd2 fs/mbcache
)
# Up to bookworm the storage driver is part of libvirt-daemon.
[[ $release == bookworm ]] || packages+=(libvirt-daemon-driver-storage)

say() { echo "$*" >&2; }
unable() {
  say "The lab cannot be built here: $*"
  exit 69
}

recipe=$(sha256sum "$here/root.sh")
root=$cache/roots/$release-${recipe:0:12}
mkdir -p "$cache/roots"

# Held until this process ends: a second caller waits here and then finds the root finished.
exec 9>"$cache/roots/.$release.lock"
flock 9

if [[ ! -d $root ]]; then
  command -v apt-get >/dev/null || unable 'it needs a machine with apt (Debian or Ubuntu)'
  missing=()
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ -e $keyring ]] || missing+=(debian-archive-keyring)
  if ((${#missing[@]})); then
    say "Installing ${missing[*]} on this machine (the only thing the lab installs outside its own folder)"
    {
      DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; }
    } >"$cache/roots/.apt.log" 2>&1 || unable "apt could not install ${missing[*]}, see $cache/roots/.apt.log"
  fi

  say "Building the lab's root file system (Debian $release, $expect) in $root"
  partial=$cache/roots/.partial-$release
  rm -rf --one-file-system "$partial"

  options=(
    --variant=minbase --mode=root --format=directory --quiet
    --keyring="$keyring"
    --include="$(IFS=,; echo "${packages[*]}")"
    --aptopt='Apt::Install-Recommends "false"'
    # A mirror's Release file may be past its date.
    --aptopt='Acquire::Check-Valid-Until "false"'
    --dpkgopt=force-unsafe-io
    --dpkgopt=path-exclude=/usr/share/doc/*
    --dpkgopt=path-exclude=/usr/share/man/*
    --dpkgopt=path-exclude=/usr/share/locale/*
    --dpkgopt=path-exclude='*/modules/*[0-9]-amd64/kernel/*'
  )
  for module in "${modules[@]}"; do options+=(--dpkgopt="path-include=*/modules/*[0-9]-amd64/kernel/$module*"); done
  proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)
  [[ -z $proxy ]] || options+=(--aptopt="Acquire::http::Proxy \"$proxy\"")

  # In namespaces of its own, so that an interrupted build leaves neither processes nor mounts.
  # INITRD=No: the guest has an initramfs of its own.
  INITRD=No setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
    mmdebstrap "${options[@]}" "$release" "$partial" >"$cache/roots/.$release.log" 2>&1 9>&- || {
    tail -n 5 "$cache/roots/.$release.log" >&2
    unable "mmdebstrap failed, see $cache/roots/.$release.log"
  }

  find "$partial"/lib/modules/ -type d -empty -delete
  cp -L /etc/resolv.conf "$partial/etc/resolv.conf"
  if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
    mkdir -p "$partial/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$partial/etc/ssl/certs/ca-certificates.crt"
  fi
  mv "$partial" "$root"
  say "Built in $SECONDS s, $(du -sm "$root" | cut -f1) MB"
fi

echo "$root"
