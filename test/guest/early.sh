# What every first process does that looks for disks: programs, the kernel's filesystems, modules.
/bin/busybox mkdir -p /proc /sys /dev /new /sbin
/bin/busybox --install -s /bin
export PATH=/bin
ln -s /bin/busybox /sbin/modprobe
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
depmod -a
while read -r module; do modprobe "$module" || echo "no module $module"; done < /modules
