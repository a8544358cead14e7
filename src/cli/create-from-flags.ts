/** What `run` and `create` have in common: from the command line to a recorded container. */

import { BockerError } from "../base/errors.ts";
import { familiarReference, parseReference, withDefaultTag } from "../base/reference.ts";
import { createContainer } from "../engine/create.ts";
import type { Engine } from "../engine/engine.ts";
import { findImage, HOST_IMAGE, hostImage, type ResolvedImage, requireImage } from "../engine/image.ts";
import type { CreateRequest } from "../engine/record.ts";
import { exists, writeFile } from "../os/host-files.ts";
import type { ContainerRecord } from "../spec/container.ts";
import { createRequest } from "./container-options.ts";
import type { FlagValues } from "./flags.ts";
import { printError } from "./output.ts";

/** Throws "conflict" where --cidfile is there already. */
export function checkCidFile(path: string | undefined): void {
  if (path !== undefined && exists(path))
    throw new BockerError(
      "conflict",
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
}

export function writeCidFile(path: string | undefined, id: string): void {
  if (path !== undefined) writeFile(path, id, { exclusive: true, mode: 0o644 });
}

/** The value of --platform as images say it, "os/architecture": a variant is not looked at. */
async function wantedPlatform(text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const { hostPlatform, parsePlatform } = await import("../registry/platform.ts");
  const { os, architecture } = parsePlatform(text, hostPlatform());
  return `${os}/${architecture}`;
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
  const kept = async () =>
    platform && (await import("./kept-platform.ts")).keptPlatform(engine, reference, platform);
  const wanted = await wantedPlatform(platform);
  const fits = ({ platform: has }: ResolvedImage) =>
    has === undefined || wanted === undefined || has === wanted;
  const found = findImage(engine, reference);
  if (found?.id === HOST_IMAGE) {
    if (fits(found)) return found;
    throw new BockerError("invalid", `the host image is ${found.platform}: it cannot be run as ${platform}`);
  }
  const here = policy !== "always" && (await kept());
  if (here) return here;
  if (found !== undefined && policy !== "always" && fits(found)) return found;
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
  await pullWithProgress(engine, reference, {
    platforms: platform === undefined ? [] : [platform],
    quiet: values.bool("quiet"),
    output: 2,
  });
  return (await kept()) || requireImage(engine, reference);
}

/** Docker's words before it pulls on its own account. */
function missingText(reference: string): string {
  return `Unable to find image '${familiarReference(withDefaultTag(parseReference(reference)))}' locally`;
}

/** What the flags describe, with its image, which may be pulled for it. */
export async function requestFromFlags(values: FlagValues, engine: Engine): Promise<CreateRequest> {
  const [word = ""] = values.positional;
  const rootfs = values.bool("rootfs") ? word : undefined;
  const request = await createRequest(values, rootfs);
  const image =
    rootfs === undefined
      ? await imageFor(values, engine, word)
      : { ...hostImage(word), layers: [], config: {} };
  if (request.host.healthOnFailure !== undefined)
    (await import("./health-values.ts")).refuseWithoutCheck(request.healthcheck, image.config.Healthcheck);
  return { ...request, image };
}

/** Records the container that the flags describe. */
export async function createFromFlags(values: FlagValues, engine: Engine): Promise<ContainerRecord> {
  const cidfile = values.string("cidfile");
  checkCidFile(cidfile);
  const record = await createContainer(engine, await requestFromFlags(values, engine));
  writeCidFile(cidfile, record.id);
  return record;
}
