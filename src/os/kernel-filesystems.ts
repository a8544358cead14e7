/** Filesystems whose files are the kernel's own state: what can be read there is no copy of it, and what is written is an order. */
import { filesystemType } from "./metadata.ts";

/** f_type, as in <linux/magic.h>. */
const TYPES = new Set([
  0x9fa0, // proc
  0x62656572, // sysfs
  0x27e0eb, // cgroup
  0x63677270, // cgroup2
  0x1cd1, // devpts
  0x19800202, // mqueue
  0x64626720, // debugfs
  0x74726163, // tracefs
  0x73636673, // securityfs
  0xcafe4a11, // bpf
  0x6e736673, // nsfs
]);

/** Whether `fd`, a descriptor of any kind, is on one of them. */
export function isKernelFilesystem(fd: number): boolean {
  return TYPES.has(filesystemType(fd));
}
