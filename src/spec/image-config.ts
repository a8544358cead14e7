/**
 * The image configuration (OCI image-spec config.md and Docker's additions).
 *
 * Promises: fields have the types their readers expect or are absent; null, which Go writes for an
 * empty list, stays null; unknown fields are kept, also those of later Docker versions.
 */
import * as v from "valibot";
import { BockerError } from "../base/errors.ts";
import { digestSchema, LIST_MAX, stringMapSchema } from "./descriptor.ts";
import { describeIssue } from "./image-manifest.ts";
import { parseJson } from "./json.ts";

/** As for manifests. */
export const CONFIG_SIZE_MAX = 4 << 20;

/** Go's representation of a set: the keys count, the values are empty objects. Kept as it is. */
const setSchema = v.custom<Record<string, object>>(
  (input) => typeof input === "object" && input !== null && !Array.isArray(input),
  "expected a set",
);

const strings = v.nullish(v.array(v.string()));

const healthcheckSchema = v.looseObject({
  Test: strings,
  /** Nanoseconds, as the three below; 0 means the default. */
  Interval: v.optional(v.number()),
  Timeout: v.optional(v.number()),
  StartPeriod: v.optional(v.number()),
  StartInterval: v.optional(v.number()),
  Retries: v.optional(v.number()),
});

const executionSchema = v.looseObject({
  User: v.optional(v.string()),
  ExposedPorts: v.nullish(setSchema),
  Env: strings,
  Entrypoint: strings,
  Cmd: strings,
  Volumes: v.nullish(setSchema),
  WorkingDir: v.optional(v.string()),
  Labels: v.nullish(stringMapSchema),
  StopSignal: v.optional(v.string()),
  StopTimeout: v.nullish(v.number()),
  Healthcheck: v.nullish(healthcheckSchema),
  OnBuild: strings,
  Shell: strings,
  ArgsEscaped: v.optional(v.boolean()),
});

const historySchema = v.looseObject({
  created: v.nullish(v.string()),
  created_by: v.optional(v.string()),
  author: v.optional(v.string()),
  comment: v.optional(v.string()),
  empty_layer: v.optional(v.boolean()),
});

const imageConfigSchema = v.looseObject({
  created: v.nullish(v.string()),
  author: v.optional(v.string()),
  architecture: v.string(),
  os: v.string(),
  variant: v.optional(v.string()),
  "os.version": v.optional(v.string()),
  config: v.nullish(executionSchema),
  rootfs: v.looseObject({
    type: v.literal("layers"),
    /** Digests of the uncompressed layers, base first. Go writes null for none. */
    diff_ids: v.nullish(v.pipe(v.array(digestSchema), v.maxLength(LIST_MAX))),
  }),
  history: v.nullish(v.pipe(v.array(historySchema), v.maxLength(LIST_MAX * 4))),
});

export type ImageConfig = v.InferOutput<typeof imageConfigSchema>;
/** How a container of the image runs: the `config` of an image configuration. */
export type ExecutionConfig = v.InferOutput<typeof executionSchema>;
export type HistoryEntry = v.InferOutput<typeof historySchema>;
export type HealthcheckConfig = v.InferOutput<typeof healthcheckSchema>;

/** The configuration in `bytes`; BockerError("corrupt") where it is not one. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const result = v.safeParse(imageConfigSchema, parseJson(bytes, "the image configuration", CONFIG_SIZE_MAX));
  if (result.success) return result.output;
  throw new BockerError("corrupt", `invalid image configuration: ${describeIssue(result.issues[0])}`);
}
