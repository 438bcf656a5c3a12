#!/usr/bin/bash
# boot.sh: waits, and goes on to DSM, unless somebody comes. 1: there is nothing to boot.
. include/functions.sh

if [ -f "$PART1_PATH/.build" ]; then
  TEXT 'Repatch after configuration changed'
  [ ! -f "$PART1_PATH/.upgraded" ] || reconfigure || exit 1
  rm -f "$PART1_PATH/.upgraded"
  patch_ramdisk && patch_zimage || { cat "$LOG_FILE"; exit 1; }
  rm -f "$PART1_PATH/.build"
fi

# What the lab needs of every kernel here; the rest is DSM's.
line=$(grep -o '.*loglevel=[0-9]' /proc/cmdline | sed 's/^BOOT_IMAGE=[^ ]* //')
line+=" syno_hw_version=$(readConfigKey model "$USER_CONFIG_FILE")"
for key in vid pid sn mac1 mac2; do
  value=$(readConfigKey "$key" "$USER_CONFIG_FILE")
  [ -z "$value" ] || line+=" $key=$value"
done
line+=' netif_num=1 withefi'
for word in force_junior recovery; do ! grep -qw "$word" /proc/cmdline || line+=" $word"; done
while IFS=': ' read -r key value; do
  [ -z "$key" ] || line+=" $key${value:+=$value}"
done < <(readConfigMap cmdline "$USER_CONFIG_FILE")
line+=" loader_build=$(cat "$PART3_PATH/lab/build") kexecboot"

# Whoever logs in while this waits wants something else than DSM.
seconds=$(readConfigKey bootwait "$USER_CONFIG_FILE")
for ((; ${seconds:-10} > 0; seconds--)); do
  sleep 1
  if grep -qs 'auth succeeded' /run/ssh.log || [ -e /tmp/menu.lock ]; then
    TEXT 'Access(ssh/web) status has changed and booting is interrupted.'
    httpd -p 9990 -h /control
    echo rr >/run/served
    exit 0
  fi
done
TEXT 'Booting ...'
kexec -a -l "$MOD_ZIMAGE_FILE" --initrd "$MOD_RDGZ_FILE" --command-line="$line" || exit 1
poweroff
