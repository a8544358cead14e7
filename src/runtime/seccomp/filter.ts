/** From a container's settings to the filter the launcher loads. */
import { compileSeccomp, type SeccompFilter } from "./compile.ts";
import type { SeccompEnvironment } from "./environment.ts";
import { defaultProfile } from "./profile-default.ts";
import { resolveProfile } from "./resolve.ts";

/** The filter of a container without a profile of its own. */
export function defaultSeccompFilter(environment: SeccompEnvironment): SeccompFilter {
  return compileSeccomp(resolveProfile(defaultProfile(), environment));
}

/** The filter of `--security-opt seccomp=FILE`; `profileText` is the file's content. Throws "invalid". */
export async function customSeccompFilter(
  environment: SeccompEnvironment,
  profileText: string,
): Promise<SeccompFilter> {
  const { parseProfile } = await import("./parse.ts");
  return compileSeccomp(resolveProfile(parseProfile(profileText), environment));
}
