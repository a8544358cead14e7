/** `bocker inspect` */
import { BockerError, messageOf } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { findImageRecord, isHostImage } from "../engine/image.ts";
import { inspectContainer } from "../engine/inspect-container.ts";
import { containerSize } from "../engine/size.ts";
import type { Command } from "./command.ts";
import { print, printError, visible } from "./output.ts";

type Json = Record<string, unknown>;

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

async function image(engine: Engine, word: string): Promise<Json | undefined> {
  const { inspectHostImage, inspectImage } = await import("../engine/inspect-image.ts");
  if (isHostImage(word)) return inspectHostImage(engine);
  const record = findImageRecord(engine, word);
  return record === undefined ? undefined : inspectImage(engine, record);
}

async function document(
  engine: Engine,
  word: string,
  type: string | undefined,
  size: boolean,
): Promise<Json> {
  const found =
    (type === "image" ? undefined : container(engine, word, size)) ??
    (type === "container" ? undefined : await image(engine, word));
  if (found !== undefined) return found;
  throw new BockerError("not-found", `No such ${type ?? "object"}: ${word}`);
}

export const inspectCommand: Command = {
  name: "inspect",
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Return low-level information on containers and images",
  flags: [
    { name: "format", short: "f", kind: "string", help: "Format output: 'json' or a Go template" },
    { name: "size", short: "s", kind: "bool", help: "Display total file sizes if the type is container" },
    { name: "type", kind: "string", help: 'Only inspect objects of the given type ("container", "image")' },
  ],
  words: { least: 1 },
  async run(values, engine) {
    const type = values.string("type");
    if (type !== undefined && type !== "container" && type !== "image")
      throw new BockerError(
        "unsupported",
        `inspecting objects of the type "${type}" is not supported yet by bocker`,
      );
    const found: Json[] = [];
    const errors: string[] = [];
    for (const word of values.positional) {
      try {
        found.push(await document(engine, word, type, values.bool("size")));
      } catch (error) {
        errors.push(`Error: ${visible(messageOf(error))}`);
      }
    }
    const format = values.string("format");
    if (format === undefined) print(JSON.stringify(found, null, 4));
    else if (format === "json") print(JSON.stringify(found));
    else {
      const { compileTemplate } = await import("./template/render.ts");
      const template = compileTemplate(format);
      for (const item of found) print(template(item));
    }
    for (const error of errors) printError(error);
    return errors.length > 0 ? 1 : 0;
  },
};
