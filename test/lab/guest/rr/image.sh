# rr_image FILE DSM-INITRD: the image of the RR loader; sourced by build.sh, whose functions and `here` it uses.
# shellcheck source=test/lab/guest/rr/disk.sh
source "$here/rr/disk.sh"

# rr_initrd FILE: its tree stays in /tmp/rr.
rr_initrd() {
  local tree=/tmp/rr
  mkdir "$tree"
  cp -R "$here/rootfs/control" "$tree"
  cp -R "$here/rr/initrd/." "$tree"
  box "$tree"
  mkdir -p "$tree/etc/dropbear"
  synology_pats >"$tree/srv/synology/pats"
  printf 'root:%s:19000::::::\n' "$(busybox mkpasswd -m sha512 rr)" >"$tree/etc/shadow"
  cp -L --parents /usr/sbin/{dropbear,kexec} /usr/bin/{dropbearkey,bash,flock,grub-editenv} "$tree"
  ln -s ../usr/bin/bash "$tree/bin/bash"
  libraries "$tree"
  modules "$tree" '*[0-9]-amd64' virtio_pci virtio_scsi sd_mod virtio_net virtio_balloon button evdev \
    xhci_pci usb_storage vfat nls_cp437 nls_ascii nls_utf8 ext4 crypto-crc32c
  pack "$tree" "$1"
}

rr_image() {
  local image=$1 disk=/tmp/disk
  rr_initrd /tmp/initrd-rr
  rr_disk $disk /boot/vmlinuz-*-cloud-amd64 "$2"
  mkdir -p $disk/p1/EFI/BOOT
  cp /tmp/initrd-rr $disk/p3/initrd-rr
  cp /boot/vmlinuz-*[0-9]-amd64 $disk/p3/bzImage-rr
  sed -i "s|@QUIET@|$quiet|" $disk/p1/boot/grub/grub.cfg

  cat >/tmp/rr-early.cfg <<'CFG'
search --no-floppy --set=root --label RR1
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
CFG
  grub-mkimage -O x86_64-efi -o $disk/p1/EFI/BOOT/BOOTX64.EFI -c /tmp/rr-early.cfg -p '' \
    part_msdos fat ext2 search search_label configfile normal linux boot efi_gop loadenv test true echo efifwsetup

  # As RR's, but for their sizes.
  truncate -s 180M "$image"
  sfdisk -q "$image" <<'TABLE'
label: dos
start=2048, size=32768, type=83, bootable
start=34816, size=65536, type=83
start=100352, size=262144, type=83
TABLE
  mformat -i "$image@@1M" -v RR1 -T 32768 -h 16 -s 63 -H 2048 ::
  mcopy -s -i "$image@@1M" $disk/p1/* ::/
  # GRUB cannot read what these tools do by default.
  mke2fs -q -t ext2 -L RR2 -E offset=$((17 << 20)) -d $disk/p2 "$image" 32M
  mke2fs -q -t ext4 -L RR3 -O ^metadata_csum_seed,^orphan_file -E offset=$((49 << 20)) -d $disk/p3 "$image" 128M
}
