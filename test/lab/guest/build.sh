#!/bin/bash
# build.sh: runs in the lab's root; makes the guest's USB loader image, /var/lib/libvirt/images/loader.img.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
kernel=$(basename /lib/modules/*)
tree=/tmp/tree
image=/var/lib/libvirt/images/loader.img

cp -R "$here/rootfs" "$tree"
chmod +x "$tree/etc/init.d/rcS" "$tree/etc/acpi/PWRF/00000080" "$tree/control/cgi-bin/run" "$tree"/sbin/*
mkdir -p "$tree"/{bin,sbin,dev,proc,sys,tmp,run,www,modules}
cp /bin/busybox "$tree/bin/busybox"
for applet in $(busybox --list); do
  [[ $applet == busybox ]] || ln -s busybox "$tree/bin/$applet"
done
ln -s ../bin/busybox "$tree/sbin/init"
mknod -m 600 "$tree/dev/console" c 5 1

# Perl with what dsmd uses of it, which perl itself says, and nothing else.
cp --parents /usr/bin/perl "$tree"
# shellcheck disable=SC2016,SC2046 # Perl's variables; several options.
perl $(sed -n 's/^use \([A-Za-z:]*\);$/-M\1/p' "$tree/sbin/dsmd") -MErrno \
  -e 'print "$_\n" for grep { m{^/} } values %INC, @DynaLoader::dl_shared_objects' | while read -r file; do
  cp -L --parents "$file" "$tree"
done
find "$tree/usr" -name perl -o -name '*.so' | xargs ldd | tr -s '\t ' '\n' | grep '^/.*[^:]$' | sort -u | while read -r file; do
  cp -L --parents "$file" "$tree"
done

for module in virtio_pci virtio_scsi sd_mod virtio_net virtio_balloon button evdev; do
  modprobe -S "$kernel" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
  name=$(basename "${path%.xz}")
  case $path in
    *.xz) xz -dc "$path" >"$tree/modules/$name" ;;
    *) cp "$path" "$tree/modules/$name" ;;
  esac
  [[ $name != scsi_mod.ko ]] || name+=' scan=manual'
  echo "$name" >>"$tree/modules/order"
done
(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9) >/tmp/initrd

cat >/tmp/early.cfg <<'CFG'
search --no-floppy --set=root --file /vmlinuz
set prefix=($root)
configfile /grub.cfg
CFG
grub-mkimage -O x86_64-efi -o /tmp/bootx64.efi -c /tmp/early.cfg -p '' \
  part_msdos fat search search_fs_file configfile normal linux boot efi_gop

size=$(($(stat -L -c %s /vmlinuz /tmp/initrd /tmp/bootx64.efi | paste -sd+) + (4 << 20)))
truncate -s $((size + (1 << 20))) "$image"
sfdisk -q "$image" <<<'label: dos
start=1MiB, type=ef, bootable'
part=$image@@1M
mformat -i "$part" -v LOADER -T $((size / 512)) -h 16 -s 63 ::
mmd -i "$part" ::/EFI ::/EFI/BOOT
mcopy -i "$part" /tmp/bootx64.efi ::/EFI/BOOT/BOOTX64.EFI
mcopy -i "$part" "$here/grub.cfg" ::/grub.cfg
mcopy -i "$part" /vmlinuz ::/vmlinuz
mcopy -i "$part" /tmp/initrd ::/initrd
