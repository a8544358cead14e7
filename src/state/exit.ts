/** The record of a container's end where its monitor does not write it. */
import { rename, writeFile } from "../os/host-files.ts";
import { containerPaths, type Paths } from "./paths.ts";

/** What the monitor writes, too (write_exit in launcher/monitor.c), but for `error`. */
export interface ExitRecord {
  code: number;
  oom: boolean;
  finished: string;
  /** Why its last start failed. */
  error?: string;
}

/** Whole or not at all. */
export function writeExit(paths: Paths, id: string, exit: ExitRecord, durable: boolean): void {
  const path = containerPaths(paths, id).exit;
  writeFile(`${path}.tmp`, JSON.stringify(exit), { durable });
  rename(`${path}.tmp`, path);
}
