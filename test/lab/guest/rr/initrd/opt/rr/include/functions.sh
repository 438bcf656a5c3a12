# What the scripts share, and what others who source this use of it.
WORK_PATH=${CHROOT_PATH-}/opt/rr
. $WORK_PATH/include/consts.sh
. $WORK_PATH/include/configFile.sh
. $CHROOT_PATH/usr/lib/rr/say.sh
for part in layer patch; do . "$CHROOT_PATH/usr/lib/rr/$part.sh"; done

loaderIsConfigured() {
  [ -f "$MOD_ZIMAGE_FILE" ] && [ -f "$MOD_RDGZ_FILE" ] &&
    [ -n "$(readConfigKey zimage-hash "$USER_CONFIG_FILE")" ] && [ -n "$(readConfigKey ramdisk-hash "$USER_CONFIG_FILE")" ]
}

# checkAddonExist ADDON PLATFORM KERNEL
checkAddonExist() { [ -f "$PART3_PATH/addons/$1/all.tgz" ] || [ -f "$PART3_PATH/addons/$1/$2-$3.tgz" ]; }

# rebootTo ENTRY: GRUB's next entry, once.
rebootTo() {
  grub-editenv "$USER_GRUBENVFILE" set "next_entry=$1"
  reboot
}
