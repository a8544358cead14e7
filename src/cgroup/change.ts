/** Other limits for a cgroup that is there: what has to be written, and writing it. */
import { BockerError } from "../base/errors.ts";
import { writeFile } from "../os/host-files.ts";
import { isSystemError, messageOfErrno, type SystemError } from "../os/system-error.ts";
import type { RuntimeResources } from "../spec/runtime.ts";
import type { CgroupWrite } from "./contribution.ts";
import { type CgroupLayout, readLayout } from "./layout.ts";
import { planCgroup } from "./plan.ts";
import { type Read, readHere } from "./read.ts";

/** What takes a limit away, where one may be. */
const UNLIMITED: Readonly<Record<string, string>> = { "pids.max": "max" };

const fileName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/**
 * What is to be written so that a cgroup has the limits `after` instead of `before`.
 * @param path below each hierarchy's mount
 * @throws BockerError "platform" as planCgroup; "conflict" where the cgroup is in no hierarchy that could set it: v1's
 *   cpuset is joined only by containers that are started with one
 */
export function limitChanges(
  path: string,
  before: RuntimeResources,
  after: RuntimeResources,
  layout: CgroupLayout = readLayout(),
  read: Read = readHere,
): CgroupWrite[] {
  const limitsOf = (resources: RuntimeResources) => planCgroup(path, resources, layout, read).limits;
  const [old, wanted] = [limitsOf(before), limitsOf(after)];
  const changed = wanted.filter((limit) =>
    old.every((other) => other.path !== limit.path || other.value !== limit.value),
  );
  const dropped = old
    .filter((limit) => wanted.every((other) => other.path !== limit.path))
    .flatMap((limit) => {
      const value = UNLIMITED[fileName(limit.path)];
      return value === undefined ? [] : [{ ...limit, value }];
    });
  const writes = [...changed, ...dropped];
  const missing = writes.find((write) => read(write.path) === undefined);
  if (missing !== undefined)
    throw new BockerError(
      "conflict",
      `${fileName(missing.path).split(".")[0]} cannot be limited while the container runs, as it was started without: stop it first`,
    );
  return writes;
}

/**
 * Writes them, in whichever order the kernel takes: memory may never be more than memory and swap together (v1). What was
 * written before one that is refused is taken back.
 * @throws BockerError of the first that is refused: "conflict" for less memory than is in use (v1), else "invalid"
 */
export function writeLimits(writes: readonly CgroupWrite[], read: Read = readHere): void {
  const written: { path: string; before: string }[] = [];
  for (let waiting = writes; waiting.length > 0; ) {
    const refused: CgroupWrite[] = [];
    let reason: BockerError | undefined;
    for (const write of waiting)
      try {
        const before = (read(write.path) ?? "").trim();
        writeFile(write.path, write.value);
        written.push({ path: write.path, before });
      } catch (error) {
        if (!isSystemError(error)) throw error;
        reason ??= refusal(write, error);
        refused.push(write);
      }
    if (reason !== undefined && refused.length === waiting.length) {
      takeBack(written);
      throw reason;
    }
    waiting = refused;
  }
}

function refusal({ path, value }: CgroupWrite, error: SystemError): BockerError {
  const message = `${fileName(path)} cannot be ${value}: ${messageOfErrno(error.errno)}`;
  return new BockerError(isSystemError(error, "EBUSY") ? "conflict" : "invalid", message, { cause: error });
}

function takeBack(written: readonly { path: string; before: string }[]): void {
  for (const { path, before } of [...written].reverse())
    try {
      writeFile(path, before);
    } catch (error) {
      // Nothing more can be done about it than to tell of the first.
      if (!isSystemError(error)) throw error;
    }
}
