/**
 * Image manifests and indexes, OCI and Docker schema 2.
 *
 * Promises: a document that was accepted is of exactly one kind, and of the kind that its
 * Content-Type, its descriptor and its own mediaType say (CVE-2021-41190: bytes with one digest read
 * as manifest by one client and as index by another). Unknown fields are kept.
 */
import * as v from "valibot";
import { BockerError } from "../base/errors.ts";
import { descriptorSchema, LIST_MAX, stringMapSchema } from "./descriptor.ts";
import { parseJson } from "./json.ts";
import { isIndexType, isManifestType, isSchema1Type, OCI_INDEX, OCI_MANIFEST } from "./media-types.ts";

/** What containerd and containers/image accept. */
export const MANIFEST_SIZE_MAX = 4 << 20;

const manifestSchema = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.string()),
  artifactType: v.optional(v.string()),
  config: descriptorSchema,
  layers: v.pipe(v.array(descriptorSchema), v.maxLength(LIST_MAX)),
  annotations: v.nullish(stringMapSchema),
});

const indexSchema = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.string()),
  manifests: v.pipe(v.array(descriptorSchema), v.maxLength(LIST_MAX)),
  annotations: v.nullish(stringMapSchema),
});

export type ImageManifest = v.InferOutput<typeof manifestSchema>;
export type ImageIndex = v.InferOutput<typeof indexSchema>;

export type ManifestDocument =
  | { kind: "manifest"; mediaType: string; manifest: ImageManifest }
  | { kind: "index"; mediaType: string; index: ImageIndex };

const KNOWN_FIELDS = ["schemaVersion", "mediaType", "config", "layers", "manifests"];

function corrupt(message: string): BockerError {
  return new BockerError("corrupt", `invalid image manifest: ${message}`);
}

/** Go reads "Layers" as "layers"; a document that relies on it means something else to us. */
function refuseCaseVariants(document: object): void {
  for (const key of Object.keys(document)) {
    const known = KNOWN_FIELDS.find((field) => field.toLowerCase() === key.toLowerCase());
    if (known !== undefined && known !== key) throw corrupt(`the field "${key}" is not "${known}"`);
  }
}

/** The first problem of a failed validation, with its place. */
export function describeIssue(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue);
  return place === null ? issue.message : `${place}: ${issue.message}`;
}

function mediaTypeOf(document: Record<string, unknown>, expected: string | undefined): string {
  const own = document["mediaType"];
  if (typeof own === "string" && expected !== undefined && own !== expected) {
    throw corrupt(`it says it is ${own}, but it was announced as ${expected}`);
  }
  if (typeof own === "string") return own;
  if (expected !== undefined) return expected;
  return Object.hasOwn(document, "manifests") ? OCI_INDEX : OCI_MANIFEST;
}

/**
 * The manifest or index in `bytes`. `expectedType` is the bare media type of the response or the
 * descriptor that led here; leave it out only where there is none (a file's index.json).
 * Throws BockerError("corrupt"), or "unsupported" for schema 1 and unknown types.
 */
export function parseManifest(bytes: Uint8Array, expectedType?: string): ManifestDocument {
  const document = parseJson(bytes, "the image manifest", MANIFEST_SIZE_MAX);
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw corrupt("it is not an object");
  }
  const fields = document as Record<string, unknown>;
  if (fields["schemaVersion"] === 1 || isSchema1Type(expectedType ?? "")) {
    throw new BockerError(
      "unsupported",
      "image manifest version 2, schema 1 is no longer supported: push the image again with a current tool",
    );
  }
  refuseCaseVariants(document);
  const mediaType = mediaTypeOf(fields, expectedType);
  const hasManifests = Object.hasOwn(fields, "manifests");
  const hasLayers = Object.hasOwn(fields, "layers") || Object.hasOwn(fields, "config");
  if (hasManifests && hasLayers) throw corrupt("it has both manifests and layers");
  if (isIndexType(mediaType)) {
    const result = v.safeParse(indexSchema, document);
    if (!result.success) throw corrupt(describeIssue(result.issues[0]));
    return { kind: "index", mediaType, index: result.output };
  }
  if (isManifestType(mediaType)) {
    const result = v.safeParse(manifestSchema, document);
    if (!result.success) throw corrupt(describeIssue(result.issues[0]));
    return { kind: "manifest", mediaType, manifest: result.output };
  }
  throw new BockerError("unsupported", `unsupported manifest media type "${mediaType}"`);
}

/** The manifest of one image. Throws as parseManifest, and "corrupt" for an index. */
export function parseImageManifest(
  bytes: Uint8Array,
  expectedType?: string,
): Extract<ManifestDocument, { kind: "manifest" }> {
  const document = parseManifest(bytes, expectedType);
  if (document.kind === "manifest") return document;
  throw new BockerError("corrupt", "the image's manifest is an index");
}
