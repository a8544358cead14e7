/** `bocker manifest create|annotate|inspect|push|referrers|rm` */
import { digestOf } from "../base/digest.ts";
import { formatReference, parseReference, withDefaultTag } from "../base/reference.ts";
import { visibleJson } from "../base/visible-json.ts";
import type { Engine } from "../engine/engine.ts";
import {
  annotateEntry,
  createList,
  fetchManifest,
  fetchReferrers,
  findEntry,
  findList,
  indexOf,
  pushList,
  removeList,
} from "../engine/manifest-list.ts";
import { parseManifest } from "../spec/image-manifest.ts";
import type { Command } from "./command.ts";
import { forEachWord } from "./each.ts";
import type { Flag } from "./flags.ts";
import { humanSize } from "./human.ts";
import { interruptible } from "./interruption.ts";
import { printListing } from "./listing.ts";
import { print } from "./output.ts";

const INSECURE: Flag = {
  name: "insecure",
  kind: "bool",
  help: "Allow communication with an insecure registry",
};
/** Docker's own indentation here. */
const INDENT = 3;

export const manifestCreateCommand: Command = {
  name: "manifest create",
  usage: "[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
  summary: "Create a local manifest list for annotating and pushing to a registry",
  flags: [{ name: "amend", short: "a", kind: "bool", help: "Amend an existing manifest list" }, INSECURE],
  words: { least: 2 },
  async run(values, engine) {
    const [name = "", ...images] = values.positional;
    const created = await interruptible((signal) =>
      createList(engine, name, images, values.bool("amend"), { insecure: values.bool("insecure"), signal }),
    );
    print(`Created manifest list ${created}`);
    return 0;
  },
};

export const manifestAnnotateCommand: Command = {
  name: "manifest annotate",
  usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
  summary: "Add additional information to a local image manifest",
  flags: [
    { name: "arch", kind: "string", help: "Set architecture" },
    { name: "os", kind: "string", help: "Set operating system" },
    { name: "os-features", kind: "list", help: "Set operating system feature" },
    { name: "os-version", kind: "string", help: "Set operating system version" },
    { name: "variant", kind: "string", help: "Set architecture variant" },
  ],
  words: { least: 2, most: 2 },
  async run(values, engine) {
    const [list = "", image = ""] = values.positional;
    annotateEntry(engine, list, image, {
      os: values.string("os"),
      architecture: values.string("arch"),
      variant: values.string("variant"),
      osVersion: values.string("os-version"),
      osFeatures: values.list("os-features").flatMap((features) => features.split(",")),
    });
    return 0;
  },
};

interface Inspected {
  name: string;
  bytes: Buffer;
  mediaType: string;
}

/** A list that is here, an image in it, or what the registry has. */
async function inspected(engine: Engine, words: string[], insecure: boolean): Promise<Inspected> {
  const [first = "", image] = words;
  if (image !== undefined) {
    const { name, bytes, descriptor } = findEntry(engine, first, image);
    return { name, bytes: Buffer.from(bytes, "base64"), mediaType: descriptor.mediaType };
  }
  const list = findList(engine, first);
  if (list !== undefined) return { name: list.name, ...indexOf(list) };
  const found = await interruptible((signal) => fetchManifest(first, { insecure, signal }));
  return { name: formatReference(withDefaultTag(parseReference(first))), ...found };
}

/** What is in an index, or the one image, each with its descriptor, as Docker's --verbose shows it. */
function verbose({ name, bytes, mediaType }: Inspected): object {
  const document = parseManifest(bytes, mediaType);
  if (document.kind === "index")
    return document.index.manifests.map((descriptor) => ({ Ref: name, Descriptor: descriptor }));
  const key = mediaType.includes(".oci.") ? "OCIManifest" : "SchemaV2Manifest";
  return {
    Ref: name,
    Descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    [key]: document.manifest,
  };
}

export const manifestInspectCommand: Command = {
  name: "manifest inspect",
  usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
  summary: "Display an image manifest, or manifest list",
  flags: [
    INSECURE,
    {
      name: "verbose",
      short: "v",
      kind: "bool",
      help: "Output additional info including layers and platform",
    },
  ],
  words: { least: 1, most: 2 },
  async run(values, engine) {
    const found = await inspected(engine, values.positional, values.bool("insecure"));
    const shown = values.bool("verbose") ? verbose(found) : JSON.parse(found.bytes.toString("utf8"));
    print(visibleJson(shown, INDENT));
    return 0;
  },
};

export const manifestPushCommand: Command = {
  name: "manifest push",
  usage: "[OPTIONS] MANIFEST_LIST",
  summary: "Push a manifest list to a repository",
  flags: [
    INSECURE,
    { name: "purge", short: "p", kind: "bool", help: "Remove the local manifest list after push" },
  ],
  words: { least: 1, most: 1 },
  async run(values, engine) {
    const [name = ""] = values.positional;
    const insecure = values.bool("insecure");
    print(await interruptible((signal) => pushList(engine, name, { insecure, signal })));
    if (values.bool("purge")) removeList(engine, name);
    return 0;
  },
};

const REFERRER_HEADS: Record<string, string> = {
  Digest: "DIGEST",
  ArtifactType: "ARTIFACT TYPE",
  MediaType: "MEDIA TYPE",
  Size: "SIZE",
  Annotations: "ANNOTATIONS",
};

export const manifestReferrersCommand: Command = {
  name: "manifest referrers",
  usage: "[OPTIONS] MANIFEST",
  summary: "List what refers to an image in its registry: signatures, SBOMs and the like",
  flags: [
    { name: "artifact-type", kind: "string", help: "Only what is of this type" },
    {
      name: "format",
      kind: "string",
      help: "Format output: 'table', 'table TEMPLATE', 'json', or a Go template",
    },
    INSECURE,
  ],
  standalone: true,
  words: { least: 1, most: 1 },
  async run(values) {
    const [name = ""] = values.positional;
    const type = values.string("artifact-type");
    const insecure = values.bool("insecure");
    const found = await interruptible((signal) => fetchReferrers(name, { insecure, signal }));
    const rows = found
      .filter(({ artifactType }) => type === undefined || artifactType === type)
      .map(({ digest, artifactType = "", mediaType, size, annotations }) => ({
        Digest: digest,
        ArtifactType: artifactType,
        MediaType: mediaType,
        Size: humanSize(size),
        Annotations: Object.entries(annotations ?? {})
          .map((pair) => pair.join("="))
          .join(","),
      }));
    const columns = ["Digest", "ArtifactType", "Size"];
    await printListing({ heads: REFERRER_HEADS, columns, rows }, values.string("format"), false);
    return 0;
  },
};

export const manifestRemoveCommand: Command = {
  name: "manifest rm",
  usage: "MANIFEST_LIST [MANIFEST_LIST...]",
  summary: "Delete one or more manifest lists from local storage",
  flags: [{ name: "dry-run", kind: "bool", help: "Print what would be removed, and remove nothing" }],
  words: { least: 1 },
  run(values, engine) {
    const dry = values.bool("dry-run");
    return forEachWord(values.positional, async (word) => {
      const name = removeList(engine, word, dry);
      // Docker says nothing of what it removes.
      return dry ? name : undefined;
    });
  },
};
