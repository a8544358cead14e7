/** The system call filter of a container, compiled once and kept under the name of what it depends on. */

import { makeDirectories, readBytes, rename, writeFile } from "../os/host-files.ts";
import { kernelRelease } from "../os/machine.ts";
import { seccompCacheKey } from "../runtime/seccomp/environment.ts";
import type { HostConfig } from "../spec/container.ts";
import type { Engine } from "./engine.ts";

function kept(path: string): Uint8Array | undefined {
  try {
    return readBytes(path);
  } catch {
    return undefined;
  }
}

/** The filter's bytes; undefined when the container runs without one. Throws "invalid" for a bad profile. */
export async function seccompProgram(
  engine: Engine,
  host: HostConfig,
  capabilities: string[],
): Promise<Uint8Array | undefined> {
  if (host.privileged || host.seccomp === "unconfined") return undefined;
  const environment = {
    arch: process.arch === "arm64" ? ("arm64" as const) : ("x64" as const),
    kernelRelease: kernelRelease(),
    capabilities,
  };
  const profile = host.seccomp === "default" ? undefined : host.seccomp;
  const directory = `${engine.paths.run}/seccomp`;
  const path = `${directory}/${seccompCacheKey(environment, profile)}`;
  const found = kept(path);
  if (found !== undefined && found.length > 0 && found.length % 8 === 0) return found;
  // Compiling takes much code, and is needed once for a machine.
  const { customSeccompFilter, defaultSeccompFilter } = await import("../runtime/seccomp/filter.ts");
  const filter =
    profile === undefined
      ? defaultSeccompFilter(environment)
      : await customSeccompFilter(environment, profile);
  if (engine.dry) return filter.program;
  makeDirectories(directory, 0o700);
  writeFile(`${path}.${process.pid}`, filter.program, { mode: 0o600 });
  rename(`${path}.${process.pid}`, path);
  return filter.program;
}
