# The initramfs of DSM and that of the image builder; sourced by build.sh, whose `here` it uses.

# dsm_initrd FILE
dsm_initrd() {
  local tree=/tmp/dsm
  cp -R "$here/rootfs" "$tree"
  mkdir "$tree/www"
  box "$tree"
  # Perl with what dsmd uses of it, which perl itself says, and nothing else.
  cp --parents /usr/bin/perl "$tree"
  # shellcheck disable=SC2016,SC2046 # Perl's variables; several options.
  perl $(sed -n 's/^use \([A-Za-z:]*\);$/-M\1/p' "$tree/sbin/dsmd") -MErrno \
    -e 'print "$_\n" for grep { m{^/} } values %INC, @DynaLoader::dl_shared_objects' | while read -r file; do
    cp -L --parents "$file" "$tree"
  done
  libraries "$tree"
  modules "$tree" '*-cloud-amd64' virtio_pci virtio_scsi sd_mod virtio_net virtio_balloon button evdev
  pack "$tree" "$1"
}

# builder_initrd FILE: its tree stays in /tmp/builder.
builder_initrd() {
  local tree=/tmp/builder
  mkdir "$tree"
  cp -R "$here/rootfs/control" "$tree"
  cp -R "$here/builder/." "$tree"
  box "$tree"
  mkdir -p "$tree"/{home,root,etc/dropbear,srv/repo/extensions}
  # The home comes from the disk at each boot, and from the repository in a fullupgrade.
  mv "$tree/home/tc" "$tree/srv/home"
  known_platforms "$tree/srv/home" "$tree/srv/repo/extensions"
  cp "$tree"/srv/home/* "$tree/srv/repo"
  printf 'root::19000::::::\ntc:%s:19000::::::\n' "$(busybox mkpasswd -m sha512 'P@ssw0rd')" >"$tree/etc/shadow"
  # Set-uid for su; it drops that for everything else.
  chmod 4755 "$tree/bin/busybox"
  cp --parents /usr/sbin/dropbear /usr/bin/{dropbearkey,jq} "$tree"
  libraries "$tree"
  modules "$tree" '*[0-9]-amd64' virtio_pci virtio_scsi sd_mod virtio_net virtio_balloon button evdev \
    xhci_pci usb_storage vfat nls_cp437 nls_ascii nls_utf8
  pack "$tree" "$1"
}

# known_platforms HOME EXTENSIONS: the ids that the script knows, and the platforms that have a recipe.
known_platforms() {
  local model version key ids=() jun=() keys=()
  for model in ds3615xs ds918p ds920p dva1622 ds3617xs ds3622xsp rs4021xsp ds1621p ds2422p dva3221; do
    for version in 7.0.1-42218 7.1.0-42621 7.1.0-42661 7.1.1-42951 7.1.1-42962; do
      ids+=("$model-$version") keys+=("${model}_${version#*-}")
    done
    jun+=("$model-7.0.1-42218-JUN")
  done
  jq -n '{build_configs: [$ARGS.positional[] | {id: .}]}' --args ds918p-7.0-41890 "${ids[@]}" >"$1/custom_config.json"
  jq -n '{build_configs: [$ARGS.positional[] | {id: .}]}' --args "${jun[@]}" >"$1/custom_config_jun.json"
  printf '%s\n' "${keys[@]}" | tee "$2"/{all-modules,eudev,disks,misc,redpill-misc,redpill-virtio} >/dev/null
  # As it is: this one has been forgotten in places.
  for key in "${keys[@]}"; do
    [[ $key == ds918p_42951 || $key == dva* ]] || echo "$key"
  done >"$2/redpill-acpid"
}

# box TREE: busybox and what every tree has.
box() {
  local applet
  grep -rlIZ '^#!' "$1" | xargs -0 chmod +x
  mkdir -p "$1"/{bin,sbin,dev,proc,sys,tmp,run,modules,etc/acpi}
  cp /bin/busybox "$1/bin/busybox"
  for applet in $(busybox --list); do
    [[ $applet == busybox ]] || ln -s busybox "$1/bin/$applet"
  done
  ln -s ../bin/busybox "$1/sbin/init"
  mknod -m 600 "$1/dev/console" c 5 1
  chmod 1777 "$1/tmp"
}

# libraries TREE: those of the programs in it.
libraries() {
  find "$1/usr" -type f \( -name perl -o -name 'dropbear*' -o -name jq -o -name bash -o -name flock -o -name kexec -o -name grub-editenv -o -name '*.so' \) | xargs ldd | tr -s '\t ' '\n' | grep '^/.*[^:]$' | sort -u |
    while read -r file; do cp -L --parents "$file" "$1"; done
}

# modules TREE KERNEL MODULE…: in the order in which they load; their disks are looked for by hand.
modules() {
  local tree=$1 kernel path name module
  # shellcheck disable=SC2086 # It is a pattern.
  kernel=$(cd /lib/modules && echo $2)
  shift 2
  for module; do modprobe -S "$kernel" --show-depends "$module"; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    name=$(basename "${path%.xz}")
    case $path in
      *.xz) xz -dc "$path" >"$tree/modules/$name" ;;
      *) cp "$path" "$tree/modules/$name" ;;
    esac
    [[ $name != scsi_mod.ko ]] || name+=' scan=manual'
    echo "$name" >>"$tree/modules/order"
  done
}

pack() { (cd "$1" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9) >"$2"; }
