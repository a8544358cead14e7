/** Why bocker's containers are not as docker's, where they are not. A difference that is not here is a fault. */
import type { Reason } from "./compare.ts";

export const REASONS: readonly Reason[] = [
  {
    facts: ["filter * socket(AF_ALG)", "filter * socket(AF_ALG+2**32)", "filter * socket(AF_VSOCK+2**32)"],
    why: "AF_ALG is refused since CVE-2026-31431 (Docker's profile has it since 29.4.2), and the family is compared as the int that the kernel makes of it, so high bits do not get round the rule.",
  },
  {
    facts: ["filter i386 socketcall(1)"],
    why: "32-bit programs' socketcall(SYS_SOCKET) hides the family from the filter, so it is refused; the other calls of the multiplexer are not.",
  },
  {
    facts: ["filter architecture *"],
    why: "A call of another architecture ends the whole process, where libseccomp ends the thread.",
  },
  {
    facts: ["filter x32 *"],
    why: "x32 programs: two calls that this ABI does not have are not allowed, and personality(2) is compared with all 64 bits of its argument.",
  },
  {
    facts: ["devices devices/devices.list c 10:200 rwm"],
    why: "/dev/net/tun (10:200) is given by --device only.",
  },
  {
    facts: ["process parent death signal"],
    why: "A container whose monitor dies is killed: nobody would keep its output and its end.",
  },
  {
    facts: ["sysctls net/ipv6/conf/all/disable_ipv6", "sysctls net/ipv6/conf/default/disable_ipv6"],
    why: "bocker's networks have no IPv6 yet: it is off for every interface but lo, also for one that comes later; Docker switches it off for eth0.",
  },
  {
    facts: ["mounts /sys super options", "sys /sys/*"],
    docker: /^ro$|write EROFS$/,
    why: "bocker's /sys is read-only by its mount, docker's by its superblock, too, which is shared with whatever is in the same network namespace; who has no right to a file reads EACCES instead of EROFS.",
  },
  {
    facts: ["mounts /sys/fs/cgroup options", "sys /sys/fs/cgroup"],
    why: "The directory of the hierarchies is read-only as they are; in docker files can be made in it.",
  },
  {
    facts: ["mounts /sys/fs/cgroup/* propagation", "mounts /volume propagation"],
    docker: /^master$/,
    why: "Every mount of a container is private; docker's cgroups and volumes follow those of the machine.",
  },
  {
    facts: [
      "cgroup *blkio*",
      "cgroup *cpuset*",
      "cgroup *systemd*",
      "cgroup of v2",
      "mounts /sys/fs/cgroup/blkio *",
      "mounts /sys/fs/cgroup/cpuset *",
      "mounts /sys/fs/cgroup/systemd *",
    ],
    why: "cgroup v1: a container has a cgroup in the hierarchies that it is limited or counted by; of the others it sees nothing (cpuset is there with --cpuset-cpus).",
  },
  {
    facts: ["mounts order"],
    why: "Mounts that do not lie over each other come in another order: /dev/console is the last, --tmpfs follows -v.",
  },
  {
    facts: ["mounts / super options"],
    why: "Layers are given to overlay one by one; of a container that is removed when it ends nothing is written back for fsync (fsync=volatile); uuid=on is what the kernel decides for an upper directory that is new.",
  },
  {
    facts: ["mounts * source", "mounts * super options"],
    docker: /^tmpfs$|nr_inodes=1$/,
    why: "Over masked directories: the same empty read-only tmpfs, with room for a second inode and without a name.",
  },
  {
    facts: ["root /.dockerenv", "root /etc/mtab", "etc /etc/mtab"],
    why: "bocker puts nothing into a container's root: neither docker's mark nor its link /etc/mtab.",
  },
  {
    facts: ["etc /etc/resolv.conf text"],
    why: "The same servers and options under another heading.",
  },
  {
    facts: ["descriptors 0"],
    why: "Without -i stdin is the container's /dev/null, opened for reading; docker's first process has it for writing, too, its exec has not.",
  },
  {
    facts: ["network eth0 tx_queue_len"],
    why: "The kernel's default for a veth, which has no queue to be as long.",
  },
  {
    facts: ["keyring session"],
    why: "A session keyring of its own, named by the short id; no later process has to find it, so its owner may not search it by uid as docker's may.",
  },
];
