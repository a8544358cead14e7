/** What `run` and `create` have in common: from the command line to a recorded container. */
import { existsSync, writeFileSync } from "node:fs";
import { BockerError } from "../base/errors.ts";
import { familiarReference, parseReference, withDefaultTag } from "../base/reference.ts";
import { type CreateRequest, createContainer } from "../engine/create.ts";
import type { Engine } from "../engine/engine.ts";
import { findImage, HOST_IMAGE, hostImage, type ResolvedImage, requireImage } from "../engine/image.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { createRequest } from "./container-options.ts";
import type { FlagValues } from "./flags.ts";
import { printError } from "./output.ts";
import { parsePlatform } from "./values.ts";

function checkCidFile(path: string | undefined): void {
  if (path !== undefined && existsSync(path))
    throw new BockerError(
      "conflict",
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
}

function writeCidFile(path: string | undefined, id: string): void {
  if (path !== undefined) writeFileSync(path, id, { flag: "wx", mode: 0o644 });
}

/** Whether an image made for `has` runs where `wanted` was asked for; a variant is not looked at. */
function fits(has: string | undefined, wanted: string | undefined): boolean {
  if (has === undefined || wanted === undefined) return true;
  const { os, architecture } = parsePlatform(wanted);
  return has === `${os}/${architecture}`;
}

/** The image that was asked for, pulled when --pull and --platform say so. */
async function imageFor(values: FlagValues, engine: Engine, reference: string): Promise<ResolvedImage> {
  const policy = values.string("pull") ?? "missing";
  if (!["always", "missing", "never"].includes(policy))
    throw new BockerError(
      "usage",
      `invalid pull option: '${policy}': must be one of "always", "missing" or "never"`,
    );
  const platform = values.string("platform");
  const found = findImage(engine, reference);
  if (found?.id === HOST_IMAGE) {
    if (fits(found.platform, platform)) return found;
    throw new BockerError("invalid", `the host image is ${found.platform}: it cannot be run as ${platform}`);
  }
  if (found !== undefined && policy !== "always" && fits(found.platform, platform)) return found;
  if (policy === "never") {
    const image = requireImage(engine, reference);
    throw new BockerError(
      "not-found",
      `image with reference ${reference} was found but does not match the specified platform: wanted ${platform}, actual: ${image.platform}`,
    );
  }
  if (engine.dry)
    throw new BockerError(
      "not-found",
      `No such image: ${reference}: --explain shows what is done with an image that is here; pull it first`,
    );
  if (found === undefined && !values.bool("quiet")) printError(missingText(reference));
  const { pullWithProgress } = await import("./pull.ts");
  await pullWithProgress(engine, reference, { platform, quiet: values.bool("quiet"), output: 2 });
  return requireImage(engine, reference);
}

/** Docker's words before it pulls on its own account. */
function missingText(reference: string): string {
  return `Unable to find image '${familiarReference(withDefaultTag(parseReference(reference)))}' locally`;
}

/** What the flags describe, with its image, which may be pulled for it. */
export async function requestFromFlags(values: FlagValues, engine: Engine): Promise<CreateRequest> {
  const [word = ""] = values.positional;
  const rootfs = values.bool("rootfs") ? word : undefined;
  const request = createRequest(values, rootfs);
  const image =
    rootfs === undefined
      ? await imageFor(values, engine, word)
      : { ...hostImage(word), layers: [], config: {} };
  return { ...request, image };
}

/** Records the container that the flags describe. */
export async function createFromFlags(values: FlagValues, engine: Engine): Promise<ContainerRecord> {
  const cidfile = values.string("cidfile");
  checkCidFile(cidfile);
  const record = createContainer(engine, await requestFromFlags(values, engine));
  writeCidFile(cidfile, record.id);
  return record;
}
