/** What the kernel holds under bocker's name: mounts, cgroups, addresses, ports, monitors. */
import { cgroupDirectories, unescapeMountPath } from "../../cgroup/layout.ts";
import { OWN_PARENT } from "../../cgroup/place.ts";
import { removeCgroup } from "../../cgroup/remove.ts";
import { unpublishPorts } from "../../network/bridge/firewall.ts";
import { listPublished, portInUse } from "../../network/bridge/host-port.ts";
import { AT_FDCWD, MNT_DETACH, SIGKILL } from "../../os/constants.ts";
import { umount2 } from "../../os/files.ts";
import { linkTarget, listNames, readText, readTextIfExists } from "../../os/host-files.ts";
import { statatIfExists } from "../../os/metadata.ts";
import { NetlinkError, NetlinkSocket } from "../../os/netlink/socket.ts";
import { kill } from "../../os/processes.ts";
import { AddressTable } from "../../state/addresses.ts";
import { monitorPid } from "../../state/status.ts";
import type { Engine } from "../engine.ts";
import { entries, type Finding, ids, unlessLocked } from "./finding.ts";

/**
 * Seconds: a start makes its cgroups before it is in them. They count from when somebody first looked at one: kernfs does not keep
 * when it was made.
 */
const NEW_CGROUP = 10;

/** Roots are mounted where only their containers see them: a mount that is seen here is somebody's mistake. */
export function checkMounts(engine: Engine): Finding[] {
  const { containers, runContainers, mountPoint, trash } = engine.paths;
  const own = [containers, runContainers, mountPoint, trash];
  return readText("/proc/self/mountinfo")
    .split("\n")
    .map((line) => unescapeMountPath(line.split(" ", 5)[4] ?? ""))
    .filter((target) => own.some((path) => target === path || target.startsWith(`${path}/`)))
    .reverse()
    .map((target) => ({
      subject: `mount ${target}`,
      problem: "belongs to no container",
      mend: () => {
        umount2(target, MNT_DETACH);
        return "it is unmounted";
      },
    }));
}

/** The processes of a cgroup, one a line; undefined for what is no cgroup, or is gone. */
function processesOf(directory: string): string | undefined {
  return readTextIfExists(`${directory}/cgroup.procs`);
}

/** True when no process is in the cgroup or below it. */
function isEmpty(directory: string): boolean {
  if ((processesOf(directory) ?? "").trim() !== "") return false;
  return entries(directory)
    .map((name) => `${directory}/${name}`)
    .filter((below) => processesOf(below) !== undefined)
    .every(isEmpty);
}

/** Cgroups in bocker's parent that are of no container here and of no process anywhere: paths of directories. */
function strayCgroups(engine: Engine): string[] {
  const parents = cgroupDirectories(OWN_PARENT).map((parent) => ({ parent, names: ids(parent) }));
  if (parents.every(({ names }) => names.length === 0)) return [];
  const known = new Set(engine.containers.ids());
  return parents.flatMap(({ parent, names }) =>
    names
      .filter((id) => !known.has(id))
      .map((id) => `${parent}/${id}`)
      .filter(isStrayCgroup),
  );
}

function isStrayCgroup(directory: string): boolean {
  const made = statatIfExists(AT_FDCWD, directory)?.ctime.sec;
  // Also one of the future is not new: the clock was put back (R15).
  return made !== undefined && Math.abs(Date.now() / 1000 - made) > NEW_CGROUP && isEmpty(directory);
}

export function checkCgroups(engine: Engine): Finding[] {
  return strayCgroups(engine).map((directory) => ({
    subject: `cgroup ${directory}`,
    problem: "belongs to no container",
    mend: () => {
      if (isStrayCgroup(directory)) removeCgroup(directory);
      return "it is removed";
    },
  }));
}

/** Removes what was busy when its container's monitor or launcher was killed, and whoever repaired that had to leave it. */
export function freeCgroups(engine: Engine): void {
  for (const directory of strayCgroups(engine)) removeCgroup(directory);
}

/** Addresses that are leased to containers that are not there. One that has ended may keep its own until it is needed. */
export function checkLeases(engine: Engine): Finding[] {
  const addresses = new AddressTable(engine.database);
  const isStray = (holder: string) => engine.containers.get(holder) === undefined;
  return addresses
    .holders()
    .filter((holder) => unlessLocked(engine, holder, () => isStray(holder)) === true)
    .map((holder) => ({
      subject: `address of ${holder}`,
      problem: "is leased to no container",
      mend: () => {
        unlessLocked(engine, holder, () => {
          if (isStray(holder)) addresses.release(holder);
        });
        return "it is free";
      },
    }));
}

/** Rules for ports that nobody holds any more: a monitor holds the sockets of its container's ports. */
export function checkPorts(): Finding[] {
  return listPublished()
    .filter((port) => port.protocol !== "sctp" && !portInUse(port.protocol, port.hostIp, port.hostPort))
    .map((port) => ({
      subject: `port ${port.hostIp}:${port.hostPort}/${port.protocol}`,
      problem: `is published to ${port.containerIp}:${port.containerPort}, and no monitor holds it`,
      mend: () => {
        using socket = new NetlinkSocket("nftables");
        try {
          socket.request(unpublishPorts([port]));
        } catch (error) {
          if (!(error instanceof NetlinkError) || error.code !== "not-found") throw error;
        }
        return "its rule is removed";
      },
    }));
}

/** The id of the container that a monitor watches, by the directory that it holds; undefined for other processes. */
function watchedBy(engine: Engine, pid: string): string | undefined {
  const prefix = `${engine.paths.runContainers}/`;
  for (const fd of entries(`/proc/${pid}/fd`)) {
    const target = linkTarget(`/proc/${pid}/fd/${fd}`)?.replace(/ \(deleted\)$/, "");
    if (target?.startsWith(prefix)) return target.slice(prefix.length).split("/")[0];
  }
  return undefined;
}

/** Monitors of containers that are not there, or that have another monitor. */
export function checkMonitors(engine: Engine): Finding[] {
  const launchers = listNames("/proc").filter(
    (name) => /^\d+$/.test(name) && readTextIfExists(`/proc/${name}/comm`)?.startsWith("memfd:bocker-la"),
  );
  return launchers.flatMap((name): Finding[] => {
    const id = watchedBy(engine, name);
    if (id === undefined) return [];
    const isStray = () =>
      engine.containers.get(id) === undefined && monitorPid(engine.paths, id) === undefined;
    if (unlessLocked(engine, id, isStray) !== true) return [];
    const mend = () => {
      unlessLocked(engine, id, () => {
        if (isStray() && watchedBy(engine, name) === id) kill(Number(name), SIGKILL);
      });
      return "it is killed";
    };
    return [{ subject: `monitor ${name}`, problem: "watches a container that is not there", mend }];
  });
}
