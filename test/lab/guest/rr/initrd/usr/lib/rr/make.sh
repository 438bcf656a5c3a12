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
    echo "$(TEXT 'Ready!')"
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
  sleep 3
}

in_the_middle() {
  if fault drop; then killall dropbear; fi
  if fault reboot; then reboot -f; fi
  if fault silence; then sleep 100000; fi
  if fault unknown-prompt; then
    echo -n 'Do you want to keep the old kernel? [y/N] '
    head -c 1 </dev/tty
  fi
}

internet() { failed "$(TEXT 'Check internet.')" "$(TEXT Error): $1" '(Please via https://curl.se/libcurl/c/libcurl-errors.html check error description.)'; }
meter() {
  pace
  printf '\r%3d  341M  %3d  341M    0     0  21.3M      0  0:00:16  0:00:16 --:--:-- 22.0M' "$1" "$1" >&2
}

# The PAT, and what is in it.
fetch_dsm() {
  local url sum name file version number
  url=$(readConfigKey paturl "$USER_CONFIG_FILE") sum=$(readConfigKey patsum "$USER_CONFIG_FILE")
  name=$MODEL-$PRODUCTVER.pat file=$PART3_PATH/dl/$name
  mkdir -p "$PART3_PATH/dl"
  [ ! -f "$file.downloading" ] || rm -f "$file" "$file.downloading"
  if [ -f "$file" ]; then
    printf '%s cached.' "$name"
  else
    if [ -z "$url" ] || [ "${url:0:1}" = '#' ]; then
      failed "$(TEXT "The pat url is empty. Please re 'Choose a version' before build.")"
      return
    fi
    download "$url" "$file" "$name" || return
  fi
  printf 'Checking hash of %s:' "$name"
  if fault pat-md5 || { [ "$sum" != 00000000000000000000000000000000 ] && [ "$sum" != "$(md5sum "$file" | cut -d ' ' -f 1)" ]; }; then
    failed "$(TEXT 'md5 hash of pat not match, Please reget pat data from the version menu and try again!')"
    return
  fi
  echo OK
  printf 'Disassembling %s:' "$name"
  if fault pat-corrupt; then
    failed "$(TEXT 'Could not determine if pat file is encrypted or not, maybe corrupted, try again!')"
    return
  fi
  TEXT Encrypted
  printf 'Disassembling %s:' "$name"
  TEXT 'Extractor cached.'
  TEXT 'Extracting ...'
  if fault pat-invalid; then
    failed "$(TEXT 'pat Invalid, try again!')" "$(TEXT Error): 1"
    return
  fi
  echo 'Setting hash:OK'
  read -r version number <"$file"
  unpack "$version" "$number"
  hashes
  echo 'Copying files:OK'
}

download() {
  local url=$1 file=$2 name=$3 percent
  printf 'Downloading %s ...\n' "$name"
  touch "$file.downloading"
  printf '  %% Total    %% Received %% Xferd  Average Speed   Time    Time     Time  Current\n' >&2
  printf '                                 Dload  Upload   Total   Spent    Left  Speed\n' >&2
  if fault no-internet; then
    echo 'curl: (6) Could not resolve host: global.synologydownload.com' >&2
  else
    for percent in 0 20 40; do meter $percent; done
    if fault pat-stalls; then sleep 100000; fi
    if fault pat-breaks; then printf '\ncurl: (18) transfer closed with 209715200 bytes remaining to read\n' >&2; fi
  fi
  rm -f "$file.downloading"
  ! fault no-internet || internet 6:0 || return
  ! fault pat-breaks || internet 18:200 || return
  if ! grep -qF " $url " $synology/pats; then
    internet 0:404
    return
  fi
  for percent in 60 80 100; do meter $percent; done
  printf '\n' >&2
  # The archive of the lab: what it would unpack to.
  awk -v url="$url" '$3 == url { split($2, part, "-"); print part[1] "-" part[2], part[3] }' $synology/pats >"$file"
}

# unpack VERSION NUMBER: the two files of that DSM, on the second partition.
unpack() {
  dsm_layer "$1" "$2" | cat - "$PART3_PATH/lab/rd.gz" >"$ORI_RDGZ_FILE"
  cp "$PART3_PATH/lab/zImage" "$ORI_ZIMAGE_FILE"
  rm -f "$MOD_ZIMAGE_FILE" "$MOD_RDGZ_FILE"
  for path in "$PART1_PATH" "$PART2_PATH"; do
    echo "PLATFORM=\"$PLATFORM\"" >"$path/GRUB_VER"
    echo cksum >"$path/grub_cksum.syno"
  done
}
