/** A volume as Docker's API describes it (Volume, API 1.51). */
import { wholeSeconds } from "../base/whole-seconds.ts";
import { type VolumeRecord, volumeDirectory } from "../state/volumes.ts";
import type { Engine } from "./engine.ts";

export interface VolumeDocument {
  /** RFC 3339, whole seconds, as Docker's local driver has them. */
  CreatedAt: string;
  Driver: string;
  Labels: Record<string, string> | null;
  Mountpoint: string;
  Name: string;
  Options: Record<string, string> | null;
  Scope: string;
}

export function inspectVolume(
  engine: Engine,
  { name, created, labels, anonymous, size }: VolumeRecord,
): VolumeDocument {
  const own: Record<string, string> = anonymous ? { "com.docker.volume.anonymous": "", ...labels } : labels;
  return {
    CreatedAt: wholeSeconds(created),
    Driver: "local",
    Labels: Object.keys(own).length === 0 ? null : own,
    Mountpoint: volumeDirectory(engine.paths, name),
    Name: name,
    Options: size === undefined ? null : { size: String(size) },
    Scope: "local",
  };
}
