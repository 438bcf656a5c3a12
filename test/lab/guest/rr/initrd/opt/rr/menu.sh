#!/usr/bin/bash
# menu.sh: stands in for RR's, for what its callers see of it: words, files, and an exit code that is always 0. Nothing
# is downloaded. docs/lab.md has its faults.
. ${CHROOT_PATH-}/opt/rr/include/functions.sh
for part in choose make update; do . "$CHROOT_PATH/usr/lib/rr/$part.sh"; done

[ -n "$LOADER_DISK" ] || die 'Loader is not init!'

# As RR has it where arguments say what to do: the dialog is printed, and its answer known before.
DIALOG() {
  local code=0 word previous=''
  [ -t 0 ] || cat
  echo "$@"
  for word; do
    case $previous in
      --err) printf %s "$word" >&2 ;;
      --ret) code=$word ;;
    esac
    previous=$word
  done
  return $code
}
# ask TITLE ANSWER WHAT…: what was answered, in `answer`; nothing: 1.
ask() {
  local title=$1 given=$2
  shift 2
  DIALOG --err "$given" --title "$title" "$@" 2>"$TMP_PATH/resp"
  answer=$(cat "$TMP_PATH/resp")
  [ -n "$answer" ]
}
message() { DIALOG --title "$1" --msgbox "$2" 0 0; }
info() { DIALOG --title "$1" --infobox "$2" 0 0; }

exec {lock}>"$TMP_PATH/menu.lock"
if ! flock -n "$lock"; then
  echo 'Error opening terminal: unknown.' >&2
  exit 1
fi
unlock() {
  flock -u "$lock"
  rm -f "$TMP_PATH/menu.lock"
}
trap unlock EXIT INT TERM HUP

MODEL=$(readConfigKey model "$USER_CONFIG_FILE")
PLATFORM=$(readConfigKey platform "$USER_CONFIG_FILE")
PRODUCTVER=$(readConfigKey productver "$USER_CONFIG_FILE")

if [ $# -eq 0 ] && [ "${BASH_SOURCE[0]}" = "$0" ]; then
  echo 'Error opening terminal: unknown.' >&2
  exit 1
fi
"$@"
unlock
