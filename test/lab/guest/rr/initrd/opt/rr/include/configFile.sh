# Keys of a YAML file, by their path: a.b, or a."b.c". RR has yq for it; yaml.awk does what is wanted here.

yaml() { awk -v op="$1" -v path="$2" -v value="${3-}" -f $CHROOT_PATH/usr/lib/rr/yaml.awk "$4"; }
# Where there is no space, nothing is written, and nobody hears of it.
change() {
  local text
  ! fault first-partition-full || return 0
  text=$(yaml "$1" "$2" "$3" "$4") && printf '%s\n' "$text" >"$4"
}

readConfigKey() { yaml get "$1" '' "$2"; }
readConfigMap() { yaml map "$1" '' "$2"; }
readConfigEntriesArray() { yaml keys "$1" '' "$2"; }
writeConfigKey() { change set "$1" "$2" "$3"; }
deleteConfigKey() { change delete "$1" '' "$2"; }
initConfigKey() { [ -n "$(readConfigKey "$1" "$3")" ] || writeConfigKey "$1" "$2" "$3"; }
