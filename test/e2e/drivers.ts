/** A sandbox on each storage driver, on a filesystem that shows what the driver is for. */
import { type FilesystemName, LoopFilesystem } from "../storage/filesystem.ts";
import { busyboxSandbox } from "./busybox.ts";
import { Sandbox } from "./sandbox.ts";

/** `undefined`: the filesystem of the temporary directory. */
export const DRIVERS: [driver: string, filesystem: FilesystemName | undefined][] = [
  ["overlay", undefined],
  ["vfs", "xfs"],
  ["btrfs", "btrfs"],
];

/** With the image busybox. `remove` takes the filesystem away, too. @param bytes how large it is */
export function driverSandbox(driver: string, filesystem: FilesystemName | undefined, bytes?: number) {
  const mounted = filesystem === undefined ? undefined : new LoopFilesystem(filesystem, bytes);
  const sandbox = busyboxSandbox(new Sandbox(mounted?.path, { BOCKER_STORAGE_DRIVER: driver }));
  const remove = () => {
    sandbox.remove();
    mounted?.remove();
  };
  return { sandbox, remove };
}
