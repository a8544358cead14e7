#!/bin/sh
# Gives the bench a machine of its own: mounts, network, processes and cgroups that end with it. Called in new
# namespaces, in cgroups made for it: enclosure.sh DIRECTORY COMMAND...
set -eu
directory=$1
shift
mount --make-rprivate /
ip link set lo up
# A filesystem of its own, and xfs: ext4 searches all inodes that were freed in the last minutes whenever it makes one
# (recently_deleted, fs/ext4/ialloc.c), so that each engine would pay for what the one before it has removed.
if command -v mkfs.xfs >/dev/null && truncate -s 100G "$directory/disk" && mkfs.xfs -q "$directory/disk" &&
	mount -o loop "$directory/disk" "$directory"; then
	mkdir -m 700 "$directory/run"
else
	echo 'bench: it works on the filesystem that is there: one of its own needs xfsprogs and a kernel with xfs' >&2
fi
# Every engine sees the bench's own cgroup as the top of each hierarchy.
sed -n 's/^[^-]* \(\/sys\/fs\/cgroup[^ ]*\) [^-]*- \(cgroup2\{0,1\}\) [^ ]* \(.*\)$/\1 \2 \3/p' /proc/self/mountinfo |
	while read -r target type options; do
		umount -l "$target"
		if [ "$type" = cgroup2 ]; then
			mount -t cgroup2 none "$target"
		else
			mount -t cgroup -o "$(echo "$options" | sed 's/^rw,//; s/xattr,//')" none "$target"
		fi
	done
mount -t proc none /proc
# What lives until the next boot is in memory, as on any machine.
mount -t tmpfs -o mode=755 none "$directory/run"
# Not exec: process 1 is the shell, which reaps what others leave to it.
"$@"
exit $?
