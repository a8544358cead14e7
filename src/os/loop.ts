/** Files as block devices (linux/loop.h). */
import { AT_FDCWD, O_CLOEXEC, O_RDWR } from "./constants.ts";
import { ioctl, ioctlBuffer, openat, withFd } from "./files.ts";
import { exists, listNames } from "./host-files.ts";
import { fstat, type Stat } from "./metadata.ts";
import { isSystemError } from "./system-error.ts";

const LOOP_GET_STATUS64 = 0x4c05;
const LOOP_CTL_GET_FREE = 0x4c82;
/** Since Linux 5.8: a device gets its file and its settings at once. */
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;

/** struct loop_config: fd, block_size, struct loop_info64 (232 bytes), 8 reserved words. */
const CONFIG_SIZE = 304;
/** struct loop_info64, which begins with the file's device and inode number. */
const INFO_SIZE = 232;
const FLAGS_AT = 60;
const NAME_AT = 64;
const NAME_MAX = 63;

const ATTEMPTS = 20;

function configuration(file: number, path: string, flags: number): Buffer {
  const config = Buffer.alloc(CONFIG_SIZE);
  config.writeUInt32LE(file, 0);
  config.writeUInt32LE(flags, FLAGS_AT);
  config.set(Buffer.from(path, "utf8").subarray(0, NAME_MAX), NAME_AT);
  return config;
}

function configure(device: number, file: number, path: string): void {
  try {
    // Without a second copy in memory of what the filesystem keeps there already.
    ioctlBuffer(device, LOOP_CONFIGURE, configuration(file, path, LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO));
  } catch (error) {
    if (!isSystemError(error, "EINVAL")) throw error;
    ioctlBuffer(device, LOOP_CONFIGURE, configuration(file, path, LO_FLAGS_AUTOCLEAR));
  }
}

/** Whether a loop device is this file. */
function isDeviceOf(device: number, { dev, ino }: Stat): boolean {
  const info = Buffer.alloc(INFO_SIZE);
  try {
    ioctlBuffer(device, LOOP_GET_STATUS64, info);
  } catch (error) {
    // Set free meanwhile.
    if (isSystemError(error, "ENXIO")) return false;
    throw error;
  }
  return Number(info.readBigUInt64LE(0)) === dev && Number(info.readBigUInt64LE(8)) === ino;
}

const open = (name: string) => openat(AT_FDCWD, name, O_RDWR | O_CLOEXEC);

/** Calls `use` with the device that is the file already; undefined where none is. */
function withExisting<T>(file: Stat, use: (device: string) => T): { result: T } | undefined {
  const names = listNames("/sys/block").filter((name) => exists(`/sys/block/${name}/loop`));
  for (const name of names) {
    const device = `/dev/${name}`;
    const found = withFd(open(device), (fd) => (isDeviceOf(fd, file) ? { result: use(device) } : undefined));
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Calls `use` with the path of a block device that is the file. Never are two devices the same
 * file: a filesystem that is mounted from both would be destroyed. The device is gone when nobody has it open any more; a mount
 * that `use` makes of it has it open.
 */
export function withLoopDevice<T>(path: string, use: (device: string) => T): T {
  return withFd(open(path), (file) => {
    const existing = withExisting(fstat(file), use);
    if (existing !== undefined) return existing.result;
    for (let attempt = 1; ; attempt++) {
      const number = withFd(open("/dev/loop-control"), (control) => ioctl(control, LOOP_CTL_GET_FREE));
      const device = `/dev/loop${number}`;
      const fd = open(device);
      try {
        configure(fd, file, path);
      } catch (error) {
        withFd(fd, () => {
          // Somebody else has taken it meanwhile.
          if (!isSystemError(error, "EBUSY") || attempt === ATTEMPTS) throw error;
        });
        continue;
      }
      return withFd(fd, () => use(device));
    }
  });
}
