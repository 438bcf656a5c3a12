# Extensions and the build itself, for rploader.sh.

added=redpill-load/custom/extensions

get_sources() {
  if [[ -d redpill-load ]]; then echo 'Loader sources already downloaded, pulling latest'; else echo "Cloning into 'redpill-load'..." >&2; fi
  mkdir -p "$added"
}

# add URL: a script of its own to the loader's sources.
add() {
  local name=${1%/*}
  name=${name##*/}
  print "[#] Adding new extension from $1... "
  if fault ext-unreachable || [[ $1 != */rpext-index.json ]]; then
    print "
[!] Failed to download $1 to /tmp/rpext-index.json

*** Process will exit ***"
    critical "Failed to add \"$1\" as an extension:"
  fi
  if [[ -e $added/$name ]]; then
    critical "Extension is already added (index exists at /home/tc/$added/$name/$name.json). For more info use \"ext-manager.sh info $name\""
  fi
  mkdir "$added/$name"
  echo "$1" >"$added/$name/url"
  print '[OK]'
  echo "Extension name: $name"
  echo 'Platforms supported: ds918p_42218 ds918p_42621 ds918p_42962'
}

# Virtio's and acpid's recipes end with 42962.
has_recipe() {
  ! fault no-recipe || return 1
  [[ $1 != redpill-@(virtio|acpid) ]] || ((revision <= 42962))
}

build_loader() (
  print '[#] Updating extensions... '
  for folder in "$added"/*/; do
    name=$(basename "$folder")
    has_recipe "$name" && continue
    print '[ERR]'
    print "[-] The extension $name was found. However, the extension index has no recipe for $key platform. It may not be"
    print '[!] Cannot continue due to previous errors (see above)'
    print "[!] Failed to update all extensions for $key platform"
    exit 1
  done
  print '[OK]'
  print '[#] Bundling extensions... '
  ! fault drop || sudo killall sshd
  ! fault reboot || sudo reboot -f
  print '[OK]'
  print "[#] Packing custom ramdisk layer to /home/tc/redpill-load/build/$release/custom.initrd.gz... [OK]"
  print '[#] Generating GRUB config... [OK]'
  print '[#] Creating loader image at loader.img... '
  if fault late-failure; then
    print '[ERR][!] One of the patches - bsp-0001 - failed to apply'
    exit 1
  fi
  print '[OK][#] Cleaning up... [OK]'
)

get_pat() {
  echo 'Checking for cached pat file'
  echo 'Could not find pat file locally cached'
  if fault no-space; then
    echo "No adequate space on /mnt/${disk}3/auxfiles to download file into cache folder, clean up the space and restart"
    exit 99
  fi
  echo "Downloading pat file from URL : https://global.download.synology.com/download/DSM/release/${release%-*}/$revision/DSM_${model/+/%2B}_$revision.pat"
  for percent in 0 25 50 75 100; do
    printf '\r%3d  341M  %3d  341M    0     0  21.3M      0  0:00:16  0:00:16 --:--:-- 22.0M' "$percent" "$percent" >&2
  done
  printf '\n' >&2
}

# install [withfriend]: the new menu on the first partition, and nothing else there but the layer.
install() {
  local part=localdiskp1 number=0 usb sata friend=''
  ! since 0.9.4.5 || friend=entry
  mkdir -p "$part"
  # Without its mount the files go to where they are lost, and nobody notices.
  if fault mount-failure; then
    echo 'ERROR: Failed to mount correctly all required partitions'
    mkdir -p "$part/boot/grub"
  else
    echo "Mounting /dev/${disk}1 to $part "
    sudo mount -t vfat -o umask=000 "/dev/${disk}1" "$part"
    if needs_friend "$1" && fault no-friend; then
      sudo umount "$part"
      echo 'Could not find friend files, exiting'
      exit 0
    fi
    [[ ! $(<"$part/boot/grub/grub.cfg") =~ loader_build=([0-9]+) ]] || number=$((BASH_REMATCH[1] + 1))
  fi
  usb=$(user-config line "$model" "$number" USB)
  sata=$(user-config line "$model" "$number" SATA)
  if fault first-partition-full; then
    echo "cp: error writing 'localdiskp1/custom.gz': No space left on device" >&2
  else
    echo "layer $number" >"$part/custom.gz"
    echo 'Creating tinycore entry'
    grub_cfg "$model" "$(menu_version "$release")" "$usb" "$sata" 5 "$friend" >"$part/boot/grub/grub.cfg"
  fi
  echo 'Entries in Localdisk bootloader : '
  grep menuentry "$part/boot/grub/grub.cfg"
  sync
  if fault mount-failure; then rm -r "$part"; else sudo umount "$part"; fi
  user-config set .general.usb_line "$usb" .general.sata_line "$sata"
  # An empty configuration has no lines to be read again.
  [[ -s user_config.json ]] || usb='' sata=''
  echo "Updated user_config with USB Command Line : $usb"
  echo "Updated user_config with SATA Command Line : $sata"
}

build() {
  get_vars "$1"
  check_internet
  printf 'Checking if a newer version exists on the main repo -> '
  if fault self-update; then
    printf 'There is a newer version of the script on the repo should we use that ? [yY/nN]'
    if answered; then
      echo 'OK, updating, please re-run after updating'
      filetool.sh -b "${disk}3"
      exit
    fi
  else
    echo 'Version is current'
  fi
  get_sources
  echo 'No extra build option or static specified, using default <static> '
  echo 'Using static compiled redpill extension'
  if fault custom-module && ask 'Found custom redpill module, do you want to use this instead ? [yY/nN] : '; then
    echo 'Using the custom module'
  fi
  echo "Looking for redpill for : $key "
  ! fault unknown-prompt || ask 'Do you want to migrate your settings to the new format ? [yY/nN] : ' || true
  if fault odd-end; then
    echo 'Nobody has ever said this: sn=1780PDN000000 mac1=525400D53001'
    exit 7
  fi
  echo 'Starting loader creation '
  printf 'Checking user_config.json : '
  if ! user-config check; then
    echo 'Error : Problem found in user_config.json'
    exit 99
  fi
  echo 'Done'
  echo 'Removing bundled exts directories'
  ! fault silence || sleep 100000
  get_extractor
  get_pat
  open_pat "$key" "/home/tc/redpill-load/config/$model/$release/config.json"
  # A second build hears that they are there, and goes on; whatever else fails, too.
  for url in $(own_extensions); do (add "$url"); done
  for url in $(own_extensions); do (own_extension_comes "$(basename "${url%/*}")" "$key"); done
  if ! build_loader; then
    echo 'FAILED : Loader creation failed check the output for any errors'
    exit 99
  fi
  install "$2"
  echo 'Cleaning up files'
  echo 'Caching files for future use'
  echo 'Saving user session for future use. Saving current extensions  -> OK !'
  echo 'Saving current user_config.json  -> OK !'
}
