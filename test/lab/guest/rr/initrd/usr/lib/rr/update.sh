# The loader's own update, and what tidies up.

updateMenu() {
  local title file answer
  printf 'r "Update RR (%s)"\n' "$RR_VERSION" >"$TMP_PATH/menu"
  ask "$(TEXT Update)" "$1" --menu "$(TEXT 'Manually uploading update*.zip,addons*.zip,modules*.zip,rp-lkms*.zip,rr-cks*.zip to /tmp/ will skip the download.\n')" \
    0 0 0 --file "$TMP_PATH/menu" || return 1
  title='Update RR'
  file=$(ls "$PART3_PATH"/update*.zip "$TMP_PATH"/update*.zip 2>/dev/null | sort -V | tail -n 1)
  if [ -z "$file" ]; then
    info "$title" "$(TEXT 'Checking last version ...')"
    message "$title" "Error checking new version.
Error:
Tag is latest"
    return 0
  fi
  updateRR "$title" "$file" && rm -f "$PART3_PATH"/update*.zip "$TMP_PATH"/update*.zip
  return 0
}

updateRR() {
  local folder=$TMP_PATH/update
  info "$1" "$(TEXT 'Extracting update file ...')"
  rm -rf "$folder"
  mkdir -p "$folder"
  if ! unzip -oq "$2" -d "$folder" >"$LOG_FILE" 2>&1; then
    message "$1" "Error extracting update file.
Error:
$(cat "$LOG_FILE")"
    return 1
  fi
  rm -f "$2"
  if ! (cd "$folder" && sha256sum -c sha256sum >/dev/null 2>&1); then
    message "$1" "$(TEXT 'Checksum do not match!')"
    rm -rf "$folder"
    return 1
  fi
  if [ -f "$folder/update-check.sh" ] && ! bash "$folder/update-check.sh"; then
    message "$1" "$(TEXT 'The current version does not support upgrading to the latest update.zip. Please remake the bootloader disk!')"
    rm -rf "$folder"
    return 1
  fi
  info "$1" "$(TEXT 'Installing new files ...')"
  cp "$folder/RR_VERSION" "$PART1_PATH/RR_VERSION"
  rm -rf "$folder"
  touch "$PART1_PATH/.upgraded" "$PART1_PATH/.build"
  sync
  message "$1" "RR updated with success!
Reboot?"
  info "$1" "$(TEXT 'Reboot to RR')"
  rebootTo config
  exit 0
}

cleanCache() {
  rm -rfv "$PART3_PATH"/dl/* 2>&1 | DIALOG --title "$(TEXT 'Main menu')" --progressbox "$(TEXT 'Cleaning cache ...')" 20 100
  return 0
}

onePlatform() {
  for file in "$PART3_PATH"/lkms/* "$PART3_PATH"/modules/*; do
    [[ $file == *"$PLATFORM-"* || $file == *firmware* || $file == *VERSION* ]] || rm -f "$file"
  done | DIALOG --title "$(TEXT 'Main menu')" --progressbox "$(TEXT 'OnePlatform ...')" 20 100
  return 0
}
