# bocker while somebody sets the clock: everything is printed, the test on the host judges.
section() { echo "== $1"; }
# Of the clock that nobody can set.
seconds() { cut -d . -f 1 /proc/uptime; }
took() {
	began=$(seconds)
	"$@"
	echo "after $(($(seconds) - began))"
}
# Sets the clock to this many seconds from what it says.
jump() { date -s "@$(($(date +%s) + $1))" > /dev/null; }
# Sets it soon, while what comes next is at work.
jump_soon() { (
	sleep 1
	jump "$1"
) & }
YEAR=31536000
DAY=86400

echo
mkdir -p /image/bin
cp /bin/busybox /image/bin/
for applet in sh cat echo sleep true; do ln -s busybox /image/bin/$applet; done
date -s '2026-06-01 12:00:00' > /dev/null
bocker init /image busybox > /dev/null
bocker run --rm --network none busybox true

STUBBORN='trap "" TERM; while :; do sleep 0.1; done'
for way in "forward $YEAR" "back -$YEAR"; do
	set -- $way
	section "stop $1"
	bocker run -d --name "stubborn" --network none busybox sh -c "$STUBBORN" > /dev/null
	jump_soon "$2"
	took bocker stop -t 4 stubborn
	wait
	bocker inspect -f '{{.State.ExitCode}}' stubborn
	bocker rm stubborn

	section "wait $1"
	bocker run -d --name waited --network none busybox sh -c 'sleep 3; exit 7' > /dev/null
	jump_soon "$2"
	took bocker wait waited
	wait
	bocker rm waited

	section "follow $1"
	bocker run -d --name followed --network none busybox sh -c 'echo one; sleep 3; echo two' > /dev/null
	jump_soon "$2"
	took bocker logs -f followed
	wait
	bocker rm followed

	section "run $1"
	jump_soon "$2"
	took bocker run --rm --network none busybox sh -c 'echo begun; sleep 2; echo ended; exit 3'
	wait

	section "ps $1"
	bocker run -d --name shown --network none busybox sleep 1000 > /dev/null
	jump "$2"
	bocker ps --format '{{.Names}} {{.Status}}' | cut -d ' ' -f 1,2
	bocker exec shown echo executed
	bocker stop -t 0 shown
	bocker ps -a --format '{{.Names}} {{.Status}}' | cut -d ' ' -f 1-3
	bocker start shown > /dev/null
	bocker rm -f shown
done

section health
# Its checks go on, and its start period ends, whatever the clock says.
bocker run -d --name checked --network none --health-cmd true --health-interval 500ms busybox sleep 1000 > /dev/null
bocker run -d --name starting --network none --health-cmd false --health-retries 1 --health-start-period 1h --health-start-interval 500ms busybox sleep 1000 > /dev/null
for way in $YEAR -$YEAR; do
	jump $way
	before=$(bocker events --since 90000h --until 0s -f event=exec_die | grep -c .)
	sleep 3
	after=$(bocker events --since 90000h --until 0s -f event=exec_die | grep -c .)
	[ "$after" -gt "$before" ] && echo "goes on"
	bocker inspect -f '{{.State.Health.Status}}' checked starting
done
bocker rm -f checked starting > /dev/null

section since
# The lines of a log are in the order in which they were written, whatever they say of the time.
bocker run -d --name log --network none busybox sh -c 'echo first; while [ ! -e /go ]; do sleep 0.1; done; echo second' > /dev/null
sleep 1
jump -$DAY
bocker exec log sh -c ': > /go'
bocker wait log
bocker logs log
echo "tail $(bocker logs --tail 1 log)"
echo "since $(bocker logs --since 1h log | cat)"
bocker rm log

section kept
# Nothing is thought to be a crash's, or old, because of what the clock says.
bocker run -d --name kept --network none -v data:/data busybox sleep 1000 > /dev/null
bocker create --name created --network none busybox true > /dev/null
jump $YEAR
bocker ps -q | grep -c .
jump -$((YEAR * 40))
bocker ps -q | grep -c .
bocker run --rm --network none busybox true
bocker inspect -f '{{.Name}} {{.State.Status}}' kept created
bocker images -q busybox | grep -c .
bocker volume ls -q
bocker system check

section cgroup
# One that nobody is in is told from a new one, although it was made in the future.
jump $DAY
mkdir /sys/fs/cgroup/bocker/$(printf %064d 7)
# It is as old as the first look at it.
stat /sys/fs/cgroup/bocker/$(printf %064d 7) > /dev/null
jump -$DAY
bocker system check | cut -d ' ' -f 1,3-6
bocker system check --repair > /dev/null
bocker rm -f kept created
bocker system check
