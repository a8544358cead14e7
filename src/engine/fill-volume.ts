/** A new volume gets what the image has at its place. */
import { LayerApplier } from "../images/layer/apply.ts";
import { diffUpper } from "../images/layer/diff.ts";
import { layerPath } from "../images/layer/layer-path.ts";
import { LowerLayers } from "../images/layer/lower-layers.ts";
import { TarReader } from "../images/layer/tar-reader.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../os/constants.ts";
import { close, openat, withFd } from "../os/files.ts";
import { listNames } from "../os/host-files.ts";
import { fchmod, fchown, fstat } from "../os/metadata.ts";

/**
 * Fills an empty volume with what the image has at the mount's place, as Docker does: files of all
 * layers merged, and the directory's owner and mode. True if it has: the image has something there, and the volume was empty.
 */
export function fillFromImage(layers: string[], destination: string, directory: string): boolean {
  if (listNames(directory).length > 0) return false;
  const roots = layers.map((layer) => openat(AT_FDCWD, layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const sources: number[] = [];
  try {
    sources.push(...new LowerLayers(roots).directories(layerPath(Buffer.from(destination))));
    const [top] = sources;
    if (top === undefined) return false;
    withFd(openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), (target) => {
      for (const source of [...sources].reverse()) {
        const applier = new LayerApplier(target, { mode: "rootfs" });
        try {
          const reader = new TarReader(applier);
          for (const chunk of diffUpper(source, { oneFileSystem: true })) reader.write(chunk);
          reader.finish();
          applier.finish();
        } finally {
          applier.close();
        }
      }
      const { uid, gid, mode } = fstat(top);
      fchown(target, uid, gid);
      fchmod(target, mode & 0o7777);
    });
    return true;
  } finally {
    for (const fd of [...sources, ...roots]) close(fd);
  }
}
