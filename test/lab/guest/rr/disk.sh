# rr_disk FOLDER DSM-KERNEL DSM-INITRD: what is on the three partitions, but for what boots. Sourced, with `here`.

rr_disk() {
  local disk=$1 file addon
  # shellcheck source=test/lab/guest/rr/initrd/usr/lib/rr/layer.sh
  source "$here/rr/initrd/usr/lib/rr/layer.sh"
  mkdir -p "$disk"/p1/lab "$disk"/p2 "$disk"/p3/{addons,dl,lab,lkms,modules}
  cp -R "$here/rr/p1/." "$disk/p1"
  : >"$disk/p1/lab/faults"
  for file in "$disk"/p{1,2}/{GRUB_VER,grub_cksum.syno}; do echo 'PLATFORM="apollolake"' >"$file"; done
  { echo '# GRUB Environment Block' && head -c 999 /dev/zero | tr '\0' '#'; } >"$disk/p1/boot/grub/grubenv"

  # Two of each: as DSM has them, and as the loader has patched them.
  cp -L "$2" "$disk/p3/lab/zImage"
  cp "$3" "$disk/p3/lab/rd.gz"
  cp "$disk/p3/lab/zImage" "$disk/p2/zImage"
  dsm_layer 7.1.1-42962 1 | cat - "$3" >"$disk/p2/rd.gz"
  cp "$disk/p2/zImage" "$disk/p3/zImage-dsm"
  layer loader.json '{"version":"7.1.1-42962","build":"0","addons":[]}' | cat "$disk/p2/rd.gz" - >"$disk/p3/initrd-dsm"
  echo 0 >"$disk/p3/lab/build"
  for addon in acpid trivial vmtools monitor diskcompat mountloader powersched reboottoloader misc; do
    mkdir "$disk/p3/addons/$addon"
    : >"$disk/p3/addons/$addon/all.tgz"
  done
  sed -i "s|ZIMAGE|$(sha256sum <"$disk/p2/zImage" | cut -d ' ' -f 1)|; s|RAMDISK|$(sha256sum <"$disk/p2/rd.gz" | cut -d ' ' -f 1)|
    s|PATSUM|$(synology_pats | awk '$1 == "DS918+" && $2 ~ /^7.1.1/ { print $4 }')|" "$disk/p1/user-config.yml"
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
