# Model and version. What Synology's site would answer is in /srv/synology.
synology=$CHROOT_PATH/srv/synology
offline="Unable to connect to Synology website, Please check the network and try again, or use 'Parse Pat'!"

digits() { tr -dc "$1" </dev/urandom | head -c "$2"; }

modelMenu() {
  local title platform answer
  title=$(TEXT Model)
  info "$title" "$(TEXT 'Getting models ...')"
  if fault no-synology; then
    message "$title" "$(TEXT "$offline")"
    return 1
  fi
  ask "$title" "$(awk -v model="$1" '$1 == model { print $1 }' $synology/models)" --menu \
    "$(TEXT 'Choose the model')\n\Z1DT: Disk identification method is device tree\Zn" 0 0 20 \
    --file "$TMP_PATH/menu" || return 1
  platform=$(awk -v model="$answer" '$1 == model { print $2 }' $synology/models)
  reconfiguringM "$answer" "$platform"
}

# reconfiguringM MODEL PLATFORM: another model begins anew; the same one keeps what it has.
reconfiguringM() {
  local other='' key mac
  [ "$1" = "$MODEL" ] || other=yes
  MODEL=$1 PLATFORM=$2
  writeConfigKey model "$1" "$USER_CONFIG_FILE"
  writeConfigKey platform "$2" "$USER_CONFIG_FILE"
  if [ -n "$other" ]; then
    PRODUCTVER=''
    for key in modelid productver buildnum smallnum paturl patsum sn mac1 mac2; do writeConfigKey $key '' "$USER_CONFIG_FILE"; done
    for key in synoinfo modules; do writeConfigKey $key '{}' "$USER_CONFIG_FILE"; done
    forget_dsm
  fi
  [ -n "$(readConfigKey sn "$USER_CONFIG_FILE")" ] || writeConfigKey sn "1910PDN$(digits 0-9 6)" "$USER_CONFIG_FILE"
  if [ -z "$(readConfigKey mac1 "$USER_CONFIG_FILE")" ]; then
    mac=001132$(digits 0-9a-f 5)
    writeConfigKey mac1 "${mac}1" "$USER_CONFIG_FILE"
    writeConfigKey mac2 "${mac}2" "$USER_CONFIG_FILE"
  fi
  touch "$PART1_PATH/.build"
}

forget_dsm() {
  rm -f "$MOD_ZIMAGE_FILE" "$MOD_RDGZ_FILE" "$PART1_PATH/grub_cksum.syno" "$PART1_PATH/GRUB_VER" "$PART2_PATH"/* 2>/dev/null
  rm -f "$PART3_PATH/dl/$MODEL-$PRODUCTVER.pat"
}

# productversMenu VERSION [URL MD5]
productversMenu() {
  local title versions version keys key url sum note answer
  title=$(TEXT 'Product Version')
  versions=$(readConfigEntriesArray "platforms.$PLATFORM.productvers" "$WORK_PATH/platforms.yml" | sort -r)
  ask "$title" "$(grep -xF -e "$(cut -d . -f 1,2 <<<"$1")" <<<"$versions")" \
    --no-items --menu "$(TEXT 'Choose a product version')" 0 0 0 $versions || return 1
  version=$answer
  if [ "$PRODUCTVER" = "$version" ]; then
    DIALOG --ret 0 --title "$title" \
      --yesno "The current version has been set to $PRODUCTVER. Do you want to reset the version?" 0 0
  fi
  info "$title" "$(TEXT 'Get pat data ...')"
  if fault no-synology; then
    DIALOG --ret 1 --title Addons --yes-label Retry --yesno "$(TEXT "$offline")" 0 0
    return 1
  fi
  keys=$(awk -v model="$MODEL" -v version="$version." '$1 == model && index($2, version) == 1 { print $2 }' $synology/pats | sort -r)
  key=$(grep -m 1 -w -F -e "$1" <<<"$keys")
  ask "$title" "$key" --no-items --menu "$(TEXT 'Choose a pat version')" 0 0 0 $keys || return 1
  read -r _ _ url sum _ < <(grep -F "$MODEL $answer " $synology/pats)
  [ -z "$3" ] || url=$2 sum=$3
  note=$(TEXT "Please confirm or modify the URL and md5sum to you need (32 '0's will skip the md5 check).")
  ask "$title" "$url"$'\n'"$sum" --extra-button --extra-label Retry --form "$note" 10 138 2 \
    URL 1 1 "$url" 1 5 128 0 MD5 2 1 "$sum" 2 5 128 0
  info "$title" "$(TEXT 'Reconfiguring Synoinfo, Addons and Modules ...')"
  reconfiguringV "$version" "$url" "$sum"
}

# reconfiguringV VERSION URL MD5
reconfiguringV() {
  local other=''
  [ "$2 $3" = "$(readConfigKey paturl "$USER_CONFIG_FILE") $(readConfigKey patsum "$USER_CONFIG_FILE")" ] || other=yes
  PRODUCTVER=$1
  writeConfigKey productver "$1" "$USER_CONFIG_FILE"
  writeConfigKey paturl "$2" "$USER_CONFIG_FILE"
  writeConfigKey patsum "$3" "$USER_CONFIG_FILE"
  if [ -n "$other" ]; then
    writeConfigKey buildnum '' "$USER_CONFIG_FILE"
    writeConfigKey smallnum '' "$USER_CONFIG_FILE"
  fi
  reconfigure || return
  [ -z "$other" ] || forget_dsm
}
