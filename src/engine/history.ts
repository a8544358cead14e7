/** `history`: how an image came to be, as its configuration tells it. */
import type { Digest } from "../base/digest.ts";
import { BockerError } from "../base/errors.ts";
import type { Platform } from "../spec/descriptor.ts";
import { parseImageConfig } from "../spec/image-config.ts";
import type { Engine } from "./engine.ts";
import { isHostImage } from "./image.ts";
import { imageOfPlatform } from "./image-platform.ts";

export interface HistoryStep {
  /** Of the newest step only: the image itself. */
  id: string | undefined;
  /** RFC 3339; "" where nobody wrote it down. */
  created: string;
  /** Tabs are blanks. */
  createdBy: string;
  comment: string;
  /** Bytes of the files of the step's layer; 0 for one without. */
  size: number;
}

/**
 * The newest first. Of layers that are not unpacked the size is 0.
 * @throws BockerError "not-found"; "unsupported" for the built-in image
 */
export function imageHistory(
  engine: Engine,
  reference: string,
  platform: Platform | undefined,
): HistoryStep[] {
  if (isHostImage(reference))
    throw new BockerError("unsupported", "the host image is this machine's own root: it has no history");
  const record = imageOfPlatform(engine, reference, platform);
  const config = parseImageConfig(engine.content.read(record.id as Digest));
  const chain = record.chain.values();
  // A document may tell of fewer layers than there are, or of none: they are shown all the same.
  const told = config.history ?? [];
  const untold = Math.max(0, record.chain.length - told.filter((step) => step.empty_layer !== true).length);
  const steps = [...told, ...Array.from({ length: untold }, () => ({}) as (typeof told)[number])].map(
    (step): HistoryStep => {
      const layer = step.empty_layer === true ? undefined : chain.next().value;
      return {
        id: undefined,
        created: step.created ?? "",
        createdBy: (step.created_by ?? "").replaceAll("\t", " "),
        comment: step.comment ?? "",
        size: layer === undefined ? 0 : (engine.images.layer(layer)?.size ?? 0),
      };
    },
  );
  steps.reverse();
  if (steps[0] !== undefined) steps[0].id = record.id;
  return steps;
}
