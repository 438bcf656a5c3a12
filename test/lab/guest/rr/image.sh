# rr_image FILE DSM-INITRD: the image of the RR loader; sourced by build.sh, whose functions and `here` it uses.

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
    xhci_pci usb_storage vfat nls_cp437 nls_ascii nls_utf8 ext4 crc32c_generic
  pack "$tree" "$1"
}

# MODEL VERSION URL MD5: what Synology's site lists. In the lab an archive is a line with its version.
synology_pats() {
  local model version release folder
  while read -r model _; do
    for version in 7.0.1-42218-0 7.1.0-42661-1 7.1.1-42962-1 7.2.0-64570-1 7.2.1-69057-1 7.2.2-72806-0 7.3.2-86009-0 7.4.0-90075-0; do
      release=${version%%-*} folder=${version#*-}
      echo "$model $version https://global.synologydownload.com/download/DSM/release/${release%.0}/${folder%-0}/DSM_${model/+/%2B}_${folder%-*}.pat $(md5sum <<<"${version%-*} ${version##*-}" | cut -d ' ' -f 1)"
    done
  done <"$here/rr/initrd/srv/synology/models"
}

rr_image() {
  local image=$1 disk=/tmp/disk
  rr_initrd /tmp/initrd-rr
  mkdir -p $disk/p1/EFI/BOOT $disk/p1/lab $disk/p2 $disk/p3/{addons/VERSION,dl,lab,lkms,modules}
  cp -R "$here/rr/p1/." $disk/p1
  rmdir $disk/p3/addons/VERSION

  # Two DSM kernels and ramdisks: as DSM has them, and as the loader has patched them.
  cp -L /boot/vmlinuz-*-cloud-amd64 $disk/p3/lab/zImage
  cp "$2" $disk/p3/lab/rd.gz
  # shellcheck source=test/lab/guest/rr/initrd/usr/lib/rr/layer.sh
  source "$here/rr/initrd/usr/lib/rr/layer.sh"
  dsm_layer 7.1.1-42962 1 | cat - "$2" >$disk/p2/rd.gz
  cp $disk/p3/lab/zImage $disk/p2/zImage
  layer loader.json '{"version":"7.1.1-42962","build":"0","addons":[]}' | cat $disk/p2/rd.gz - >$disk/p3/initrd-dsm
  cp $disk/p2/zImage $disk/p3/zImage-dsm
  echo 0 >$disk/p3/lab/build
  cp /tmp/initrd-rr $disk/p3/initrd-rr
  cp /boot/vmlinuz-*[0-9]-amd64 $disk/p3/bzImage-rr
  for addon in acpid trivial vmtools monitor diskcompat mountloader powersched reboottoloader misc; do mkdir $disk/p3/addons/$addon; done

  sed -i "s|@QUIET@|$quiet|" $disk/p1/boot/grub/grub.cfg
  sed -i "s|ZIMAGE|$(sha256sum <$disk/p2/zImage | cut -d ' ' -f 1)|; s|RAMDISK|$(sha256sum <$disk/p2/rd.gz | cut -d ' ' -f 1)|
    s|PATSUM|$(awk '$1 == "DS918+" && $2 ~ /^7.1.1/ { print $4 }' /tmp/rr/srv/synology/pats)|" $disk/p1/user-config.yml
  grub-editenv $disk/p1/boot/grub/grubenv create
  : >$disk/p1/lab/faults

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
