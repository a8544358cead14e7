/** What overlays have on the disk. */
import type { ContainerRoot, RootPreparation } from "../driver.ts";

/** How many digits of its chain id a layer's short name has. A collision would only cost the short name. */
export const SHORT_NAME = 12;

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
