#!/bin/busybox sh
# The first process: moves everything to a tmpfs, since pivot_root cannot leave the first root.
/bin/busybox mkdir -p /new /proc
/bin/busybox mount -t tmpfs -o mode=755 root /new
for name in bin etc lib lib64 opt modules start test.sh usr; do
	[ -e "/$name" ] && /bin/busybox cp -a "/$name" /new/
done
/bin/busybox mkdir -p /new/proc /new/sys /new/dev /new/tmp /new/run /new/var/lib /new/root
exec /bin/busybox switch_root /new /start
