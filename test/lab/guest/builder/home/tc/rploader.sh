#!/bin/sh
# rploader.sh: stands in for TCRP's, for what its own callers see of it: words, questions, exit codes, files. Nothing
# is downloaded. docs/lab.md has its releases and its faults.
for part in say release platform settings home ext grub build; do . "/usr/lib/rploader/$part.sh"; done
cd /home/tc || exit 1

action=$1
[ $# -eq 0 ] || shift
case $action in
  fullupgrade) full_upgrade ;;
  serialgen) serialgen "$@" ;;
  identifyusb) identifyusb ;;
  satamap) satamap "$@" ;;
  backup) backup ;;
  build) build "$@" ;;
  clean) clean ;;
  version)
    echo "$version"
    exit 1
    ;;
  update) check_version ;;
  download)
    get_vars "$1"
    check_internet
    get_sources
    ;;
  ext)
    get_vars "$1"
    check_internet
    get_sources
    shift
    ext_manager "$@"
    ;;
  *)
    syntax
    exit 99
    ;;
esac
