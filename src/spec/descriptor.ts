/** OCI descriptors and platforms, and the pieces that their schemas share. */
import * as v from "valibot";
import { type Digest, isDigest } from "../base/digest.ts";

/** Largest number of entries any list of a document may have (containers/image stops at similar sizes). */
export const LIST_MAX = 4096;

export const digestSchema = v.custom<Digest>(
  (input) => typeof input === "string" && isDigest(input),
  "expected a sha256 digest",
);

/** A size in bytes: an exact integer, since 2^53 + 1 would be rounded silently. */
const sizeSchema = v.custom<number>(
  (input) => Number.isSafeInteger(input) && (input as number) >= 0,
  "expected a size in bytes",
);

/**
 * A map of strings. The input itself is kept: valibot's record() drops "__proto__", "prototype"
 * and "constructor", which are legal names of labels and annotations.
 */
export const stringMapSchema = v.custom<Record<string, string>>(
  (input) =>
    typeof input === "object" &&
    input !== null &&
    !Array.isArray(input) &&
    Object.values(input).every((value) => typeof value === "string"),
  "expected a map of strings",
);

export const platformSchema = v.looseObject({
  architecture: v.string(),
  os: v.string(),
  "os.version": v.optional(v.string()),
  "os.features": v.nullish(v.array(v.string())),
  variant: v.optional(v.string()),
});

/** `variant` is "v8" and the like; absent where the architecture has none. */
export type Platform = v.InferOutput<typeof platformSchema>;

export const descriptorSchema = v.looseObject({
  mediaType: v.string(),
  digest: digestSchema,
  size: sizeSchema,
  /** Never followed: whoever wrote the manifest would choose where this machine connects to. */
  urls: v.nullish(v.array(v.string())),
  annotations: v.nullish(stringMapSchema),
  artifactType: v.optional(v.string()),
  platform: v.nullish(platformSchema),
});

/** What content is: its type, its digest and its exact size in bytes. */
export type Descriptor = v.InferOutput<typeof descriptorSchema>;

/** "linux/arm64/v8" */
export function formatPlatform(platform: Platform): string {
  const variant = platform.variant === undefined || platform.variant === "" ? "" : `/${platform.variant}`;
  return `${platform.os}/${platform.architecture}${variant}`;
}
