# bocker on a machine whose cgroups systemd manages: everything is printed, the test on the host judges.
section() { echo "== $1"; }
groups=/sys/fs/cgroup
unified=$([ -e $groups/cgroup.controllers ] && echo yes)
running() { bocker inspect -f '{{.Name}} {{.State.Running}}' "$@"; }
pid_of() { bocker inspect -f '{{.State.Pid}}' "$1"; }
monitor_of() { sed -n 's/^PPid:\t//p' "/proc/$1/status"; }
# A container's limits as the kernel has them, in one line.
limits() {
	path=bocker/$(cat "/run/$1.id")
	if [ -n "$unified" ]; then
		cd "$groups/$path" && echo $(cat memory.max cpu.max pids.max cpuset.cpus)
	else
		cd $groups && echo $(cat "memory/$path/memory.limit_in_bytes" "cpu/$path/cpu.cfs_quota_us" \
			"cpu/$path/cpu.cfs_period_us" "pids/$path/pids.max" "cpuset/$path/cpuset.cpus")
	fi
}
# A process's cgroup in the tree by which systemd knows its services.
place() { sed -n 's/^0:://p; s/^[0-9]*:name=systemd://p' "/proc/$1/cgroup" | sort -u | sed 's/[0-9a-f]\{64\}/ID/'; }
unit_of() { systemctl status "$1" 2>&1 | grep -o 'does not belong to any loaded unit'; }
transient() { systemd-run -q --wait "$@"; }

echo
section machine
cat /proc/1/comm
grep -c 'cgroup2 cgroup2' /proc/self/mountinfo
place self
section hierarchies
stat -f -c %T $groups
ls -d $groups/memory $groups/unified 2> /dev/null

if [ -n "$unified" ]; then
	section danger
	echo '+cpu +cpuset' > $groups/cgroup.subtree_control
	mkdir $groups/flat
	echo '50000 100000' > $groups/flat/cpu.max
	transient -p CPUAccounting=yes true
	systemctl daemon-reload
	cat $groups/flat/cpu.max 2>&1 | tail -n 1
	rmdir $groups/flat
fi

section from-a-service
options='--network none -m 24m --memory-swap 24m --cpus 0.5 --pids-limit 20 --cpuset-cpus 1 host sleep 100000'
transient --unit=caller /opt/bocker run -d --name kept --cidfile /run/kept.id $options
systemctl show -p ActiveState --value caller
running kept
limits kept
pid=$(pid_of kept)
section places
place "$pid"
unit_of "$pid"
place "$(monitor_of "$pid")"
unit_of "$(monitor_of "$pid")"

section from-a-service-that-is-stopped
systemd-run -q --unit=holder -p KillMode=control-group sh -c "/opt/bocker run -d --name held --cidfile /run/held.id $options
/opt/bocker exec -d kept sleep 777; touch /run/held; exec sleep 100000"
while [ ! -e /run/held ]; do sleep 0.1; done
systemctl stop holder
systemctl is-active holder
running held kept
executed=$(grep -lzx 777 /proc/[0-9]*/cmdline | cut -d / -f 3 | head -n 1)
place "$executed"
section from-a-scope
systemd-run -q --scope --unit=login /opt/bocker run -d --name scoped $options > /dev/null
systemctl stop login.scope 2> /dev/null
running scoped

section daemon-reload
systemctl daemon-reload
limits kept
section daemon-reexec
systemctl daemon-reexec
limits kept
section transient
if [ -n "$unified" ]; then
	# One after the other: each is the only unit that needs its controller, and then none does.
	for property in CPUAccounting=yes MemoryMax=100M TasksMax=50 AllowedCPUs=0 IOAccounting=yes; do
		transient -p $property true
	done
fi
systemd-run -q --unit=many -p CPUAccounting=yes -p MemoryMax=100M -p TasksMax=50 -p AllowedCPUs=0 sleep 100000
limits kept
systemctl stop many
systemctl daemon-reload
limits kept
limits held
section still-in-force
bocker exec kept tail /dev/zero
echo "code $?"
bocker exec kept sh -c 'for i in $(seq 30); do sleep 100 & done' 2>&1 | grep -o 'Cannot fork'
place "$pid"
unit_of "$pid"
if [ -n "$unified" ]; then
	section handed-down
	cat $groups/cgroup.subtree_control $groups/bocker/cgroup.subtree_control
	section script
	bocker run --rm --explain=sh --network none -m 64m host sh -c 'cat /sys/fs/cgroup/memory.max' > /run/script.sh
	sh /run/script.sh
	place self
fi

section removed
bocker rm -f kept held scoped
find $groups -path '*bocker/*' -type d ! -name monitors
cat $(find $groups -path '*bocker/monitors/cgroup.procs') | wc -l
find $groups -depth \( -name bocker -o -path '*/bocker/*' \) -type d -exec rmdir {} + && echo empty
section failed-units
systemctl list-units --failed --no-legend | wc -l
