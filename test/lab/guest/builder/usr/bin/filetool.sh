#!/bin/sh
# filetool.sh -b [PARTITION]: saves the home, which is in memory, on the loader's disk.
[ "$1" = -b ] || exit 1
to=/mnt/${2:-sdc3}
! grep -qsx backup-failure /mnt/sdc3/lab/faults && [ -d "$to/cde" ] || exit 1
printf 'Backing up files to %s/mydata.tgz ' "$to"
tar -czf "$to/mydata.tgz" -C / home/tc || exit 1
sync
echo 'Done.'
