/**
 * How registries are reached: mirrors, proxies, and those without (good) certificates. One file: that of BOCKER_REGISTRIES, else
 * /etc/bocker/registries.json, else Docker's own /etc/docker/daemon.json, whose keys these are (dockerd, "Daemon
 * configuration file"), but for upload-chunk-size, which is bocker's. Of that file only these keys count.
 */
import * as v from "valibot";
import { BockerError } from "../base/errors.ts";
import { readTextIfExists } from "../os/host-files.ts";
import { parseJson } from "../spec/json.ts";
import { isInNetwork } from "./address.ts";
import { type Proxies, proxiesOf } from "./proxy.ts";

const FILES = ["/etc/bocker/registries.json", "/etc/docker/daemon.json"];
const ENTRIES_MAX = 100;

const entries = v.optional(v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.maxLength(ENTRIES_MAX)), []);
const proxySchema = v.optional(v.string());
const settingsSchema = v.looseObject({
  "registry-mirrors": entries,
  "insecure-registries": entries,
  "upload-chunk-size": v.optional(v.pipe(v.number(), v.integer(), v.minValue(64 << 10))),
  proxies: v.optional(
    v.looseObject({ "http-proxy": proxySchema, "https-proxy": proxySchema, "no-proxy": proxySchema }),
    {},
  ),
});

export interface RegistrySettings {
  /** Origins that are asked for Docker Hub's images before Docker Hub is. */
  mirrors: URL[];
  /** HOST[:PORT] or CIDR: their certificates need not be good, and plain http will do. */
  insecure: string[];
  /** Bytes that are sent at a time; undefined: a blob at once, as long as the registry takes that. */
  uploadChunkSize?: number | undefined;
  proxies: Proxies;
}

function mirrorUrl(text: string, path: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === "http:" || url?.protocol === "https:";
  if (url === undefined || !isPlain || url.pathname !== "/" || url.search !== "" || url.username !== "")
    throw new BockerError(
      "invalid",
      `${path}: invalid registry mirror ${JSON.stringify(text)}: it must be http(s)://HOST[:PORT]`,
    );
  return url;
}

/**
 * Reads them anew: a command asks once.
 * @throws BockerError "invalid" for a file that cannot be understood: it is the administrator's word about whom to trust
 */
export function registrySettings(environment: NodeJS.ProcessEnv): RegistrySettings {
  const own = environment["BOCKER_REGISTRIES"];
  for (const path of own === undefined || own === "" ? FILES : [own]) {
    const text = readTextIfExists(path);
    if (text === undefined) continue;
    const document = (() => {
      try {
        return parseJson(Buffer.from(text), path);
      } catch (error) {
        throw new BockerError("invalid", `${path}: ${(error as Error).message}`);
      }
    })();
    const result = v.safeParse(settingsSchema, document);
    if (!result.success) {
      const [issue] = result.issues;
      throw new BockerError("invalid", `${path}: ${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
    }
    return {
      mirrors: result.output["registry-mirrors"].map((mirror) => mirrorUrl(mirror, path)),
      insecure: result.output["insecure-registries"],
      uploadChunkSize: result.output["upload-chunk-size"],
      proxies: proxiesOf(environment, result.output.proxies, path),
    };
  }
  return { mirrors: [], insecure: [], proxies: proxiesOf(environment) };
}

/** Whether a registry may be spoken to without good certificates. Names are not looked up to find them in a network. */
export function isInsecure({ insecure }: RegistrySettings, domain: string): boolean {
  const host = domain.replace(/:\d+$/, "");
  return insecure.some((entry) =>
    entry.includes("/") ? isInNetwork(host, entry) : entry === domain || entry === host,
  );
}
