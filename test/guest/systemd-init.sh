#!/bin/busybox sh
# The first process: mounts the disks, and gives way to the systemd on the first one.
. /early.sh
mount -t ext4 /dev/vda /new
mount -t ext4 -o ro /dev/vdb /new/opt
mount -t tmpfs -o mode=755 run /new/run
mkdir -p /new/run/systemd/system
cp /new/opt/the-test.service /new/run/systemd/system/
umount /proc /sys /dev
exec switch_root /new /sbin/init
