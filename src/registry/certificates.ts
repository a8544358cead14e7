/** Whom to trust: the system's CAs, and those that the administrator gave for one registry. */

import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { BockerError } from "../base/errors.ts";
import { exists, listNames, readBytes } from "../os/host-files.ts";

/** Docker's directory (dockerd, "Verify repository client with certificates"). */
export const CERTIFICATE_DIRECTORY = "/etc/docker/certs.d";

/** Where distributions keep the bundle that update-ca-certificates and its like write (Go's root_linux.go). */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** What node:tls takes. */
export interface TlsMaterial {
  ca: (string | Buffer)[];
  cert?: Buffer[];
  key?: Buffer[];
  /** Of a registry that the administrator calls insecure. */
  rejectUnauthorized?: false;
}

function systemRoots(environment: NodeJS.ProcessEnv): (string | Buffer)[] {
  const bundle = [environment["SSL_CERT_FILE"], ...SYSTEM_BUNDLES].find(
    (path) => path !== undefined && path !== "" && exists(path),
  );
  const roots: (string | Buffer)[] = bundle === undefined ? [...rootCertificates] : [readBytes(bundle)];
  // A list of CAs replaces the runtime's own, and with it what this variable would have added.
  const extra = environment["NODE_EXTRA_CA_CERTS"];
  if (extra !== undefined && exists(extra)) roots.push(readBytes(extra));
  return roots;
}

/** The same for hosts that are not the registry itself: without its client certificate, and with good ones of their own. */
export function tlsForOthers(tls: TlsMaterial | undefined): TlsMaterial | undefined {
  return tls === undefined ? undefined : { ca: tls.ca };
}

/**
 * The CAs and client certificates for a registry: `directory`/HOST[:PORT]/ may have *.crt (CAs) and pairs of
 * NAME.cert and NAME.key. Throws BockerError("invalid") for half a pair.
 */
export function tlsMaterial(domain: string, directory: string, environment: NodeJS.ProcessEnv): TlsMaterial {
  const material: TlsMaterial = { ca: systemRoots(environment) };
  const own = join(directory, domain);
  if (!exists(own)) return material;
  const names = listNames(own).sort();
  const contents = (suffix: string) =>
    names.filter((name) => name.endsWith(suffix)).map((name) => readBytes(join(own, name)));
  material.ca.push(...contents(".crt"));
  for (const name of names) {
    const [, stem, kind] = /^(.*)\.(cert|key)$/.exec(name) ?? [];
    const other = `${stem}.${kind === "cert" ? "key" : "cert"}`;
    if (stem !== undefined && !names.includes(other))
      throw new BockerError(
        "invalid",
        `missing ${other} beside ${name} in ${own}: client certificates need both`,
      );
  }
  const cert = contents(".cert");
  if (cert.length > 0) Object.assign(material, { cert, key: contents(".key") });
  return material;
}
