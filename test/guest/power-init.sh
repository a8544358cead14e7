#!/bin/busybox sh
# The first process: the root is the program's disk, read-only; the store is a disk of its own, which outlives the machine.
# /etc/store has its mount options: when ext4 writes what nobody has asked it to is another story in each run.
. /early.sh
mount -t ext4 -o ro /dev/vda /new
mount -t ext4 -o "$(cat /etc/store)" /dev/vdb /new/var/lib/bocker
mount -t tmpfs -o mode=755 run /new/run
mount -t tmpfs -o mode=1777 tmp /new/tmp
umount /proc /sys /dev
exec switch_root /new /start
