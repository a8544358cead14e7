/**
 * How a layer says that something below it is gone: as names in a tar archive (OCI image-spec layer.md)
 * and as overlayfs keeps it in a directory (Documentation/filesystems/overlayfs.rst).
 */
import { S_IFCHR, S_IFMT } from "../../os/constants.ts";
import { fgetxattr, type Stat } from "../../os/metadata.ts";

export const WHITEOUT_PREFIX = Buffer.from(".wh.");
/** In a tar: what lower layers have in this directory is hidden. */
export const OPAQUE_NAME = Buffer.from(".wh..wh..opq");
/** Names of aufs, which once made images: they mean nothing to anyone else. */
const METADATA_PREFIX = Buffer.from(".wh..wh.");

const OPAQUE_ATTRIBUTES = ["trusted.overlay.opaque", "user.overlay.opaque"];
export const OPAQUE_VALUE = Buffer.from("y");

/** Whether a directory hides what lower layers have in it. */
export function isOpaque(fd: number): boolean {
  return OPAQUE_ATTRIBUTES.some((name) => fgetxattr(fd, name)?.equals(OPAQUE_VALUE) === true);
}

const OVERLAY_PREFIXES = ["trusted.overlay.", "user.overlay."];

function startsWith(name: Buffer, prefix: Buffer): boolean {
  return name.length >= prefix.length && name.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}

export function isWhiteoutName(name: Buffer): boolean {
  return startsWith(name, WHITEOUT_PREFIX);
}

export function isMetadataName(name: Buffer): boolean {
  return startsWith(name, METADATA_PREFIX);
}

/** Overlayfs's whiteout: a character device 0:0. */
export function isWhiteoutDevice(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFCHR && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

/** Attributes by which overlayfs itself works: from an image they could redirect a lookup anywhere. */
export function isOverlayAttribute(name: string): boolean {
  return OVERLAY_PREFIXES.some((prefix) => name.startsWith(prefix));
}
