# layer PATH TEXT: an initramfs with this one file in etc, as gzipped cpio; it can stand before another and after it.
layer() {
  {
    entry etc 40755 ''
    entry "etc/$1" 100644 "$2"
    entry TRAILER!!! 0 ''
  } | gzip
}
# entry NAME MODE TEXT: in the format that cpio calls newc.
entry() {
  local size=$((${#3} + (${#3} > 0)))
  printf '070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x' 0 $((8#$2)) 0 0 1 0 $size 0 0 0 0 $((${#1} + 1)) 0
  printf '%s\0' "$1"
  padding $((110 + ${#1} + 1))
  [ $size = 0 ] || printf '%s\n' "$3"
  padding $size
}
padding() { head -c $(((4 - $1 % 4) % 4)) /dev/zero; }

# dsm_layer 7.1.1-42962 1: DSM's etc/VERSION.
dsm_layer() {
  local number=${1%-*}
  layer VERSION "majorversion=\"${number%%.*}\"
minorversion=\"$(cut -d . -f 2 <<<"$number")\"
productversion=\"$number\"
buildnumber=\"${1#*-}\"
smallfixnumber=\"$2\""
}
