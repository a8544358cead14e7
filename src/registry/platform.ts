/** Choosing one image of an index (containerd's platforms package has the rules for variants). */
import { BockerError } from "../base/errors.ts";
import { type Descriptor, formatPlatform, type Platform } from "../spec/descriptor.ts";

/** Other names of architectures (a registry chooses what is looked up here, "constructor" included), and the variants that they imply. */
const ALIASES = new Map<string, [architecture: string, variant?: string]>([
  ["x86_64", ["amd64"]],
  ["x86-64", ["amd64"]],
  ["x86", ["386"]],
  ["aarch64", ["arm64"]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
  ["i386", ["386"]],
]);

/** Variants that an older image may have, the best first; "" is an image that does not say. */
const ACCEPTED = new Map([
  ["arm v8", ["v8", "v7", "v6", "v5"]],
  ["arm v7", ["v7", "v6", "v5"]],
  ["arm v6", ["v6", "v5"]],
  ["arm v5", ["v5"]],
  ["amd64 v4", ["v4", "v3", "v2", ""]],
  ["amd64 v3", ["v3", "v2", ""]],
  ["amd64 v2", ["v2", ""]],
]);

const PART = /^[A-Za-z0-9_.-]+$/;

/** One spelling for each platform: arm64's only variant is left out, arm without one is v7. */
export function normalizePlatform({ os, architecture, variant = "" }: Platform): Required<PlatformKey> {
  const [name, implied] = ALIASES.get(architecture.toLowerCase()) ?? [architecture.toLowerCase()];
  let own = (variant === "" ? (implied ?? "") : variant).toLowerCase();
  if (/^\d+$/.test(own)) own = `v${own}`;
  if (name === "arm64" && own === "v8") own = "";
  if (name === "amd64" && own === "v1") own = "";
  if (name === "arm" && own === "") own = "v7";
  return { os: os.toLowerCase(), architecture: name, variant: own };
}

interface PlatformKey {
  os: string;
  architecture: string;
  variant?: string;
}

/** The value of --platform: os/arch[/variant], or one of os and arch, the rest being `own`'s. */
export function parsePlatform(text: string, own: Platform): Platform {
  const parts = text.split("/");
  if (parts.length > 3 || !parts.every((part) => PART.test(part)))
    throw new BockerError("invalid", `"${text}" is an invalid platform: expected os/arch or os/arch/variant`);
  const [first = "", architecture, variant] = parts;
  if (architecture === undefined) {
    const isSystem = ["linux", "windows", "darwin", "freebsd"].includes(first.toLowerCase());
    return normalizePlatform(isSystem ? { ...own, os: first } : { os: own.os, architecture: first });
  }
  return normalizePlatform({ os: first, architecture, ...(variant === undefined ? {} : { variant }) });
}

/** The platform of this machine, from process.arch. */
export function hostPlatform(nodeArchitecture: string = process.arch): Platform {
  const names: Record<string, string> = { x64: "amd64", ia32: "386", ppc64: "ppc64le", mipsel: "mipsle" };
  return normalizePlatform({ os: "linux", architecture: names[nodeArchitecture] ?? nodeArchitecture });
}

/** 0 for the very platform, more for an older variant that runs there; undefined for one that does not. */
function distance(wanted: Required<PlatformKey>, offered: Required<PlatformKey>): number | undefined {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return undefined;
  const accepted = ACCEPTED.get(`${wanted.architecture} ${wanted.variant}`) ?? [wanted.variant, ""];
  const place = accepted.indexOf(offered.variant);
  return place < 0 ? undefined : place;
}

/** Whether an image for `offered` runs on `wanted`. */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  return distance(normalizePlatform(wanted), normalizePlatform(offered)) !== undefined;
}

/** Docker's words for an index that has nothing for a platform. */
export function noMatch(platform: Platform): BockerError {
  return new BockerError(
    "not-found",
    `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
  );
}

/**
 * The entry of an index for a platform: the nearest variant, the first of equals; where no entry fits, the
 * first one that names no platform, whose configuration has to be looked at. BockerError("not-found").
 */
export function selectManifest<T extends Pick<Descriptor, "platform">>(
  manifests: readonly T[],
  wanted: Platform,
): T {
  const normal = normalizePlatform(wanted);
  let best: { entry: T; rank: number } | undefined;
  for (const entry of manifests) {
    if (entry.platform === undefined || entry.platform === null) continue;
    const rank = distance(normal, normalizePlatform(entry.platform));
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { entry, rank };
  }
  const chosen = best?.entry ?? manifests.find(({ platform }) => platform === undefined || platform === null);
  if (chosen === undefined) throw noMatch(normal);
  return chosen;
}
