/** Where a container's cgroup lies: the same path in every hierarchy. */
import { BockerError } from "../base/errors.ts";

/** The parent of every container's cgroup, unless --cgroup-parent names another. It is made on demand and stays. */
export const OWN_PARENT = "/bocker";

/** Beside the containers, whose names are ids. */
export const MONITORS = `${OWN_PARENT}/monitors`;

/**
 * --cgroup-parent as the path of a cgroup; "" for the hierarchy's top.
 * @param text from the hierarchy's top, with a leading slash or without one
 * @throws BockerError "invalid" for what leads elsewhere or is no name in a cgroup filesystem
 */
export function parseCgroupParent(text: string): string {
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  // /proc/PID/cgroup is read line by line, so the kernel takes no newline either.
  if (parts.includes("..") || /\p{Cc}/u.test(text) || text === "")
    throw new BockerError(
      "invalid",
      `invalid cgroup parent ${JSON.stringify(text)}: it must be a path below the top of the cgroup hierarchies, without ".."`,
    );
  return parts.map((part) => `/${part}`).join("");
}

/**
 * The path of a container's cgroup below each hierarchy's mount.
 * @param parent as it was asked for; undefined for bocker's own
 */
export function cgroupPath(parent: string | undefined, id: string): string {
  return `${parent === undefined ? OWN_PARENT : parseCgroupParent(parent)}/${id}`;
}

/** The cgroups above one, the outermost first, without the hierarchy's top. */
export function pathsAbove(path: string): string[] {
  const parts = path.split("/").slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}
