/** Whether this is the first command since the machine came up, or the first ever. */
import { makeDirectories, readText, readTextIfExists, writeFile } from "../os/host-files.ts";
import type { Paths } from "./paths.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** True once a boot, for the one who asks first: what the last boot left can be put right by that one. */
export function isFirstOfBoot(paths: Paths): boolean {
  const marker = `${paths.run}/boot-id`;
  const boot = readText(BOOT_ID);
  if (readTextIfExists(marker) === boot) return false;
  makeDirectories(paths.run, 0o710);
  writeFile(marker, boot);
  return true;
}
