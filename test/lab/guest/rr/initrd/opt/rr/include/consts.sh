# Where everything is, by the names that RR has for it. CHROOT_PATH: of another root than this one, as in RR.
RR_VERSION=$(cat $CHROOT_PATH/mnt/p3/lab/version 2>/dev/null || echo 26.7.4)
RR_RELEASE=''
RR_TITLE="RR v$RR_VERSION"

PART1_PATH=$CHROOT_PATH/mnt/p1
PART2_PATH=$CHROOT_PATH/mnt/p2
PART3_PATH=$CHROOT_PATH/mnt/p3
TMP_PATH=$CHROOT_PATH/tmp
LOG_FILE=$TMP_PATH/log.txt
USER_GRUBENVFILE=$PART1_PATH/boot/grub/grubenv
USER_CONFIG_FILE=$PART1_PATH/user-config.yml
ORI_ZIMAGE_FILE=$PART2_PATH/zImage
ORI_RDGZ_FILE=$PART2_PATH/rd.gz
MOD_ZIMAGE_FILE=$PART3_PATH/zImage-dsm
MOD_RDGZ_FILE=$PART3_PATH/initrd-dsm
