#!/bin/bash
# disk.sh RR FOLDER: what is on the second and the third partition, in FOLDER/p2 and FOLDER/p3. RR: the lab's files of it.
set -e
. "$1/initrd/usr/lib/rr/layer.sh"
cd "$2"
mkdir -p p2 p3/{addons,dl,lab}
echo 'the kernel of DSM' >p3/lab/zImage
gzip <<<'the ramdisk of DSM' >p3/lab/rd.gz
echo 0 >p3/lab/build
cp p3/lab/zImage p2/zImage
dsm_layer 7.1.1-42962 1 | cat - p3/lab/rd.gz >p2/rd.gz
cp p2/zImage p3/zImage-dsm
cp p2/rd.gz p3/initrd-dsm
for addon in acpid trivial vmtools monitor diskcompat mountloader powersched reboottoloader misc; do
  mkdir "p3/addons/$addon"
  : >"p3/addons/$addon/all.tgz"
done
