#!/bin/bash
# rploader.sh: the lab's stand-in for TCRP's (test/lab/guest/builder) in little: the same words, questions, exit codes
# and faults, and a fixed serial number. $BOX has the faults and the release, $BOX_GUEST the rest of this script, $BOX_LAB
# what both share.
disk=sdc version=$(<"$BOX/release") auxfiles=$BOX/auxfiles
. "$BOX_GUEST/build.sh"
. "$BOX_LAB/release.sh"
. "$BOX_LAB/grub.sh"

fault() { [[ " $(<"$BOX/faults") " == *" $1 "* ]]; }
say() { echo "$*"; }
# No answer, as from a closed stdin, is no.
answered() {
  local answer=''
  read -r answer
  [[ $answer == [yY] ]]
}
ask() {
  echo "$1"
  answered
}
# The loader's sources have no line ends without colours, and all of it goes to stderr.
print() { printf '%s' "$1" >&2; }
# Ends the script of that part, with 1.
critical() {
  print "
[!] $1

*** Process will exit ***
"
  exit 1
}

syntax() {
  echo 'Usage: ./rploader.sh <Action> <Platform version> <static or compile module> [extension manager arguments]'
  echo 'Available platform versions:'
  printf '%s\n' ds918p-7.1.1-42962 ds3622xsp-7.1.1-42962
}

# get_vars ID: sets id, model, release (7.1.1-42962), revision and key (ds918p_42962); ends the script where ID is none.
get_vars() {
  id=$1
  if fault platform-not-found || ! [[ $id =~ ^(ds|rs|fs|sa|dva)[0-9]+(xs)?p?-[0-9]\.[0-9](\.[0-9])?-[0-9]{5}$ ]]; then
    echo 'Error : Platform not found '
    syntax
    exit 99
  fi
  local prefix=${id%%-*} letters=${BASH_REMATCH[1]}
  model=${letters^^}${prefix#"$letters"} release=${id#*-} revision=${id##*-} key=${prefix}_${id##*-}
  [[ $model != *p ]] || model=${model%p}+
  echo "Rploader Version : $version"
  echo 'Loader source : https://github.com/pocopico/redpill-load.git Loader Branch : develop '
  echo "TARGET_PLATFORM       : $prefix"
  echo "TARGET_VERSION    : ${release%-*}"
  echo "TARGET_REVISION : $revision"
  echo "SYNOMODEL : $key "
  echo "MODEL : $model "
  echo "Local Cache Folder : /mnt/${disk}3/auxfiles"
}

check_internet() {
  printf 'Checking Internet Access -> '
  if fault no-internet; then
    echo 'Error: No internet found, or github is not accessible'
    exit 99
  fi
  echo OK
}

update='Should i update the user_config.json with these values ? [Yy/Nn]'
by_hand='OK remember to update manually by editing user_config.json file'

models='DS3615xs DS3617xs DS916+ DS918+ DS920+ DS3622xs+ DVA3219 DVA3221 DS1621+ DVA1622 DS2422+ RS4021xs+ FS6400 SA6400'

serialgen() {
  if [[ " $models " != *" $1 "* ]]; then
    echo "Error : $1 is not an available model for serial number generation. "
    echo "Available Models : $models"
    return 0
  fi
  local serial=1780PDN123456 mac=00:11:32:AA:BB:CC
  echo "Serial Number for Model = $serial"
  echo "Mac Address for Model $1 = $mac "
  if [[ $2 == realmac ]]; then
    mac=52:54:00:d5:30:01
    echo "Real Mac Address : $mac"
    echo 'Notice : realmac option is requested, real mac will be used'
  fi
  if ask "$update"; then user-config set .extra_cmdline.sn "$serial" .extra_cmdline.mac1 "${mac//:/}"; else echo "$by_hand"; fi
}

identifyusb() {
  if fault emulated; then
    echo 'Machine is VIRTUAL Hypervisor=QEMU'
    echo 'Running on QEMU, If you are using USB shim, VID 0x46f4 and PID 0x0001 should work for you'
  else
    echo 'Machine is VIRTUAL Hypervisor=KVM'
    if fault no-usb; then
      echo 'Sorry, no usb disk could be identified'
      return 0
    fi
    echo 'Found QEMU QEMU USB HARDDRIVE SerialNumber: 1-0000:00:01.0-3'
  fi
  echo 'Vendor ID : 0x46f4 Product ID : 0x0001'
  if ask "$update"; then user-config set .extra_cmdline.pid 0x0001 .extra_cmdline.vid 0x46f4; else echo "$by_hand"; fi
}

# q35's own controller only; the fault adds one with four disks.
satamap() {
  local map=1 index=10 ports=''
  echo 'Machine is VIRTUAL Hypervisor=KVM'
  echo 'Found "00:1f.2 Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]"'
  echo 'Mapping KVM q35 bogus controller after maxdisks'
  if fault second-controller; then
    echo 'Found "02:00.0 Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]"'
    echo 'Detected 6 ports/4 drives. '
    printf 'Override # of ports or ENTER to accept <6> '
    read -r ports
    map=1${ports:-6} index=1000
  fi
  echo 'lspci: -s: Invalid slot number' >&2
  printf 'Computed settings:\nSataPortMap=%s\nDiskIdxMap=%s\n\n%s ' "$map" "$index" "$update"
  if answered; then
    user-config set .extra_cmdline.SataPortMap "$map" .extra_cmdline.DiskIdxMap "$index"
    echo 'Done.'
  else
    echo "$by_hand"
  fi
}

backup() {
  echo 'Please make sure you are using the latest 1GB img before using backup option'
  echo 'Current /home/tc size is 14M , try to keep it less than 1GB as it might not fit into your image'
  if ask "Should i update the $disk with your current files [Yy/Nn]"; then
    printf 'Backing up home files to %s : ' "$disk"
    if filetool.sh -b "${disk}3"; then echo; else echo "Error: Couldn't backup files"; fi
  else
    echo 'OK, keeping last status'
  fi
}

# Everything comes afresh, user_config.json too; early releases take whatever comes.
full_upgrade() {
  echo 'Performing a full TCRP upgrade'
  if since 0.9.4.5; then
    echo "Cloning into 'tinycore-redpill'..." >&2
    if fault upgrade-page; then
      echo "fatal: repository 'https://github.com/pocopico/tinycore-redpill.git/' not found" >&2
    else
      user-config fresh
      cp "$BOX_GUEST/rploader.sh" rploader.sh
    fi
    backup
    return
  fi
  echo 'Warning some of your local files will be moved to /home/tc/old/xxxx.2026-Nov-26-06-36'
  mkdir -p old
  mv user_config.json old/user_config.json.2026-Nov-26-06-36
  echo 'Updating user_config.json'
  user-config fresh
  echo 'Updating rploader.sh'
  cp "$BOX_GUEST/rploader.sh" rploader.sh
  ! fault upgrade-page || echo '<html><head><title>404</title></head></html>' | tee user_config.json >rploader.sh
  backup
}

action=$1
[[ $# == 0 ]] || shift
case $action in
  version)
    echo "$version"
    exit 1
    ;;
  fullupgrade) full_upgrade ;;
  serialgen) serialgen "$@" ;;
  identifyusb) identifyusb ;;
  satamap) satamap ;;
  backup) backup ;;
  build) build "$@" ;;
  ext)
    get_vars "$1"
    check_internet
    get_sources
    [[ $2 == add ]] || exit 1
    (add "$3")
    ;;
  *)
    syntax
    exit 99
    ;;
esac
