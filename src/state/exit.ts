/** The record of a container's end where its monitor does not write it. */
import { replaceFile } from "../os/replace-file.ts";
import { containerPaths, type Paths } from "./paths.ts";

/** What the monitor writes, too (write_exit in launcher/monitor.c), but for `error`. */
export interface ExitRecord {
  code: number;
  oom: boolean;
  finished: string;
  /** Why its last start failed. */
  error?: string;
}

export function writeExit(paths: Paths, id: string, exit: ExitRecord, durable: boolean): void {
  replaceFile(containerPaths(paths, id).exit, JSON.stringify(exit), { durable });
}
