/**
 * Where monitors are. A service manager ends a service, or a login, by killing all in its cgroup; a monitor that was
 * started from there would go too, and take its container along. So all of them are in a cgroup of their own.
 */
import { type CgroupLayout, readLayout } from "./layout.ts";
import { MONITORS, pathsAbove } from "./place.ts";

export interface MonitorPlace {
  /** v2: the cgroup that the launcher is born in, and the directories that lead there, outermost first. */
  bornIn: { directory: string; directories: string[] } | undefined;
  /** v1: directories that the launcher makes where they are missing, and the files it writes "0" to. */
  directories: string[];
  enter: string[];
}

/** Hierarchies by which services are known, and only where this process is in one of theirs: not at the top. */
export function planMonitor(layout: CgroupLayout = readLayout()): MonitorPlace {
  const { unified, naming } = layout;
  const left = [...(unified === undefined ? [] : [unified]), ...naming].filter(({ own }) => own !== "");
  const directoriesOf = (mount: string) =>
    [...pathsAbove(MONITORS), MONITORS].map((path) => `${mount}${path}`);
  const first = left.filter(({ version }) => version === 1);
  const second = left.find(({ version }) => version === 2);
  return {
    bornIn:
      second === undefined
        ? undefined
        : { directory: `${second.mount}${MONITORS}`, directories: directoriesOf(second.mount) },
    directories: first.flatMap(({ mount }) => directoriesOf(mount)),
    enter: first.map(({ mount }) => `${mount}${MONITORS}/tasks`),
  };
}
