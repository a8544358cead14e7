/** Bocker's cgroups on this machine, in every hierarchy that it has. */
import { readdirSync, rmdirSync } from "node:fs";
import { cgroupDirectories } from "../../src/cgroup/layout.ts";
import { MONITORS, OWN_PARENT } from "../../src/cgroup/place.ts";

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? "";

/** What containers leave on purpose, as long as nobody else's are in it: another suite may be at work. */
export function removeEmptyParents(): void {
  for (const directory of [MONITORS, OWN_PARENT].flatMap((path) => cgroupDirectories(path)))
    try {
      rmdirSync(directory);
    } catch (error) {
      if (!["ENOENT", "ENOTEMPTY", "EBUSY"].includes(codeOf(error))) throw error;
    }
}

/** The names of the cgroups in bocker's own parent: containers' ids, and that of the monitors. */
export function cgroupNames(): string[] {
  return cgroupDirectories(OWN_PARENT).flatMap((directory) => {
    try {
      return readdirSync(directory, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      return [];
    }
  });
}
