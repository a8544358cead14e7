/** An overlay of layers as a mount (Documentation/filesystems/overlayfs.rst), and what it needs. */
import { BockerError } from "../../base/errors.ts";
import { kernelAtLeast } from "../../base/kernel-release.ts";
import type { ContainerRoot, RootMount, RootPreparation, RootRequest } from "../driver.ts";

/** Docker's limit; the kernel itself takes 500. */
export const MAX_LAYERS = 128;
/** mount(2) copies one page of options. */
const OPTION_PAGE = 4095;

/** fsconfig's `lowerdir+`, one layer a call. */
const LAYER_OPTION_SINCE = "6.5";

/** What an overlay of a container needs. */
export function overlayDirectories({ upper, work }: ContainerRoot): RootPreparation[] {
  return [
    {
      kind: "directory",
      path: upper,
      mode: 0o755,
      why: "what the container writes goes here; its mode is that of the container's /",
    },
    {
      kind: "directory",
      path: work,
      mode: 0o710,
      why: "overlayfs prepares changes here, on the same filesystem",
    },
  ];
}

/** With a layer's separators escaped. */
export function escaped(path: string): string {
  return path.replace(/[\\:,]/g, (separator) => `\\${separator}`);
}

/** Throws "unsupported" for more layers than there may be, in any driver. */
export function checkDepth(count: number): void {
  if (count > MAX_LAYERS)
    throw new BockerError("unsupported", `max depth exceeded: ${count} layers, ${MAX_LAYERS} are the limit`);
}

/**
 * @param directory what the names that `shortName` gives are relative to; both are only needed before Linux 6.5
 */
export function overlayMount(
  request: RootRequest,
  kernel: string,
  directory: string,
  shortName: (lower: string) => string,
): RootMount {
  checkDepth(request.lowers.length);
  if (kernelAtLeast(kernel, LAYER_OPTION_SINCE)) {
    const options: [string, string][] = request.lowers.map((lower) => ["lowerdir+", lower]);
    options.push(["upperdir", request.upper], ["workdir", request.work]);
    if (request.disposable) options.push(["volatile", ""]);
    return { kind: "fsmount", type: "overlay", options };
  }
  const names = request.lowers.map(shortName);
  // A store that has no layers yet need not have the directory either.
  const from = names.every((name) => name.startsWith("/")) ? "/" : directory;
  const data = `lowerdir=${names.join(":")},upperdir=${request.upper},workdir=${request.work}${request.disposable ? ",volatile" : ""}`;
  if (Buffer.byteLength(data) > OPTION_PAGE)
    throw new BockerError(
      "unsupported",
      `the paths of ${request.lowers.length} layers do not fit into one mount on Linux ${kernel}`,
    );
  return { kind: "mount", type: "overlay", directory: from, data };
}
