#!/bin/busybox sh
# The first process: mounts the disks, and gives way to the systemd on the first one.
/bin/busybox mkdir -p /proc /sys /dev /new /sbin
/bin/busybox --install -s /bin
export PATH=/bin
ln -s /bin/busybox /sbin/modprobe
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
depmod -a
while read -r module; do modprobe "$module" || echo "no module $module"; done < /modules
mount -t ext4 /dev/vda /new
mount -t ext4 -o ro /dev/vdb /new/opt
mount -t tmpfs -o mode=755 run /new/run
mkdir -p /new/run/systemd/system
cp /new/opt/the-test.service /new/run/systemd/system/
umount /proc /sys /dev
exec switch_root /new /sbin/init
