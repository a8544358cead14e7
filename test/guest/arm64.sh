# bocker on arm64: everything is printed, the test on the host judges.
section() { echo "== $1"; }
echo
section kernel
uname -a
time bocker --version
time bocker version
mkdir -p /image/bin /image/etc
cp /bin/busybox /image/bin/
for applet in sh cat ls echo sleep mount mknod dd id grep true tail; do ln -s busybox /image/bin/$applet; done
section init
time bocker init /image busybox
section run
time bocker run --rm --network none busybox sh -c 'echo out; exit 42'
echo "code $?"
time BUN_JSC_verboseDiskCache=1 bocker ps
