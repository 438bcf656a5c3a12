# make: DSM's kernel and ramdisk, fetched where they are not there, and patched.

make() {
  rm -f "$LOG_FILE"
  build 2>&1 | DIALOG --title "$(TEXT 'Main menu')" --progressbox "$(TEXT "Making ... ('ctrl + c' to exit)")" 20 100
  [ -f "$LOG_FILE" ] || return 0
  message "$(TEXT Error)" "$(cat "$LOG_FILE")"
  rm -f "$LOG_FILE"
  return 1
}

build() {
  if fault stale-success; then
    TEXT 'Ready!'
    return
  fi
  if [ ! -f "$ORI_ZIMAGE_FILE" ] || [ ! -f "$ORI_RDGZ_FILE" ]; then fetch_dsm || return; fi
  if fault no-space; then
    failed "$(TEXT 'No disk space left, please clean the cache and try again!')"
    return
  fi
  if [ -f "$PART1_PATH/.upgraded" ]; then
    TEXT 'Reconfigure after upgrade ...'
    if ! reconfigure; then
      failed "$(TEXT 'Reconfiguration failed!')"
      return
    fi
    rm -f "$PART1_PATH/.upgraded"
  fi
  patch_ramdisk && in_the_middle && patch_zimage || return
  rm -f "$PART1_PATH/.build"
  TEXT 'Cleaning ...'
  TEXT 'Ready!'
}

in_the_middle() {
  if fault drop; then killall dropbear; fi
  if fault reboot; then reboot -f; fi
  if fault silence; then sleep 100000; fi
  if fault unknown-prompt; then
    printf 'Do you want to keep the old kernel? [y/N] '
    if (: </dev/tty) 2>/dev/null; then head -c 1 </dev/tty >/dev/null; else sleep 100000; fi
  fi
}

# The PAT, and what is in it.
fetch_dsm() {
  local url sum name file
  url=$(readConfigKey paturl "$USER_CONFIG_FILE") sum=$(readConfigKey patsum "$USER_CONFIG_FILE")
  name=$MODEL-$PRODUCTVER.pat file=$PART3_PATH/dl/$name
  mkdir -p "$PART3_PATH/dl"
  if [ -f "$file" ] && [ -f "$file.downloading" ]; then rm -f "$file" "$file.downloading"; fi
  if [ -f "$file" ]; then
    printf '%s cached.' "$name"
  elif [ -z "$url" ] || [ "${url:0:1}" = '#' ]; then
    failed "$(TEXT "The pat url is empty. Please re 'Choose a version' before build.")"
    return
  else
    download "$url" "$file" "$name" || return
  fi
  check_sum "$sum" "$file" "$name" && extract "$file" "$name"
}

# download URL FILE NAME: in the lab an archive is a line with the version that is in it.
download() {
  local url=$1 file=$2 end=0:200 percent
  ! fault no-internet || TEXT 'The current network status is unknown, using the default mirror.'
  printf "$(TEXT 'Downloading %s ...')\n" "$3"
  touch "$file.downloading"
  printf '%s\n' '  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current' \
    '                                 Dload  Upload   Total   Spent    Left  Speed'
  if fault no-internet; then
    meter 0
    echo 'curl: (6) Could not resolve host: global.synologydownload.com'
    end=6:0
  elif ! grep -qF " $url " "$synology/pats"; then
    end=0:404
  else
    awk -v url="$url" '$3 == url { split($2, part, "-"); print part[1] "-" part[2], part[3] }' "$synology/pats" >"$file"
    for percent in 0 20 40; do meter $percent; done
    if fault pat-stalls; then sleep 100000; fi
    if fault pat-breaks; then
      printf '\ncurl: (18) transfer closed with 209715200 bytes remaining to read\n'
      end=18:200
    else
      for percent in 60 80 100; do meter $percent; done
      echo
      ! fault pat-md5 || echo x >>"$file"
    fi
  fi
  rm -f "$file.downloading"
  [ $end != 0:200 ] || return 0
  rm -f "$file"
  no_internet $end
}
# no_internet CURL:HTTP
no_internet() {
  failed "$(TEXT 'Check internet.')" "$(TEXT Error): $1" \
    "$(TEXT '(Please via https://curl.se/libcurl/c/libcurl-errors.html check error description.)')"
}
meter() {
  pace
  printf '\r%3d  341M  %3d  341M    0     0  21.3M      0  0:00:16  0:00:16 --:--:-- 22.0M' "$1" "$1"
}

# check_sum MD5 FILE NAME
check_sum() {
  local sum
  printf "$(TEXT 'Checking hash of %s:')" "$3"
  sum=$(md5sum "$2" | cut -d ' ' -f 1)
  if [ "$1" = 00000000000000000000000000000000 ]; then
    writeConfigKey patsum "$sum" "$USER_CONFIG_FILE"
  elif [ "$1" != "$sum" ]; then
    failed "$(TEXT 'md5 hash of pat not match, Please reget pat data from the version menu and try again!')"
    return
  fi
  echo OK
}

# extract FILE NAME
extract() {
  local version number
  printf "$(TEXT 'Disassembling %s:')" "$2"
  if fault pat-corrupt; then
    failed "$(TEXT 'Could not determine if pat file is encrypted or not, maybe corrupted, try again!')"
    return
  fi
  TEXT Encrypted
  printf "$(TEXT 'Disassembling %s:')" "$2"
  if fault no-extractor; then
    TEXT 'Downloading old pat to extract synology .pat extractor...'
    echo 'curl: (52) Empty reply from server'
    no_internet 52:0
    return
  fi
  TEXT 'Extractor cached.'
  TEXT 'Extracting ...'
  if fault pat-invalid; then
    failed "$(TEXT 'pat Invalid, try again!')" "$(TEXT Error): 255"
    return
  fi
  printf '%sOK\n' "$(TEXT 'Setting hash:')"
  read -r version number <"$1"
  printf '%s' "$(TEXT 'Copying files:')"
  copy_files "$version" "$number"
  echo OK
}

# copy_files VERSION NUMBER: the two files of that DSM, on the second partition. No copy stops it.
copy_files() {
  local file
  rm -f "$ORI_ZIMAGE_FILE" "$ORI_RDGZ_FILE" "$MOD_ZIMAGE_FILE" "$MOD_RDGZ_FILE"
  for file in "$PART1_PATH"/{GRUB_VER,grub_cksum.syno} "$PART2_PATH"/{GRUB_VER,grub_cksum.syno,zImage,rd.gz}; do
    case $file in
      "$PART1_PATH"/*) fault first-partition-full ;;
      *) fault second-partition-full ;;
    esac || continue
    : >"$file"
    echo "cp: error writing '${file#"$CHROOT_PATH"}': No space left on device"
  done
  fault first-partition-full || echo "PLATFORM=\"$PLATFORM\"" | tee "$PART1_PATH/GRUB_VER" >"$PART1_PATH/grub_cksum.syno"
  if ! fault second-partition-full; then
    echo "PLATFORM=\"$PLATFORM\"" | tee "$PART2_PATH/GRUB_VER" >"$PART2_PATH/grub_cksum.syno"
    cp "$PART3_PATH/lab/zImage" "$ORI_ZIMAGE_FILE"
    dsm_layer "$1" "$2" | cat - "$PART3_PATH/lab/rd.gz" >"$ORI_RDGZ_FILE"
  fi
  writeConfigKey zimage-hash "$(sha_of "$ORI_ZIMAGE_FILE")" "$USER_CONFIG_FILE"
  writeConfigKey ramdisk-hash "$(sha_of "$ORI_RDGZ_FILE")" "$USER_CONFIG_FILE"
}
