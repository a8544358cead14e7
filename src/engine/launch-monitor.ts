/** Starts a launcher where monitors are, away from the service that bocker was called from. */
import type { MonitorPlace } from "../cgroup/monitors.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../os/constants.ts";
import { openat, withFd } from "../os/files.ts";
import { isSystemError } from "../os/system-error.ts";
import { type Launched, launch } from "../runtime/launch/launcher.ts";
import { monitorSteps } from "../runtime/plan/monitor-place.ts";
import { performCgroupStep } from "./steps.ts";

/** Made once on a machine; but somebody may remove it at any time as long as it is empty. */
const ATTEMPTS = 5;

/** As `launch`, into the monitors' cgroup of v2 where there is one to go to. */
export function launchMonitor(
  place: MonitorPlace,
  title: string,
  prepare: (socket: number) => void,
): Launched {
  if (place.bornIn === undefined) return launch(title, -1, prepare);
  const { directory } = place.bornIn;
  for (let attempt = 1; ; attempt++) {
    try {
      const fd = openat(AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
      return withFd(fd, () => launch(title, fd, prepare));
    } catch (error) {
      // ENODEV: it was removed after it was opened.
      if (attempt === ATTEMPTS || !isSystemError(error, "ENOENT", "ENODEV")) throw error;
      for (const step of monitorSteps(place)) performCgroupStep(step);
    }
  }
}
