/** An overlay of layers as a mount (Documentation/filesystems/overlayfs.rst). Loaded by starts that are decided anew only. */
import { BockerError } from "../../base/errors.ts";
import { kernelAtLeast } from "../../base/kernel-release.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../os/constants.ts";
import { openat, readlinkat, withFd } from "../../os/files.ts";
import { filesystemType } from "../../os/metadata.ts";
import type { ContainerRoot, NewMount, RootMount, RootRequest } from "../driver.ts";
import { SHORT_NAME } from "./layout.ts";

/** Docker's limit; the kernel itself takes 500. */
const MAX_LAYERS = 128;
/** mount(2) copies one page of options. */
const OPTION_PAGE = 4095;

/** linux/magic.h. */
const OVERLAYFS_MAGIC = 0x794c7630;

/** fsconfig's `lowerdir+`, one layer a call. */
const LAYER_OPTION_SINCE = "6.5";

/** With a layer's separators escaped. */
function escaped(path: string): string {
  return path.replace(/[\\:,]/g, (separator) => `\\${separator}`);
}

/** Throws "unsupported" for more layers than there may be, in any driver. */
export function checkDepth(count: number): void {
  if (count > MAX_LAYERS)
    throw new BockerError("unsupported", `max depth exceeded: ${count} layers, ${MAX_LAYERS} are the limit`);
}

/**
 * Layers upon this machine's own root. They lie somewhere below it, and an overlay refuses a layer that another one
 * contains (ELOOP): so the root becomes the one layer of an overlay of its own, with nothing above it, since without an
 * upper directory there must be two. Overlays can be stacked two high: where the root is one itself, layers can
 * only be on other filesystems, and are not in its way.
 */
function isInTheWay({ lowers }: ContainerRoot): boolean {
  if (lowers.length === 1 || lowers.at(-1) !== "/") return false;
  return withFd(openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY), filesystemType) !== OVERLAYFS_MAGIC;
}

function rootApart(mountPoint: string, hasLayerOption: boolean): NewMount[] {
  const options: [string, string][] = hasLayerOption
    ? [
        ["lowerdir+", mountPoint],
        ["lowerdir+", "/"],
      ]
    : [["lowerdir", `${escaped(mountPoint)}:/`]];
  return [
    { type: "tmpfs", options: [["mode", "755"]] },
    { type: "overlay", options },
  ];
}

/** A layer's directory, relative to the driver's root where it has a short name there, and with overlay's separators escaped. */
function shortName(root: string, lower: string): string {
  const hex = lower.startsWith(`${root}/`) ? lower.slice(root.length + 1).split("/")[0] : undefined;
  const short = hex === undefined ? undefined : `l/${hex.slice(0, SHORT_NAME)}`;
  const isLinked =
    short !== undefined && readlinkat(AT_FDCWD, `${root}/${short}`).toString() === `../${hex}/diff`;
  return escaped(isLinked ? short : lower);
}

/** @param root the driver's, with short names of its layers; only needed before Linux 6.5 */
export function overlayMount(request: RootRequest, kernel: string, root: string): RootMount {
  checkDepth(request.lowers.length);
  const { mountPoint } = request;
  const hasLayerOption = kernelAtLeast(kernel, LAYER_OPTION_SINCE);
  const isApart = isInTheWay(request);
  const below = isApart ? rootApart(mountPoint, hasLayerOption) : [];
  const lowers = isApart ? request.lowers.with(-1, mountPoint) : request.lowers;
  if (hasLayerOption) {
    const options: [string, string][] = lowers.map((lower) => ["lowerdir+", lower]);
    options.push(["upperdir", request.upper], ["workdir", request.work]);
    if (request.disposable) options.push(["volatile", ""]);
    return { kind: "fsmount", type: "overlay", options, below };
  }
  const names = lowers.map((lower) => shortName(root, lower));
  // A store that has no layers yet need not have the directory either.
  const from = names.every((name) => name.startsWith("/")) ? "/" : root;
  const data = `lowerdir=${names.join(":")},upperdir=${request.upper},workdir=${request.work}${request.disposable ? ",volatile" : ""}`;
  if (Buffer.byteLength(data) > OPTION_PAGE)
    throw new BockerError(
      "unsupported",
      `the paths of ${request.lowers.length} layers do not fit into one mount on Linux ${kernel}`,
    );
  return { kind: "mount", type: "overlay", directory: from, data, below };
}
