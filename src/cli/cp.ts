/** `bocker cp` */
import { BockerError } from "../base/errors.ts";
import type { ContainerPath, Copied, CopyOptions } from "../engine/copy.ts";
import type { Engine } from "../engine/engine.ts";
import { standardInput } from "../os/input-chunks.ts";
import { isTerminal } from "../os/terminal.ts";
import type { Command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { humanSize } from "./human.ts";
import { interruptible } from "./interruption.ts";
import { printError, writeFully } from "./output.ts";
import { refuseMissingDirectory, writeOutput } from "./output-file.ts";
import { LiveLines } from "./progress.ts";

interface Side {
  /** undefined: the host */
  container: string | undefined;
  path: string;
}

/** CONTAINER:PATH, or a path of the host, which "./a:b" and "/a:b" are, too (docker/cli, splitCpArg). */
function sideOf(word: string): Side {
  const colon = word.indexOf(":");
  if (word.startsWith("/") || word.startsWith(".") || colon < 0) return { container: undefined, path: word };
  return { container: word.slice(0, colon), path: word.slice(colon + 1) };
}

const absolute = (path: string) => (path.startsWith("/") ? path : `${process.cwd()}/${path}`);

function containerPath(engine: Engine, { container = "", path }: Side): ContainerPath {
  if (path === "") throw new BockerError("invalid", `no path in container ${container} is given`);
  return { record: engine.containers.find(container), name: container, path };
}

/** How far it is, on a terminal only, as Docker; then what it was. */
async function withProgress(
  values: FlagValues,
  what: string,
  to: string,
  copy: (options: CopyOptions) => Promise<Copied>,
): Promise<number> {
  const followLink = values.bool("follow-link");
  const lines = values.bool("quiet", !isTerminal(1))
    ? undefined
    : new LiveLines((text) => writeFully(2, text));
  const progress = (bytes: number) => lines?.set("", `${what} - ${humanSize(bytes)}`, false);
  try {
    const { size, leftOut } = await interruptible((signal) =>
      copy({ followLink, signal, ...(lines === undefined ? {} : { progress }) }),
    );
    lines?.set("", `Successfully copied ${humanSize(size)} to ${to}`, true);
    lines?.end();
    if (leftOut === 0) return 0;
    const devices = leftOut === 1 ? "a device" : `${leftOut} devices`;
    printError(`left out: ${devices}, which --archive makes on this machine`);
    return 1;
  } finally {
    lines?.end();
  }
}

async function fromContainer(values: FlagValues, engine: Engine, from: Side, to: Side): Promise<number> {
  const source = containerPath(engine, from);
  const { archiveFromContainer, copyFromContainer } = await import("../engine/copy.ts");
  if (to.path === "-") {
    if (isTerminal(1))
      throw new BockerError("invalid", "cowardly refusing to write an archive to a terminal. Redirect it");
    const followLink = values.bool("follow-link");
    await interruptible((signal) =>
      archiveFromContainer(engine, source, { followLink, signal }, (chunks) =>
        writeOutput(undefined, chunks),
      ),
    );
    return 0;
  }
  const target = absolute(to.path);
  refuseMissingDirectory(target.replace(/\/+$/, ""));
  return withProgress(values, "Copying from container", target, (options) =>
    copyFromContainer(engine, source, target, values.bool("archive"), options),
  );
}

async function toContainer(values: FlagValues, engine: Engine, from: Side, to: Side): Promise<number> {
  const target = containerPath(engine, to);
  const { copyToContainer, extractToContainer } = await import("../engine/copy.ts");
  const shown = `${target.name}:${target.path}`;
  if (from.path === "-" && isTerminal(0))
    throw new BockerError("invalid", "cowardly refusing to read an archive from a terminal. Redirect it");
  return withProgress(values, "Copying to container", shown, (options) =>
    from.path === "-"
      ? extractToContainer(engine, standardInput(), target, options)
      : copyToContainer(engine, absolute(from.path), target, options),
  );
}

export const cpCommand: Command = {
  name: "cp",
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tbocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  summary: `Copy files/folders between a container and the local filesystem

Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
  flags: [
    { name: "archive", short: "a", kind: "bool", help: "Archive mode (copy all uid/gid information)" },
    { name: "follow-link", short: "L", kind: "bool", help: "Always follow symbol link in SRC_PATH" },
    {
      name: "quiet",
      short: "q",
      kind: "bool",
      help: "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
    },
  ],
  words: { least: 2, most: 2 },
  async run(values, engine) {
    const [first = "", second = ""] = values.positional;
    if (first === "") throw new BockerError("invalid", "source can not be empty");
    if (second === "") throw new BockerError("invalid", "destination can not be empty");
    const [from, to] = [sideOf(first), sideOf(second)];
    if (from.container !== undefined && to.container !== undefined)
      throw new BockerError("invalid", "copying between containers is not supported");
    if (from.container !== undefined) return fromContainer(values, engine, from, to);
    if (to.container !== undefined) return toContainer(values, engine, from, to);
    throw new BockerError("invalid", "must specify at least one container source");
  },
};
