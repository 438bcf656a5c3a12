#!/bin/bash
# build.sh: runs in the lab's root; makes the guest's USB loader images in /var/lib/libvirt/images. loader.img has TCRP's
# layout: GRUB and DSM's kernel on the first partition, DSM's own files on the second, the image builder on the third;
# loader-rr.img has RR's (rr/image.sh).
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
image=/var/lib/libvirt/images/loader.img
# Seconds of GRUB's menu; TCRP has 5. Tests that want the menu ask for it (loader.menu in test/lab/loader.ts).
menu=0
# shellcheck source=test/lab/guest/initrd.sh
source "$here/initrd.sh"
# shellcheck source=test/lab/guest/builder/usr/lib/rploader/grub.sh
source "$here/builder/usr/lib/rploader/grub.sh"
# shellcheck source=test/lab/guest/rr/image.sh
source "$here/rr/image.sh"

dsm_initrd /tmp/rd.gz
builder_initrd /tmp/corepure64.gz

# The home as it was saved last: the configuration of the loader that is installed.
mkdir -p /tmp/saved/home /tmp/layer/etc
cp -R /tmp/builder/srv/home /tmp/saved/home/tc
settings=/tmp/saved/home/tc/user_config.json
jq '.general.model = "DS918+" | .extra_cmdline |= . + {pid: "0x0001", vid: "0x46f4", sn: "1780PDN000000",
  mac1: "525400D53001", SataPortMap: "1", DiskIdxMap: "10"}' /tmp/builder/srv/repo/user_config.json >"$settings"
tar -czf /tmp/mydata.tgz --owner=1001 --group=50 -C /tmp/saved home
echo '{"id":"ds918p-7.1.1-42962","build":0,"extensions":[]}' >/tmp/layer/etc/loader.json
custom_layer /tmp/layer >/tmp/custom.gz
grub_cfg DS918+ v7.1.1-42962 "$(dsm_line "$settings" DS918+ 0 USB)" "$(dsm_line "$settings" DS918+ 0 SATA)" "$menu" \
  >/tmp/grub.cfg
grub-editenv /tmp/grubenv create

cat >/tmp/early.cfg <<'CFG'
search --no-floppy --set=root --file /boot/grub/grub.cfg
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
CFG
grub-mkimage -O x86_64-efi -o /tmp/bootx64.efi -c /tmp/early.cfg -p '' \
  part_msdos fat search search_fs_file search_fs_uuid configfile normal linux boot efi_gop loadenv test true echo

# As TCRP's, but for the sizes of the second and the third, which are 75 and 900 MiB.
truncate -s 130M "$image"
sfdisk -q "$image" <<'TABLE'
label: dos
start=2048, size=98304, type=83, bootable
start=100352, size=32768, type=83
start=133120, size=131072, type=83
TABLE
first=$image@@1M second=$image@@49M third=$image@@65M
mformat -i "$first" -v TCRP1 -T 98304 -c 16 -h 16 -s 63 -H 2048 ::
mformat -i "$second" -v TCRP2 -T 32768 -h 16 -s 63 -H 100352 ::
mformat -i "$third" -v TCRP3 -N 6234C863 -T 131072 -c 16 -h 16 -s 63 -H 133120 ::

mmd -i "$first" ::/EFI ::/EFI/BOOT ::/boot ::/boot/grub
mcopy -i "$first" /tmp/bootx64.efi ::/EFI/BOOT/BOOTX64.EFI
mcopy -i "$first" /tmp/grub.cfg /tmp/grubenv ::/boot/grub
mcopy -i "$first" /boot/vmlinuz-*-cloud-amd64 ::/zImage
mcopy -i "$first" /tmp/rd.gz /tmp/custom.gz ::/

# What DSM brought; its updates come here.
echo 'DSM 7.1.1-42962 kernel' >/tmp/zImage
echo 'DSM 7.1.1-42962 ramdisk' >/tmp/pristine
mcopy -i "$second" /tmp/zImage ::/zImage
mcopy -i "$second" /tmp/pristine ::/rd.gz

mmd -i "$third" ::/cde ::/cde/optional ::/auxfiles ::/backup ::/lastsession ::/lab
: >/tmp/faults
mcopy -i "$third" /tmp/faults ::/lab
mcopy -i "$third" /boot/vmlinuz-*[0-9]-amd64 ::/vmlinuz64
mcopy -i "$third" /tmp/corepure64.gz /tmp/mydata.tgz "$settings" ::/

rr_image /var/lib/libvirt/images/loader-rr.img /tmp/rd.gz
