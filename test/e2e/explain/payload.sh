# Prints what a container looks like from inside, in sections. Given to a real container and to the script's.
section() { echo "== $1"; }
section status
grep -E '^(Uid|Gid|Groups|Umask|Cap|NoNewPrivs|NSsid)' /proc/self/status
section mountinfo
cat /proc/self/mountinfo
section namespaces
for name in mnt uts ipc pid net cgroup user; do readlink "/proc/self/ns/$name" | sed "s/^/$name /"; done
section network
ip -j addr
section routes
ip route
section limits
cat /proc/self/limits
section environment
env | sort
section hostname
cat /proc/sys/kernel/hostname /etc/hostname
section hosts
cat /etc/hosts /etc/resolv.conf
section cgroup
cat /proc/self/cgroup
for file in memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max devices/devices.list \
	memory.max cpu.max pids.max; do
	if [ -e "/sys/fs/cgroup/$file" ]; then sed "s|^|$file |" "/sys/fs/cgroup/$file"; fi
done
section devices
ls -ln /dev | awk '{ print $1, $3, $4, $NF }'
section settings
cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/conf/all/log_martians /proc/self/oom_score_adj
section protected
ls /sys/firmware /proc/acpi 2>&1
cat /proc/timer_list 2>&1
for path in /proc/sys/kernel/hostname /data/file /file; do
	if (: >>"$path") 2>/dev/null; then echo "$path can be written"; else echo "$path cannot be written"; fi
done
section directory
pwd
section descriptors
for fd in 0 3 4 5 6 7 8 9; do readlink "/proc/$$/fd/$fd"; done
section first
tr '\0' ' ' </proc/1/cmdline
