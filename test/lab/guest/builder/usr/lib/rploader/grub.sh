# grub_cfg MODEL VERSION USB-LINE SATA-LINE TIMEOUT [friend|entry]: the menu of the loader's disk, printed. VERSION as
# its titles have it; `friend` is started first, as an `entry` it is only there.
# GRUB's `chosen` is the title of what was started; savedefault makes that the next default, until something else is.

grub_cfg() {
  local default=0
  [ "${6-}" != friend ] || default=3
  cat <<CFG
set default="$default"
set timeout="$5"
set timeout_style="menu"
set gfxpayload=keep

if [ -s \$prefix/grubenv ]; then load_env --file \$prefix/grubenv saved_entry; fi
if [ "\${saved_entry}" ]; then
  set default="$([ "${6-}" = friend ] && echo 3 || echo '${saved_entry}')"
fi

function savedefault {
  saved_entry="\${chosen}"
  save_env --file \$prefix/grubenv saved_entry
}

menuentry 'RedPill $1 $2 (USB, Verbose)' {
  savedefault
  echo Loading Linux...
  linux /zImage $3
  echo Loading initramfs...
  initrd /rd.gz /custom.gz
  echo Starting kernel with USB boot
}

menuentry 'RedPill $1 $2 (SATA, Verbose)' {
  savedefault
  echo Loading Linux...
  linux /zImage $4
  echo Loading initramfs...
  initrd /rd.gz /custom.gz
  echo Starting kernel with SATA boot
}

menuentry 'Tiny Core Image Build' {
  savedefault
  search --no-floppy --set=root --fs-uuid 6234-C863
  echo Loading Linux...
  linux /vmlinuz64 $quiet loglevel=3 cde waitusb=5
  echo Loading initramfs...
  initrd /corepure64.gz
  echo Booting TinyCore for loader creation
}
CFG
  [ -n "${6-}" ] || return 0
  cat <<CFG

menuentry 'Tiny Core Friend' {
  savedefault
  echo Loading Linux...
  linux /zImage $3 friend
  echo Loading initramfs...
  initrd /rd.gz /custom.gz
  echo Booting TCRP Friend
}
CFG
}

# What the lab needs of every kernel here: its log on the serial port, and little of it; and no panic where the host is
# so busy that the emulated timer's first ticks come late ("IO-APIC + timer doesn't work!").
quiet='console=tty0 console=ttyS0 quiet mitigations=off no_timer_check rdinit=/sbin/init'

# dsm_line CONFIG MODEL BUILD KIND: DSM's kernel command line. An empty configuration adds nothing to it.
dsm_line() {
  local line kind=''
  [ "$4" = USB ] || kind=' synoboot_satadom=1'
  # shellcheck disable=SC2016 # It is jq's.
  line=$(jq -r '.extra_cmdline | "netif_num=\(.netif_num) mac1=\(.mac1) sn=\(.sn) vid=\(.vid) pid=\(.pid)"
    + " SataPortMap=\(.SataPortMap) DiskIdxMap=\(.DiskIdxMap)"' "$1")
  echo "$quiet loglevel=3 syno_hw_version=$2${line:+ $line} withefi loader_build=$3$kind"
}

# custom_layer FOLDER: what the loader adds to DSM's initramfs, as gzipped cpio.
custom_layer() { (cd "$1" && find etc | cpio -o -H newc -R 0:0 2>/dev/null | gzip); }
