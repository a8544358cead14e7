/** The client's part of what `version` and `info` show of both sides (docker/cli, command/system). */
import { LOCAL_ARCHITECTURE } from "../base/architecture.ts";
import { API_VERSION } from "../spec/api-version.ts";
import { VERSION } from "../version.ts";
import { NIL_POINTER, NIL_SLICE, sameAs, type Zeros } from "./template/zero.ts";

const DETAILS = {
  Version: VERSION,
  ApiVersion: API_VERSION,
  DefaultAPIVersion: API_VERSION,
  Os: "linux",
  Arch: LOCAL_ARCHITECTURE,
  // There are no others.
  Context: "default",
};

/** Of `version`. */
export const clientVersion = (): object => DETAILS;

/** Of `info`; which of the API's versions is spoken is not known there. */
export function clientInfo(): object {
  const { ApiVersion: _, ...details } = DETAILS;
  return { Debug: false, ...details, Plugins: [], Warnings: null };
}

const BUILD: Zeros = { Platform: NIL_POINTER, GitCommit: "", GoVersion: "", BuildTime: "" };

export const CLIENT_VERSION_ZEROS: Zeros = { ...BUILD, APIVersion: sameAs("ApiVersion") };
export const CLIENT_INFO_ZEROS: Zeros = { ...BUILD, APIVersion: "", Warnings: NIL_SLICE };
