# The commands that change user_config.json.

# set_config PATH VALUE. The fault is what happens to those who write over a file that is still read.
set_config() {
  local json
  json=$(jq --arg value "$2" "$1 = \$value" user_config.json) || return 4
  printf '%s\n' "$json" >user_config.json
  ! fault empty-config || : >user_config.json
}

by_hand='OK remember to update manually by editing user_config.json file'
update='Should i update the user_config.json with these values ? [Yy/Nn]'
models='DS3615xs DS3617xs DS916+ DS918+ DS920+ DS3622xs+ DVA3219 DVA3221 DS1621+ DVA1622 DS2422+ RS4021xs+ FS6400 SA6400'

digits() { tr -dc "$1" </dev/urandom | head -c "$2"; }

# serialgen MODEL [realmac]
serialgen() {
  if [ -z "$1" ]; then
    echo "Error : Number of arguments passed to serialgen is wrong. Usage: serialgen <Model> [realmac]"
    exit 99
  fi
  if ! echo "$models" | tr ' ' '\n' | grep -qxF -e "$1"; then
    echo "Error : $1 is not an available model for serial number generation. "
    echo "Available Models : $models"
    return 0
  fi
  local serial mac real
  serial=1780PDN0$(digits 0-9 5)
  mac=00:11:32:$(digits 0-9A-F 6 | sed 's/../&:/g; s/:$//')
  real=$(ifconfig eth0 | head -n 1 | awk '{ print $NF }')
  say "Serial Number for Model = $serial"
  say "Mac Address for Model $1 = $mac "
  if [ "$2" = realmac ]; then
    say "Real Mac Address : $real"
    say 'Notice : realmac option is requested, real mac will be used'
    mac=$real
  fi
  if ask "$update"; then
    set_config .extra_cmdline.sn "$serial"
    set_config .extra_cmdline.mac1 "$(echo "$mac" | tr -d :)"
  else
    echo "$by_hand"
  fi
}

identifyusb() {
  if fault emulated; then
    say 'Machine is VIRTUAL Hypervisor=QEMU'
    say 'Running on QEMU, If you are using USB shim, VID 0x46f4 and PID 0x0001 should work for you'
  else
    say 'Machine is VIRTUAL Hypervisor=KVM'
    if fault no-usb; then
      echo 'Sorry, no usb disk could be identified'
      return 0
    fi
    say 'Found QEMU QEMU USB HARDDRIVE SerialNumber: 1-0000:00:01.0-3'
  fi
  say 'Vendor ID : 0x46f4 Product ID : 0x0001'
  if ask "$update"; then
    set_config .extra_cmdline.pid 0x0001
    set_config .extra_cmdline.vid 0x46f4
  else
    echo "$by_hand"
  fi
}

# satamap [minmap]: the machine has q35's own controller only; the fault adds one with four disks.
satamap() {
  local map=1 index=10 ports=''
  say 'Machine is VIRTUAL Hypervisor=KVM'
  say ''
  say 'Found "00:1f.2 Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]"'
  say 'Mapping KVM q35 bogus controller after maxdisks'
  if fault second-controller; then
    say ''
    say 'Found "02:00.0 Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]"'
    say 'Detected 6 ports/4 drives. '
    if [ "$1" != minmap ]; then
      printf 'Override # of ports or ENTER to accept <6> '
      read -r ports
    fi
    map=1${ports:-6} index=1000
  fi
  echo 'lspci: -s: Invalid slot number' >&2
  say 'Found SCSI/HBA "" (0 drives)'
  say ''
  say 'Computed settings:'
  say "SataPortMap=$map"
  say "DiskIdxMap=$index"
  printf '\n%s ' "$update"
  if answered; then
    set_config .extra_cmdline.SataPortMap "$map"
    set_config .extra_cmdline.DiskIdxMap "$index"
    echo 'Done.'
  else
    echo "$by_hand"
  fi
}
