/** `version --format`: the client, and the engine, which here are one program (docker/cli, versionInfo; moby, types.Version). */
import { LOCAL_ARCHITECTURE } from "../base/architecture.ts";
import { kernelRelease } from "../os/machine.ts";
import { API_VERSION } from "../spec/api-version.ts";
import { VERSION } from "../version.ts";
import { CLIENT_VERSION_ZEROS, clientVersion } from "./client-document.ts";
import { sameAs, type Zeros } from "./template/zero.ts";

export const VERSION_ZEROS: Zeros = {
  Client: CLIENT_VERSION_ZEROS,
  Server: {
    APIVersion: sameAs("ApiVersion"),
    GitCommit: "",
    GoVersion: "",
    BuildTime: "",
    Experimental: false,
  },
};

export function versionDocument(): object {
  const machine = { Os: "linux", Arch: LOCAL_ARCHITECTURE, KernelVersion: kernelRelease() };
  // No older one is spoken.
  const api = { ApiVersion: API_VERSION, MinAPIVersion: API_VERSION };
  return {
    Client: clientVersion(),
    Server: {
      Platform: { Name: "bocker" },
      Components: [{ Name: "Engine", Version: VERSION, Details: { ...api, ...machine } }],
      Version: VERSION,
      ...api,
      ...machine,
    },
  };
}
