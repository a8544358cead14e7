/** What a registry's refusal means, in Docker's words (moby, distribution/errors.go). */
import { BockerError } from "../base/errors.ts";
import { familiarName, familiarReference, type Reference } from "../base/reference.ts";
import { faultsOf, faultText } from "./failure.ts";

const REASON_MAX = 1000;

export type Action = "pull" | "push" | "login" | "search";

/** The error for an answer with `status` and `body`. */
export function refusalError(
  action: Action,
  reference: Reference,
  status: number,
  body: string,
): BockerError {
  const [fault] = faultsOf(body);
  const reason = fault === undefined ? "" : `: ${faultText(fault).slice(0, REASON_MAX)}`;
  const name = familiarName(reference);
  if (action === "login")
    return new BockerError(
      status === 401 || status === 403 ? "denied" : "registry",
      `login attempt to ${reference.domain} failed with status ${status}${reason}`,
    );
  if (action === "search")
    return status === 401 || status === 403
      ? new BockerError(
          "denied",
          `${reference.domain} lets only those search who may: 'bocker login' first${reason}`,
        )
      : new BockerError("registry", `${reference.domain} cannot be searched: status ${status}${reason}`);
  if (fault?.code === "MANIFEST_UNKNOWN")
    return new BockerError("not-found", `manifest for ${familiarReference(reference)} not found${reason}`);
  if (fault?.code === "NAME_UNKNOWN")
    return new BockerError("not-found", `repository ${name} not found${reason}`);
  if (status === 401 || status === 403 || fault?.code === "DENIED" || fault?.code === "UNAUTHORIZED")
    return new BockerError(
      "denied",
      action === "pull"
        ? `pull access denied for ${name}, repository does not exist or may require 'docker login'${reason}`
        : `push access denied for ${name}: 'bocker login ${reference.domain}' first, or ask for the right to push${reason}`,
    );
  if (status === 404 && action === "pull")
    return new BockerError("not-found", `manifest for ${familiarReference(reference)} not found${reason}`);
  if (status === 429)
    return new BockerError("registry", `toomanyrequests: ${reference.domain} asks to slow down${reason}`);
  return new BockerError("registry", `${reference.domain} answered with status ${status}${reason}`);
}
