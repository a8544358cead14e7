# bocker on arm64: everything is printed, the test on the host judges.
section() { echo "== $1"; }
quiet() { "$@" > /dev/null; }
groups_left() { find /sys/fs/cgroup -mindepth 1 -type d ! -path /sys/fs/cgroup/bocker; }
id_of() { bocker inspect -f '{{.Id}}' "$1"; }

echo
section version
uname -m
bocker version -f '{{.Server.Os}}/{{.Server.Arch}}'
sh /opt/npm/bin/bocker --version
BUN_JSC_verboseDiskCache=1 bocker version > /tmp/cache 2>&1
grep -c 'Cache hit' /tmp/cache
grep -c 'Cache miss' /tmp/cache
bocker info -f '{{.Architecture}} {{.OSType}} {{.CgroupVersion}}'

mkdir -p /image/bin /image/etc
cp /bin/busybox /image/bin/
for applet in sh cat dd grep httpd ln ls mkdir mknod readlink sleep stat tail true tty wget; do ln -s busybox /image/bin/$applet; done
section init
bocker init /image busybox
bocker inspect -f '{{.Os}}/{{.Architecture}}' busybox

section run
bocker run --rm --network none busybox sh -c 'echo out; echo error >&2; exit 42' 2> /tmp/error
echo "code $?"
cat /tmp/error
section own-codes
bocker run --rm --network none busybox /etc 2> /dev/null
echo "code $?"
bocker run --rm --network none busybox nothing-of-that-name 2> /dev/null
echo "code $?"
bocker run --rm --network none busybox sh -c 'sh -c "kill -9 \$\$"; exit $?' 2> /dev/null
echo "code $?"
section host-image
bocker run --rm --network none host sh -c 'echo from the host image; ls -l /proc/1/exe' | sed 's/.* -> //'

section upon-host
bocker run --name above --network none host sh -c 'echo upon the host > /upon'
bocker commit above upon > /dev/null
bocker rm above > /dev/null
bocker run --rm --network none upon sh -c 'cat /upon; readlink -f /proc/self/exe'

section server
bocker run -d --name server -p 8080:80 -m 32m --memory-swap 48m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 1 --pids-limit 21 \
	--device /dev/tty0:r busybox sh -c 'mkdir /w; echo hello from arm64 > /w/index.html; echo serving; httpd -f -p 80 -h /w' > /dev/null
directory=/sys/fs/cgroup/bocker/$(id_of server)
(cd "$directory" && cat memory.max memory.swap.max cpu.max cpu.weight cpuset.cpus pids.max)
section published
wget -q -O - http://127.0.0.1:8080/
bocker exec server wget -q -O - "http://127.0.0.1/"
section ps
bocker ps --format '{{.Names}} {{.Image}} {{.Ports}}'
section logs
bocker logs server
section exec
bocker exec -e A=B -w /w server sh -c 'pwd; echo "$A"; exit 3'
echo "code $?"
section filter
/opt/probe filter "$(bocker inspect -f '{{.State.Pid}}' server)" | base64
section devices
bocker exec server sh -c 'echo x > /dev/null && echo null works
mknod /dev/mem c 1 1 && echo mknod works; cat /dev/mem 2>&1 | tail -c 40
dd if=/dev/tty0 of=/dev/null bs=1 count=0 2>/dev/null && echo tty reads
(echo x > /dev/tty0) 2>&1 | tail -n 1'
section commit
bocker exec server sh -c 'mkdir /links; ln -s /etc/passwd /links/out; ln -s gone /links/dangling; echo kept > /links/file; ln /links/file /links/second'
bocker commit server kept > /dev/null
bocker run --rm --network none kept sh -c 'cat /links/file; readlink /links/out; readlink /links/dangling; stat -c %h /links/second'
section export
bocker export server | tar -t | grep -c links/
section stop
bocker stop -t 1 server
bocker inspect -f '{{.State.Status}} {{.State.ExitCode}}' server
bocker start server
bocker rm -f server

section links
# O_DIRECTORY and O_NOFOLLOW have numbers of their own on arm64: the wrong ones would follow, or refuse what is right.
mkdir -p /volume/inner /escape
ln -s /volume /named
quiet bocker run --name linked --network none busybox sh -c 'ln -s /escape /out; ln -s .. /up'
quiet bocker commit linked linked
quiet bocker rm linked
bocker run --rm --network none -v /volume:/out/place -v /named:/up/up/other -v data:/v linked sh -c 'ls -d /escape/place/inner /other/inner
echo in a volume > /v/file; cat /v/file'
ls /escape

section terminal
bocker run --rm -t --network none busybox sh -c 'tty; test -t 1 && echo a terminal'
section own-terminal
# One bocker's terminal is the other's: what it reads, sets to raw and puts back is termios of arm64.
bocker run -t --privileged --name outer --network none --tmpfs /var/lib/bocker --tmpfs /run/bocker host sh -c 'stty rows 33 cols 99
stty -g > /tmp/before
/opt/bocker run -t -i --rm --network none host sh -c "stty size; exit 5"
echo "code $?"; stty -g > /tmp/after; cmp /tmp/before /tmp/after && echo put back; uname -m'
bocker rm outer > /dev/null

section first-process
bocker run --rm --init --network none busybox sh -c 'cat /proc/1/comm; (sleep 0.1 &) ; sleep 0.5; cat /proc/[0-9]*/status | grep -c Z; exit 9'
echo "code $?"
section service
# Called from a service's cgroup, bocker makes a monitor by a clone3 of its own assembly.
mkdir /sys/fs/cgroup/some.service
sh -c 'echo 0 > /sys/fs/cgroup/some.service/cgroup.procs
exec bocker run -d --init --name gentle --network none busybox sh -c "trap \"exit 8\" TERM; while :; do sleep 0.1; done"' > /dev/null
grep -c . /sys/fs/cgroup/some.service/cgroup.procs /sys/fs/cgroup/bocker/monitors/cgroup.procs | sed 's/.*://'
quiet bocker stop gentle
bocker inspect -f '{{.State.ExitCode}}' gentle
quiet bocker rm gentle
rmdir /sys/fs/cgroup/some.service /sys/fs/cgroup/bocker/monitors

section out-of-memory
bocker run --name hungry --network none -m 16m --memory-swap 16m busybox tail -c 200m /dev/zero
echo "code $?"
bocker inspect -f '{{.State.OOMKilled}}' hungry
quiet bocker rm hungry

section facts
bocker import /opt/probe.tar probe > /dev/null
namespaces=$(for name in /proc/self/ns/*; do readlink "$name"; done | sort -u)
: | bocker run --rm probe /probe facts $namespaces
section unfiltered
bocker run --rm --network none --security-opt seccomp=unconfined probe /probe calls
section arm32
bocker run --rm --network none host /opt/arm32
echo "filtered $?"
bocker run --rm --network none --security-opt seccomp=unconfined host /opt/arm32
echo "unfiltered $?"
bocker run --rm --network none --security-opt seccomp=/opt/only64.json host /opt/arm32
echo "another architecture $?"

section explained
bocker run --explain --network none busybox true | grep -A 1 'system call filter'
bocker run --explain=sh --network none busybox true | sh -n && echo a script

section left
bocker ps -aq | grep -c .
groups_left
bocker system check
