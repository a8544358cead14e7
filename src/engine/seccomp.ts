/** The system call filter of a container, compiled once and kept under the name of what it depends on. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { arch, release } from "node:os";
import { join } from "node:path";
import { customSeccompFilter, defaultSeccompFilter, seccompCacheKey } from "../runtime/seccomp/filter.ts";
import type { HostConfig } from "../spec/container.ts";
import type { Engine } from "./engine.ts";

function kept(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
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
    arch: arch() === "arm64" ? ("arm64" as const) : ("x64" as const),
    kernelRelease: release(),
    capabilities,
  };
  const profile = host.seccomp === "default" ? undefined : host.seccomp;
  const directory = join(engine.paths.run, "seccomp");
  const path = join(directory, seccompCacheKey(environment, profile));
  const found = kept(path);
  if (found !== undefined && found.length > 0 && found.length % 8 === 0) return found;
  const filter =
    profile === undefined
      ? defaultSeccompFilter(environment)
      : await customSeccompFilter(environment, profile);
  if (engine.dry) return filter.program;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.${process.pid}`, filter.program, { mode: 0o600 });
  renameSync(`${path}.${process.pid}`, path);
  return filter.program;
}
