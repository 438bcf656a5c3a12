# build ID [static|withfriend|…]: the whole of it. It neither saves the home nor reboots, and says at no point that it is done.

build() {
  get_vars "$1"
  check_internet
  check_version
  get_sources
  static_module "$2"
  say 'It looks that you will need the following modules : '
  say 'virtio_net virtio_scsi'
  ! fault unknown-prompt || ask 'Do you want to migrate your settings to the new format ? [yY/nN] : ' || true
  say 'Starting loader creation '
  check_config
  say 'Removing bundled exts directories'
  ! fault silence || sleep 100000
  get_extractor
  get_pat
  open_pat "$key" "/home/tc/redpill-load/config/$model/$release/config.json"
  add_required
  if ! build_loader; then
    echo 'FAILED : Loader creation failed check the output for any errors'
    exit 99
  fi
  install "$2"
  say 'Cleaning up files'
  say 'Caching files for future use'
  say "Found $key.pat, copying to cache directory : $auxfiles"
  save_session
}

static_module() {
  say 'No extra build option or static specified, using default <static> '
  say 'Using static compiled redpill extension'
  if fault custom-module || [ -e "$auxfiles/redpill.ko" ]; then
    if ask 'Found custom redpill module, do you want to use this instead ? [yY/nN] : '; then
      say 'Using the custom module'
      return 0
    fi
  fi
  say "Looking for redpill for : $key "
  say "Getting file https://raw.githubusercontent.com/pocopico/rp-ext/master/redpill/releases/redpill-$key.tgz"
}

# An empty file is no problem to jq, and none here.
check_config() {
  printf 'Checking user_config.json : '
  if ! jq -s . user_config.json >/dev/null; then
    echo 'Error : Problem found in user_config.json'
    exit 99
  fi
  echo 'Done'
}

get_pat() {
  local pat=$auxfiles/$key.pat
  say 'Checking for cached pat file'
  if [ -e "$pat" ] && ! fault no-space; then
    say "Found locally cached pat file $pat"
  else
    say 'Could not find pat file locally cached'
    if fault no-space; then
      echo "No adequate space on $auxfiles to download file into cache folder, clean up the space and restart"
      exit 99
    fi
    say "Downloading pat file from URL : https://global.download.synology.com/download/DSM/release/${release%-*}/$revision/DSM_$(model_of "$id" | sed 's/+/%2B/')_$revision.pat"
    for percent in 0 20 40 60 80 100; do
      pace
      printf '\r%3d  341M  %3d  341M    0     0  21.3M      0  0:00:16  0:00:16 --:--:-- 22.0M' $percent $percent >&2
    done
    printf '\n' >&2
    echo "$key" >"$pat"
  fi
  say "File $pat, is a Tar file"
}

# As the loader sources have it: a script of its own, mostly on stderr.
build_loader() (
  update_extensions || exit 1
  begin 'Bundling extensions'
  if fault drop; then sudo killall dropbear; fi
  if fault reboot; then sudo reboot -f; fi
  done_
  begin "Packing custom ramdisk layer to /home/tc/redpill-load/build/$release/custom.initrd.gz"
  done_
  begin 'Generating GRUB config'
  done_
  begin 'Creating loader image at loader.img'
  if fault late-failure; then
    failed
    print 31 '[!] One of the patches - bsp-0001 - failed to apply'
    exit 1
  fi
  done_
  begin 'Cleaning up'
  done_
)

# What the next boot starts: the new kernel line and the new layer, on the first partition.
install() {
  local part=/home/tc/localdiskp1 work number timeout usb sata friend=''
  ! since 0.9.4.5 || friend=entry
  [ "$1" != withfriend ] || friend=friend
  mkdir -p "$part"
  # Without its mount the files go to where they are lost, and nobody notices.
  if fault mount-failure; then
    say 'ERROR: Failed to mount correctly all required partitions'
    mkdir -p "$part/boot/grub"
  else
    say "Mounting /dev/${disk}1 to localdiskp1 "
    sudo mount -t vfat -o umask=000 "/dev/${disk}1" "$part"
    ! needs_friend "$1" || bring_friend "$part"
  fi
  number=$(sed -n 's/.* loader_build=\([0-9]*\).*/\1/p' "$part/boot/grub/grub.cfg" 2>/dev/null | head -n 1)
  timeout=$(sed -n 's/^set timeout="\(.*\)"/\1/p' "$part/boot/grub/grub.cfg" 2>/dev/null)
  number=$((${number:-0} + 1))
  usb=$(dsm_line user_config.json "$model" "$number" USB)
  sata=$(dsm_line user_config.json "$model" "$number" SATA)

  work=$(mktemp -d)
  mkdir -p "$work/etc"
  jq -n --arg id "$id" --arg build "$number" '{id: $id, build: $build, extensions: $ARGS.positional}' \
    --args $(ls "$added") >"$work/etc/loader.json"
  if fault first-partition-full; then
    echo "cp: error writing 'localdiskp1/custom.gz': No space left on device" >&2
  else
    custom_layer "$work" >"$part/custom.gz"
    say 'Creating tinycore entry'
    grub_cfg "$model" "$(menu_version "$release")" "$usb" "$sata" "${timeout:-5}" "$friend" >"$part/boot/grub/grub.cfg"
  fi
  say 'Entries in Localdisk bootloader : '
  say '======================================================================='
  grep menuentry "$part/boot/grub/grub.cfg"
  rm -r "$work"
  sync
  if fault mount-failure; then rm -r "$part"; else sudo umount "$part"; fi

  set_config .general.usb_line "$usb"
  set_config .general.sata_line "$sata"
  say "Updated user_config with USB Command Line : $(jq -r .general.usb_line user_config.json)"
  say "Updated user_config with SATA Command Line : $(jq -r .general.sata_line user_config.json)"
}

# bring_friend FOLDER: where the first partition is mounted.
bring_friend() {
  say 'Bringing over my friend'
  if fault no-friend; then
    sudo umount "$1"
    echo 'Could not find friend files, exiting'
    exit 0
  fi
  say 'bzImage-friend checksum OK !'
  say 'initrd-friend checksum OK !'
  say "Copying friend to /mnt/${disk}3"
}

save_session() {
  mkdir -p "/mnt/${disk}3/lastsession"
  printf 'Saving user session for future use. Saving current extensions '
  for folder in "$added"/*/; do jq -r .url "$folder"*.json; done >"/mnt/${disk}3/lastsession/extensions.list"
  echo ' -> OK !'
  printf 'Saving current user_config.json '
  cp user_config.json "/mnt/${disk}3/lastsession/user_config.json"
  cp user_config.json "/mnt/${disk}3/user_config.json"
  sync
  echo ' -> OK !'
}
