/** Copies of what a container has written over its layers; loaded only for who makes one. */
import { makeDirectory, setMode } from "../../os/host-files.ts";
import { copyingDirectory } from "../copy-tree.ts";
import type { ContainerRoot } from "../driver.ts";

/** A new directory and in it all that is in another; see copyingDirectory. */
export function* copyPlain(from: string, path: string): Generator<void, void, void> {
  makeDirectory(path, 0o700);
  yield* copyingDirectory(from, path);
}

/**
 * The upper directory with overlayfs's own marks, which are devices and attributes like others: whiteouts, opaque
 * directories. A name of a file below that it has moved is relative to the layers, which are the same.
 */
export function* copyOverlay(from: ContainerRoot, to: ContainerRoot): Generator<void, void, void> {
  yield* copyPlain(from.upper, to.upper);
  makeDirectory(to.work, 0o710);
  setMode(to.work, 0o710);
}
