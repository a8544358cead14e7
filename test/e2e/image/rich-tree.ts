/** A directory with everything that a layer has to keep, and how to see whether it has. */
import { execFileSync } from "node:child_process";

/** Bytes as Latin-1: names need not be text. */
export const shell = (script: string, ...words: string[]): string =>
  execFileSync("sh", ["-c", script, "sh", ...words], { encoding: "latin1", maxBuffer: 1 << 28 });

const MAKE_TREE = `
set -e
cd "$1"
mkdir -p bin etc deep/er
cp /bin/busybox bin/busybox
for name in sh cat echo rm ls mkdir ln stat id; do ln -s busybox bin/$name; done
echo config > etc/config; chmod 640 etc/config; chown 12:34 etc/config
ln etc/config deep/er/linked
truncate -s 50M deep/sparse; printf tail >> deep/sparse
mknod etc/null c 1 3; mkfifo etc/fifo
chmod 4755 bin/busybox; chmod 1777 deep
touch -d '2001-02-03 04:05:06.123456789 UTC' etc/config
printf x > "$(printf 'etc/latin-\\344')"
printf y > 'etc/new
line'
setfattr -n user.note -v kept deep/er
setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= bin/busybox || true
`;

/** Fills an empty directory. */
export function fillRichTree(directory: string): void {
  shell(MAKE_TREE, directory);
}

/**
 * Everything of every file below "$1", in a form that can be compared; not of the directory itself, nor how many names a directory
 * has, nor the times of whiteouts: nobody keeps those. What is in files of a GiB and more is not read.
 */
export const LIST = `
cd "$1"
find . -mindepth 1 \\( -type d -printf '%p|%y|%m|%U|%G|%T@\\n' -o -printf '%p|%y|%m|%U|%G|%n|%s|%l|%T@\\n' \\) |
  sed 's/|c|0|0|0|.*/|whiteout/' | LC_ALL=C sort
find . -type f -size -1G -exec sha256sum {} + | LC_ALL=C sort
find . \\( -type c -o -type b \\) -exec stat -c '%n %t %T' {} + | LC_ALL=C sort
find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - --absolute-names
`;

/** The same of layers as the kernel puts them together. @param layers their directories, the topmost first */
export function listMerged(layers: readonly string[]): string {
  // A mount namespace of its own: the mount goes with it.
  const script = `d=$(mktemp -d); trap 'cd /; umount "$d"; rmdir "$d"' EXIT
    mount -t overlay -o "ro,lowerdir=$1" overlay "$d"; set -- "$d"\n${LIST}`;
  const words = ["--mount", "--propagation", "private", "sh", "-c", script, "sh", layers.join(":")];
  return execFileSync("unshare", words, { encoding: "latin1", maxBuffer: 1 << 28 });
}
