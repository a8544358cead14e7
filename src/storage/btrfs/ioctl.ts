/** Subvolumes, snapshots and quotas of btrfs by ioctl (linux/btrfs.h): what the program btrfs does, without it. */
import { ioctl, ioctlBuffer } from "../../os/files.ts";
import { volumeArguments } from "../../os/subvolume.ts";

/** _IOW(0x94, 14, struct btrfs_ioctl_vol_args) */
const BTRFS_IOC_SUBVOL_CREATE = 0x5000940e;
/** _IOW(0x94, 23, struct btrfs_ioctl_vol_args_v2) */
const BTRFS_IOC_SNAP_CREATE_V2 = 0x50009417;
/** _IOWR(0x94, 40, struct btrfs_ioctl_quota_ctl_args) */
const BTRFS_IOC_QUOTA_CTL = 0xc0109428;
const BTRFS_QUOTA_CTL_ENABLE = 1n;
/** _IOR(0x94, 43, struct btrfs_ioctl_qgroup_limit_args) */
const BTRFS_IOC_QGROUP_LIMIT = 0x8030942b;
const BTRFS_QGROUP_LIMIT_MAX_EXCL = 2n;
/** _IO(0x94, 46) */
const BTRFS_IOC_QUOTA_RESCAN_WAIT = 0x942e;

/** struct btrfs_ioctl_vol_args_v2: fd, transid, flags, 32 bytes of qgroups, then the name. */
const V2_SIZE = 4096;
const V2_NAME_AT = 56;

export function createSubvolume(dirfd: number, name: string): void {
  ioctlBuffer(dirfd, BTRFS_IOC_SUBVOL_CREATE, volumeArguments(name));
}

/** Makes `name` in `dirfd` a writable snapshot of the open subvolume `source`. */
export function createSnapshot(source: number, dirfd: number, name: string): void {
  const args = Buffer.alloc(V2_SIZE);
  args.writeBigInt64LE(BigInt(source), 0);
  args.write(name, V2_NAME_AT, "utf8");
  ioctlBuffer(dirfd, BTRFS_IOC_SNAP_CREATE_V2, args);
}

/** Turns the filesystem's quotas on, if they are not, and waits until all that is there has been counted. */
export function enableQuota(fd: number): void {
  const args = Buffer.alloc(16);
  args.writeBigUInt64LE(BTRFS_QUOTA_CTL_ENABLE, 0);
  ioctlBuffer(fd, BTRFS_IOC_QUOTA_CTL, args);
  ioctl(fd, BTRFS_IOC_QUOTA_RESCAN_WAIT);
}

/**
 * Limits what the open subvolume may have for itself alone: what it shares with its origin does not count.
 * @param limit bytes
 */
export function limitExclusive(fd: number, limit: number): void {
  // struct btrfs_ioctl_qgroup_limit_args: qgroupid (0: this subvolume's), flags, max_rfer, max_excl, rsv_rfer, rsv_excl
  const args = Buffer.alloc(48);
  args.writeBigUInt64LE(BTRFS_QGROUP_LIMIT_MAX_EXCL, 8);
  args.writeBigUInt64LE(BigInt(limit), 24);
  ioctlBuffer(fd, BTRFS_IOC_QGROUP_LIMIT, args);
}
