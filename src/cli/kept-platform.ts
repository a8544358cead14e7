/** `run --platform` of an image that is kept whole. Loaded only for that. */
import type { Engine } from "../engine/engine.ts";
import type { ResolvedImage } from "../engine/image.ts";
import { imageToRun } from "../engine/unpack-platform.ts";
import { interruptible } from "./interruption.ts";

/** That platform, unpacked; undefined of an image that is not kept whole, or lacks it. */
export function keptPlatform(
  engine: Engine,
  reference: string,
  platform: string,
): Promise<ResolvedImage | undefined> {
  return interruptible((signal) => imageToRun(engine, reference, platform, signal));
}
