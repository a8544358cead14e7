/**
 * Puts blobs and manifests into a registry, as the distribution protocol has it. Runs as a program, because
 * the registry is in a network namespace where the tests are not:
 *   push.ts ORIGIN REPOSITORY DIRECTORY [USER:PASSWORD]
 * DIRECTORY has one file for each blob, named by its digest, and manifests.json: [digest, mediaType, tag][],
 * in the order they are to be put.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [origin, repository, directory, credentials] = process.argv.slice(2) as [
  string,
  string,
  string,
  string?,
];
const authorization: Record<string, string> =
  credentials === undefined ? {} : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };

async function request(
  method: string,
  url: string,
  type: string,
  body: Uint8Array | undefined,
): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers: { "content-type": type, ...authorization },
    ...(body === undefined ? {} : { body }),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}

const base = `${origin}/v2/${repository}`;
const manifests = JSON.parse(readFileSync(join(directory, "manifests.json"), "utf8")) as [
  string,
  string,
  string,
][];
for (const name of readdirSync(directory)) {
  if (!name.startsWith("sha256:") || manifests.some(([digest]) => digest === name)) continue;
  const begun = await request("POST", `${base}/blobs/uploads/`, "application/octet-stream", undefined);
  const location = new URL(begun.headers.get("location")!, base);
  location.searchParams.set("digest", name);
  await request("PUT", location.href, "application/octet-stream", readFileSync(join(directory, name)));
}
for (const [digest, mediaType, tag] of manifests)
  await request("PUT", `${base}/manifests/${tag}`, mediaType, readFileSync(join(directory, digest)));
