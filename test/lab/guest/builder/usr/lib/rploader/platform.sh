# Models, the ids that 0.9.2.9 knows, and what is said of one before it is worked with.

model_of() {
  case ${1%%-*} in
    ds918p) echo DS918+ ;;
    ds920p) echo DS920+ ;;
    ds1621p) echo DS1621+ ;;
    ds2422p) echo DS2422+ ;;
    ds3615xs) echo DS3615xs ;;
    ds3617xs) echo DS3617xs ;;
    ds3622xsp) echo DS3622xs+ ;;
    rs4021xsp) echo RS4021xs+ ;;
    dva1622) echo DVA1622 ;;
    dva3221) echo DVA3221 ;;
  esac
}

known_ids() { jq -r '.build_configs[].id' custom_config.json custom_config_jun.json; }

# get_vars ID: sets id, model, release (7.1.1-42962), revision and key (ds918p_42962); ends the script where ID is none.
get_vars() {
  id=$1 model=$(model_of "$1")
  if [ -z "$1" ] || ! known_ids | grep -qxF -e "$1"; then
    echo 'Error : Platform not found '
    syntax
    exit 99
  fi
  release=${id#*-} revision=$(echo "$id" | cut -d- -f3)
  key=${id%%-*}_$revision
  say "Rploader Version : $version"
  say 'Loader source : https://github.com/pocopico/redpill-load.git Loader Branch : develop '
  say 'Redpill module source : https://github.com/pocopico/redpill-lkm.git : Redpill module branch : master '
  say 'Extensions : redpill-misc '
  say "TARGET_PLATFORM       : ${id%%-*}"
  say "TARGET_VERSION    : ${release%%-*}"
  say "TARGET_REVISION : $revision"
  say "SYNOMODEL : $key "
  say "MODEL : $model "
  say "Local Cache Folder : /mnt/${disk}3/auxfiles"
  say "DATE Internet : $(date +%d%m%Y) Local : $(date +%d%m%Y)"
}

syntax() {
  cat <<TEXT

Usage: ./rploader.sh <Action> <Platform version> <static or compile module> [extension manager arguments]

Actions: build, ext, download, clean, update, fullupgrade, listmods, serialgen, identifyusb, satamap, backup, version, help

Available platform versions:
----------------------------------------------------------------------------------------
$(known_ids)
----------------------------------------------------------------------------------------
TEXT
}
