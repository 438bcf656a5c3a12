# How everything is said, and the faults that a test has chosen.
lab=$PART1_PATH/lab
faults=" $(tr '\n' ' ' 2>/dev/null <"$lab/faults") "
fault() { [[ $faults == *" $1 "* ]]; }

# On a machine that has more to do than this one, the next line takes its time.
pause=$(cat "$lab/pace" 2>/dev/null)
pace() { [ "${pause:-0}" = 0 ] || sleep "$pause"; }

# TEXT MESSAGE: in the language of .locale, where it has it; LANGUAGE goes before, as with gettext.
[ -n "$LANGUAGE" ] || language=$(cat "$PART1_PATH/.locale" 2>/dev/null)
TEXT() {
  local text=''
  pace
  [ -z "${language-}" ] || text=$(awk -F '\t' -v text="$1" '$1 == text { print $2 }' "$WORK_PATH/lang/${language%%.*}" 2>/dev/null)
  printf '%s\n' "${text:-$1}"
}
die() {
  echo -e "\033[1;41m$*\033[0m"
  exit 1
}
# failed LINE…: what a dialog tells at the end.
failed() {
  printf '%s\n' "$@" >"$LOG_FILE"
  return 1
}
