/** manifest.json of `docker save` (moby image/tarexport): the images of an archive, by the names of its files. */
import * as v from "valibot";
import { BockerError } from "../base/errors.ts";
import { LIST_MAX } from "./descriptor.ts";
import { describeIssue } from "./image-manifest.ts";
import { parseJson } from "./json.ts";

const entrySchema = v.looseObject({
  Config: v.string(),
  RepoTags: v.nullish(v.pipe(v.array(v.string()), v.maxLength(LIST_MAX))),
  /** The lowest first. */
  Layers: v.nullish(v.pipe(v.array(v.string()), v.maxLength(LIST_MAX))),
});
const schema = v.pipe(v.array(entrySchema), v.maxLength(LIST_MAX));

export type DockerArchiveEntry = v.InferOutput<typeof entrySchema>;

/** Throws BockerError("corrupt"). */
export function parseDockerArchive(bytes: Uint8Array): DockerArchiveEntry[] {
  const result = v.safeParse(schema, parseJson(bytes, "manifest.json"));
  if (result.success) return result.output;
  throw new BockerError("corrupt", `invalid manifest.json: ${describeIssue(result.issues[0])}`);
}
