# bocker on cgroup v2: everything is printed, the test on the host judges.
section() { echo "== $1"; }
groups_left() { find /sys/fs/cgroup -mindepth 1 -type d ! -path /sys/fs/cgroup/bocker; }
id_of() { bocker inspect -f '{{.Id}}' "$1"; }

echo
section kernel
uname -r
cat /sys/fs/cgroup/cgroup.controllers

mkdir -p /image/bin /image/etc
cp /bin/busybox /image/bin/
for applet in sh cat ls echo sleep mount mknod dd id grep true tail; do ln -s busybox /image/bin/$applet; done
section init
bocker init /image busybox

section run
bocker run --rm busybox sh -c 'echo out; exit 42'
echo "code $?"
section host-image
bocker run --rm --network none host echo from the host image
section info
bocker info --format '{{.CgroupVersion}}'

section limits-start
bocker run -d --name limited -m 32m --memory-swap 48m --memory-reservation 16m --cpus 0.5 --cpu-shares 512 \
	--cpuset-cpus 1 --pids-limit 21 --device /dev/tty0:r busybox sleep 1000
directory=/sys/fs/cgroup/bocker/$(id_of limited)
for name in memory.max memory.swap.max memory.low cpu.max cpu.weight cpuset.cpus pids.max cgroup.procs; do
	section "limit $name"
	cat "$directory/$name"
done
section handed-down
cat /sys/fs/cgroup/bocker/cgroup.subtree_control
section switched-off-above
for name in cpu cpuset memory pids; do
	echo "-$name" > /sys/fs/cgroup/cgroup.subtree_control
done 2>&1 | grep -c busy
cat "$directory/memory.max"
section inside
bocker exec limited sh -c 'cat /proc/self/cgroup; mount | grep cgroup; cat /sys/fs/cgroup/pids.max; ls /sys/fs/cgroup | grep -c .'
section exec-joins
bocker exec -d limited sleep 500
sleep 0.5
grep -c . "$directory/cgroup.procs"
section devices
bocker exec limited sh -c 'echo x > /dev/null && echo null works
mknod /dev/mem c 1 1 && echo mknod works; cat /dev/mem 2>&1 | tail -c 40
dd if=/dev/tty0 of=/dev/null bs=1 count=0 2>/dev/null && echo tty reads
(echo x > /dev/tty0) 2>&1 | tail -n 1'
section commit-frozen
bocker commit limited kept > /dev/null && bocker run --rm --network none kept echo committed
cat "$directory/cgroup.freeze"
section paused
bocker pause limited
cat "$directory/cgroup.freeze"
grep frozen "$directory/cgroup.events"
bocker top limited | tail -n +2 | grep -c .
bocker unpause limited
cat "$directory/cgroup.freeze"
bocker stats --no-stream --format '{{.MemUsage}} {{.PIDs}} {{.BlockIO}}' limited
bocker pause limited
section update
bocker update -m 40m --memory-swap 40m --cpus 0.25 --cpuset-cpus 0 --pids-limit -1 limited
(cd "$directory" && cat memory.max memory.swap.max cpu.max cpuset.cpus pids.max)
section restart
bocker run -d --name again --network none -m 24m --restart on-failure:2 busybox sh -c 'exit 1' > /dev/null
for _ in $(seq 100); do
	[ "$(bocker inspect -f '{{.RestartCount}} {{.State.Status}}' again)" = '2 exited' ] && break
	sleep 0.3
done
bocker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' again
bocker rm again
section removed
bocker rm -f limited
groups_left

section parent
bocker run -d --name parted --cgroup-parent /some/where -m 24m --cpuset-cpus 0 busybox sleep 1000 > /dev/null
cat "/sys/fs/cgroup/some/where/$(id_of parted)/memory.max" "/sys/fs/cgroup/some/where/$(id_of parted)/cpuset.cpus"
bocker inspect -f '{{.HostConfig.CgroupParent}}' parted
bocker exec parted cat /proc/self/cgroup
bocker rm -f parted
ls /sys/fs/cgroup/some/where | grep -c parted
rmdir /sys/fs/cgroup/some/where /sys/fs/cgroup/some
section parent-removed
rmdir /sys/fs/cgroup/bocker
bocker run --rm -m 24m busybox cat /sys/fs/cgroup/memory.max

section service
mkdir /sys/fs/cgroup/some.service
sh -c 'echo 0 > /sys/fs/cgroup/some.service/cgroup.procs
bocker run -d --name served -m 24m busybox sleep 1000 > /dev/null
bocker exec -d served sleep 500'
sleep 0.5
cat /sys/fs/cgroup/some.service/cgroup.procs
for pid in $(cat /sys/fs/cgroup/bocker/monitors/cgroup.procs); do tr '\0' ' ' < "/proc/$pid/cmdline" | cut -d ' ' -f 1; done
bocker inspect -f '{{.State.Running}}' served
bocker rm -f served
rmdir /sys/fs/cgroup/some.service /sys/fs/cgroup/bocker/monitors

section nested-explain
nested() { bocker run -d --privileged --name "$1" -m 256m --tmpfs /var/lib/bocker --tmpfs /run/bocker host sleep 1000 > /dev/null; }
inner='/opt/bocker run -m 20m --memory-swap 20m --cpus 0.25 --pids-limit 33'
nested outer
bocker exec outer sh -c "$inner --explain host true" | grep -A 2 'move the processes'
section nested-limits
bocker exec outer sh -c "$inner --rm host cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max"
section nested-again
bocker exec outer sh -c "$inner --rm --explain host true" | grep -c 'move the processes'
bocker exec outer sh -c "$inner -d --name inner host sleep 1000" > /dev/null
bocker exec outer /opt/bocker exec inner cat /proc/self/cgroup /sys/fs/cgroup/memory.max
section nested-places
group=/sys/fs/cgroup/bocker/$(id_of outer)
cat "$group/memory.max" "$group/cgroup.subtree_control"
bocker exec outer cat /proc/self/cgroup
ls "$group/bocker" | grep -c '^[0-9a-f]\{64\}$'
cat "$group"/bocker/*/memory.max | grep 20971520
section nested-oom
bocker exec outer sh -c "$inner --name hungry host tail -c 200m /dev/zero"
echo "code $?"
bocker exec outer /opt/bocker inspect -f '{{.State.OOMKilled}}' hungry
section nested-removed
bocker rm -f -v outer
groups_left

section oom
bocker run --name hungry -m 16m --memory-swap 16m busybox sh -c 'tail -c 200m /dev/zero'
echo "code $?"
bocker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' hungry
bocker rm hungry

section many-layers
name=busybox
for layer in 1 2 3 4 5 6 7 8; do
	bocker run --name "c$layer" --network none "$name" sh -c "echo $layer > /layer$layer"
	bocker commit "c$layer" "deep$layer" > /dev/null
	bocker rm "c$layer" > /dev/null
	name=deep$layer
done
bocker run --rm --network none deep8 sh -c 'cat /layer1 /layer8; mount | grep -c " / type overlay"'

section upon-host
bocker run --name above --network none host sh -c 'echo upon the host > /upon'
bocker commit above upon > /dev/null
bocker rm above > /dev/null
bocker run --rm --network none upon sh -c 'cat /upon; readlink -f /proc/self/exe'

section bridge
bocker run -d --name server -p 8080:80 host sh -c 'mkdir -p /tmp/w; echo hello from v2 > /tmp/w/index.html; httpd -f -p 80 -h /tmp/w' > /dev/null
sleep 1
wget -q -O - http://127.0.0.1:8080/
bocker rm -f server

section privileged
bocker run --rm --privileged --network none busybox sh -c 'mknod /tmp-mem c 1 1 && dd if=/dev/zero of=/dev/null bs=1 count=1 2>/dev/null && echo device works; mount | grep cgroup2'
section left
groups_left
bocker ps -aq | grep -c .
