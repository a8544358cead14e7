/** `bocker inspect` */
import { BockerError, messageOf } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { findImageRecord, isHostImage } from "../engine/image.ts";
import { inspectContainer } from "../engine/inspect-container.ts";
import { inspectVolume } from "../engine/inspect-volume.ts";
import { containerSize } from "../engine/size.ts";
import { VolumeTable } from "../state/volumes.ts";
import type { Command } from "./command.ts";
import { type Found, printDocuments } from "./documents.ts";
import { printError, visible } from "./output.ts";

type Json = Record<string, unknown>;

const TYPES = ["container", "image", "volume"] as const;

function container(engine: Engine, word: string, size: boolean): Json | undefined {
  try {
    const record = engine.containers.find(word);
    const document = inspectContainer(engine, record);
    if (!size) return document;
    const { written, total } = containerSize(engine, record);
    return { ...document, SizeRw: written, SizeRootFs: total };
  } catch (error) {
    if (error instanceof BockerError && error.code === "not-found") return undefined;
    throw error;
  }
}

async function image(engine: Engine, word: string, text: string | undefined): Promise<Json | undefined> {
  const { inspectHostImage, inspectImage } = await import("../engine/inspect-image.ts");
  if (isHostImage(word)) return inspectHostImage(engine);
  const record = findImageRecord(engine, word);
  if (record === undefined || text === undefined)
    return record === undefined ? undefined : inspectImage(engine, record);
  const { imageOfPlatform } = await import("../engine/image-platform.ts");
  const { platformsOf } = await import("../engine/kept-index.ts");
  return inspectImage(engine, imageOfPlatform(engine, word, platformsOf([text])[0]), record.id);
}

function volume(engine: Engine, word: string): object | undefined {
  const record = new VolumeTable(engine.database).get(word);
  return record === undefined ? undefined : inspectVolume(engine, record);
}

interface Wanted {
  type: Found["type"] | undefined;
  size: boolean;
  /** os/arch[/variant], of images. */
  platform: string | undefined;
}

/** What has this name; in Docker's order, where several things have it. */
async function find(engine: Engine, word: string, { type, size, platform }: Wanted): Promise<Found> {
  const kinds: Record<Found["type"], () => object | undefined | Promise<object | undefined>> = {
    container: () => container(engine, word, size),
    image: () => image(engine, word, platform),
    volume: () => volume(engine, word),
  };
  for (const kind of TYPES) {
    const document = type === undefined || type === kind ? await kinds[kind]() : undefined;
    if (document !== undefined) return { type: kind, document };
  }
  throw new BockerError("not-found", `No such ${type ?? "object"}: ${word}`);
}

export const inspectCommand: Command = {
  name: "inspect",
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Return low-level information on bocker objects",
  flags: [
    { name: "format", short: "f", kind: "string", help: "Format output: 'json' or a Go template" },
    {
      name: "platform",
      kind: "string",
      help: "Inspect the image of this platform, of one that is kept with several",
    },
    { name: "size", short: "s", kind: "bool", help: "Display total file sizes if the type is container" },
    {
      name: "type",
      kind: "string",
      help: 'Only inspect objects of the given type ("container", "image", "volume")',
    },
  ],
  words: { least: 1 },
  async run(values, engine) {
    const typed = values.string("type");
    const type = TYPES.find((known) => known === typed);
    if (typed !== undefined && type === undefined)
      throw new BockerError(
        "invalid",
        `unknown type: ${JSON.stringify(typed)}: must be one of "${TYPES.join('", "')}"`,
      );
    const platform = values.string("platform");
    if (platform !== undefined && type !== "image" && type !== undefined)
      throw new BockerError("usage", "--platform is for images");
    const wanted: Wanted = {
      type: platform === undefined ? type : "image",
      size: values.bool("size"),
      platform,
    };
    const found: Found[] = [];
    const errors: string[] = [];
    for (const word of values.positional) {
      try {
        found.push(await find(engine, word, wanted));
      } catch (error) {
        errors.push(`Error: ${visible(messageOf(error))}`);
      }
    }
    if (wanted.size)
      for (const { type: kind } of found)
        if (kind !== "container") printError(`WARNING: --size ignored for ${kind}`);
    await printDocuments(found, values.string("format"));
    for (const error of errors) printError(error);
    return errors.length > 0 ? 1 : 0;
  },
};
