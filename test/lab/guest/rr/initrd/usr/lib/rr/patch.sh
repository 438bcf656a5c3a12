# What a build does with DSM's kernel and ramdisk. The ramdisk has two parts: etc/VERSION, and the guest's own.

# dsm_version: DSM's etc/VERSION, printed; it is the first file.
dsm_version() { gzip -dc 2>/dev/null <"$ORI_RDGZ_FILE" | head -c 1000 | tr '\0' '\n' | grep -a '^[a-z]*="[0-9.]*"$'; }

sha_of() { sha256sum "$1" | cut -d ' ' -f 1; }
dsm_is_upgraded() {
  loaderIsConfigured &&
    { [ "$(readConfigKey zimage-hash "$USER_CONFIG_FILE")" != "$(sha_of "$ORI_ZIMAGE_FILE")" ] ||
      [ "$(readConfigKey ramdisk-hash "$USER_CONFIG_FILE")" != "$(sha_of "$ORI_RDGZ_FILE")" ]; }
}

not_patched() { failed "$(TEXT "DSM $1 not patched")" "$(TEXT 'Please upgrade the bootloader version and try again.')" "$(TEXT Error):" "$2"; }

# The new initramfs: DSM's, and a layer with what it was made of.
patch_ramdisk() {
  local buildnumber smallfixnumber productversion number addons
  printf 'Patching Ramdisk'
  . <(dsm_version)
  writeConfigKey buildnum "${buildnumber:-0}" "$USER_CONFIG_FILE"
  writeConfigKey smallnum "${smallfixnumber:-0}" "$USER_CONFIG_FILE"
  if [ -z "$buildnumber" ] || fault ramdisk-not-patched; then
    printf .
    not_patched ramdisk 'Patching with /opt/rr/patch/ramdisk-etc-rc-25556.patch'
    return
  fi
  number=$(($(cat "$PART3_PATH/lab/build" 2>/dev/null || echo 0) + 1))
  addons=$(readConfigEntriesArray addons "$USER_CONFIG_FILE" | sed 's/.*/"&"/' | paste -s -d , -)
  rm -f "$MOD_RDGZ_FILE"
  layer loader.json "{\"version\":\"$productversion-$buildnumber\",\"build\":\"$number\",\"addons\":[$addons]}" |
    cat "$ORI_RDGZ_FILE" - >"$MOD_RDGZ_FILE"
  echo "$number" >"$PART3_PATH/lab/build"
  sync
  writeConfigKey ramdisk-hash "$(sha_of "$ORI_RDGZ_FILE")" "$USER_CONFIG_FILE"
  for key in machine_key-hash sone_9_bak-hash; do writeConfigKey $key '' "$USER_CONFIG_FILE"; done
  echo .......
}

patch_zimage() {
  printf 'Patching zImage'
  rm -f "$MOD_ZIMAGE_FILE"
  if fault zimage-not-patched; then
    printf ..
    not_patched zImage 'ERROR: nothing to patch'
    return
  fi
  cp "$ORI_ZIMAGE_FILE" "$MOD_ZIMAGE_FILE"
  sync
  writeConfigKey zimage-hash "$(sha_of "$ORI_ZIMAGE_FILE")" "$USER_CONFIG_FILE"
  echo ......
}

# Everything anew for the model and version that are chosen.
reconfigure() { ! fault reconfigure-failed && reconfigured; }
reconfigured() {
  local platform version
  platform=$(readConfigKey platform "$USER_CONFIG_FILE") version=$(readConfigKey productver "$USER_CONFIG_FILE")
  writeConfigKey dt "$(readConfigKey "platforms.$platform.dt" "$WORK_PATH/platforms.yml")" "$USER_CONFIG_FILE"
  for key in kver kpre; do
    writeConfigKey $key "$(readConfigKey "platforms.$platform.productvers.\"$version\".$key" "$WORK_PATH/platforms.yml")" "$USER_CONFIG_FILE"
  done
  writeConfigKey kernel official "$USER_CONFIG_FILE"
  writeConfigKey synoinfo '{}' "$USER_CONFIG_FILE"
  writeConfigKey synoinfo.maxdisks 16 "$USER_CONFIG_FILE"
  for addon in $(readConfigEntriesArray addons "$USER_CONFIG_FILE"); do
    checkAddonExist "$addon" "$platform" || deleteConfigKey "addons.\"$addon\"" "$USER_CONFIG_FILE"
  done
  writeConfigKey modules '{}' "$USER_CONFIG_FILE"
  for module in virtio_net virtio_scsi; do writeConfigKey "modules.$module" '' "$USER_CONFIG_FILE"; done
  touch "$PART1_PATH/.build"
}
