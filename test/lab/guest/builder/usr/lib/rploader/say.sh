# How everything is said and asked, the faults that a test has chosen, and where the loader's disk is.

disk=sdc
lab=/mnt/${disk}3/lab
version=$(cat "$lab/release" 2>/dev/null)
version=${version:-0.9.2.9}
auxfiles=/mnt/${disk}3/auxfiles
repository=/srv/repo

faults=" $(tr '\n' ' ' 2>/dev/null <"$lab/faults") "
fault() { case $faults in *" $1 "*) true ;; *) false ;; esac }

# On a machine that has more to do than this one, the next line takes its time.
pause=$(cat "$lab/pace" 2>/dev/null)
pace() { [ "${pause:-0}" = 0 ] || sleep "$pause"; }
say() {
  pace
  echo "$*"
}

# The question stands on a line of its own. No answer, as from a closed stdin, is no.
ask() {
  echo "$1"
  answered
}
answered() {
  local answer=''
  read -r answer
  [ "$answer" = y ] || [ "$answer" = Y ]
}

# The loader sources have no line ends without colours, and colours want a terminal's name. All of it goes to stderr.
colours() { [ -n "$TERM" ] && [ "$TERM" != dumb ]; }
print() {
  pace
  if colours; then printf '\033[1;%sm%s\033[0m\n' "$1" "$2" >&2; else printf '%s' "$2" >&2; fi
}
begin() {
  pace
  if colours; then printf '\033[1;36m[#] %s... \033[0m' "$1" >&2; else printf '[#] %s... ' "$1" >&2; fi
}
done_() { print 32 '[OK]'; }
failed() { print 31 '[ERR]'; }
# What of it ends the script of that part, with 1.
critical() {
  print 31 "
[!] $1

*** Process will exit ***
"
  exit 1
}

check_internet() {
  printf 'Checking Internet Access -> '
  if fault no-internet; then
    echo 'Error: No internet found, or github is not accessible'
    exit 99
  fi
  echo 'OK'
}
