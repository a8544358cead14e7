/** What is told of images, and of what was pruned. */
import { type Event, recordEvents } from "../state/events.ts";
import type { ImageRecord } from "../state/images.ts";
import type { Engine } from "./engine.ts";

/** @param id what the event is of: the image's id, or the name that it was pulled by. @param name the id where there is none */
export function imageEvent({ config }: ImageRecord, action: string, id: string, name = id): Event {
  return { type: "image", action, id, attributes: { name }, labels: config.Labels ?? undefined };
}

/** Says that something has been done with an image. */
export function recordImageEvent(
  { paths }: Engine,
  image: ImageRecord,
  action: string,
  id = image.id,
  name = id,
): void {
  recordEvents(paths, [imageEvent(image, action, id, name)]);
}

/** Says that things of a kind were pruned, whether there were any or not. */
export function recordPrune({ paths }: Engine, type: Event["type"], reclaimed: number): void {
  recordEvents(paths, [{ type, action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } }]);
}
