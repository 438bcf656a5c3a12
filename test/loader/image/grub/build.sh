#!/bin/bash
# build.sh IMAGE FOLDER: runs in the lab; makes a loader image as TinyCore RedPill's is (an MBR, three FAT partitions of
# its sizes, GRUB on the first), with FOLDER/grub.cfg and, if there is one, FOLDER/grubenv in /boot/grub. The files in
# FOLDER/p1 and FOLDER/p3 come into the root of the partition; the third has the label in FOLDER/label.
set -euo pipefail
image=$1 folder=$2

cat >"$folder/early.cfg" <<'CFG'
search --no-floppy --set=root --file /boot/grub/grub.cfg
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
CFG
grub-mkimage -O x86_64-efi -o "$folder/bootx64.efi" -c "$folder/early.cfg" -p '' \
  part_msdos fat search search_fs_file search_fs_uuid search_label configfile normal loadenv test true echo halt \
  serial terminal

truncate -s 1G "$image"
sfdisk -q "$image" <<'TABLE'
label: dos
start=2048, size=98304, type=83, bootable
start=100352, size=153600, type=83
start=253952, size=1843200, type=83
TABLE
format() { mformat -i "$image@@$(($1 * 512))" -v "$3" -N "$4" -T "$2" -h 255 -s 63 -H "$1" ::; }
format 2048 98304 RP1 6234C861
format 100352 153600 RP2 6234C862
format 253952 1843200 "$(cat "$folder/label" 2>/dev/null || echo RP3)" 6234C863

part=$image@@1M
mmd -i "$part" ::/EFI ::/EFI/BOOT ::/boot ::/boot/grub
mcopy -i "$part" "$folder/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
mcopy -i "$part" "$folder/grub.cfg" ::/boot/grub/grub.cfg
[[ ! -e $folder/grubenv ]] || mcopy -i "$part" "$folder/grubenv" ::/boot/grub/grubenv
head -c 9000000 /dev/urandom >"$folder/zImage"
mcopy -i "$part" "$folder/zImage" ::/zImage

shopt -s dotglob nullglob
first=("$folder"/p1/*) third=("$folder"/p3/*)
((${#first[@]} == 0)) || mcopy -i "$part" "${first[@]}" ::/
((${#third[@]} == 0)) || mcopy -i "$image@@124M" "${third[@]}" ::/
