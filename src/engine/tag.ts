/** `tag`: one more name for an image. */
import { BockerError } from "../base/errors.ts";
import { familiarReference, parseReference } from "../base/reference.ts";
import type { Engine } from "./engine.ts";
import { isHostImage, requireImageRecord } from "./image.ts";
import { recordImageEvent } from "./image-events.ts";
import { withImageLock } from "./image-lock.ts";
import { typedName } from "./kept-index.ts";
import { tagName } from "./record-image.ts";
import { freeLooseIndexes } from "./remove-image.ts";

/**
 * Points `name` to the image, or to the index that it is kept with; if it pointed to another, that one loses it.
 * @throws BockerError "invalid" for what is no name of an image, "not-found"
 */
export function tagImage(engine: Engine, reference: string, name: string): void {
  if (isHostImage(reference))
    throw new BockerError(
      "unsupported",
      `${reference} is built in: it is this machine's own root and has one name`,
    );
  const tag = tagName(name);
  // While nobody removes images: one that goes now would leave a name that points to nothing.
  const image = withImageLock(engine, () =>
    engine.transaction(() => {
      const found = requireImageRecord(engine, reference);
      engine.images.setTag(tag, found.id, typedName(engine, reference)?.index);
      return found;
    }),
  );
  recordImageEvent(engine, image, "tag", image.id, familiarReference(parseReference(tag)));
  freeLooseIndexes(engine);
}
