/** `bocker pull` when something goes wrong: nothing is left, and the next pull works. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/base/digest.ts";
import { openBunDatabase } from "../../../src/os/sqlite-bun.ts";
import { BINARY, OVERLAY, Sandbox } from "../sandbox.ts";
import { until } from "../wait.ts";
import { type Image, imageOf, layerOf, tarOf } from "./layout.ts";
import { Registry, Service } from "./registry.ts";

let sandbox: Sandbox;
let registry: Registry;
const stubs: Service[] = [];
beforeAll(async () => {
  sandbox = new Sandbox(undefined, OVERLAY);
  registry = await Registry.start(sandbox, "localhost:5000");
});
afterEach(async () => {
  for (const stub of stubs.splice(0)) await stub.stop();
});
afterAll(async () => {
  await registry?.stop();
  sandbox.remove();
});

const layer = (content: Buffer | string) => layerOf(tarOf((at) => writeFileSync(join(at, "file"), content)));

/** Two layers, the upper one a megabyte that does not compress; no other image has any of them. */
function newImage(): Image {
  return imageOf([layer(randomBytes(100)), layer(randomBytes(1 << 20))]);
}

interface Stub {
  reference: string;
  directory: string;
  service: Service;
}

async function misbehaving(image: Image, fault: string): Promise<Stub> {
  const directory = mkdtempSync(join(sandbox.directory, "stub-"));
  const { digest, mediaType } = image.manifest;
  for (const blob of [image.manifest, ...image.blobs])
    writeFileSync(join(directory, blob.digest), blob.bytes);
  writeFileSync(join(directory, "manifests.json"), JSON.stringify([[digest, mediaType, "latest"]]));
  writeFileSync(join(directory, "victim"), image.blobs.at(-1)!.digest);
  const program = join(import.meta.dirname, "stub-registry.ts");
  const words = [process.execPath, program, "5100", directory, fault];
  const service = await Service.start(sandbox, words, "stub is up");
  stubs.push(service);
  return { reference: "localhost:5100/a", directory, service };
}

/** Everything that the store has: layers, blobs, unfinished ones, and what the database knows. */
function inventory(): unknown {
  const names = (path: string) => {
    const directory = join(sandbox.data, path);
    return existsSync(directory) ? readdirSync(directory).sort() : [];
  };
  const database = openBunDatabase(join(sandbox.data, "state.db"));
  const rows = ["images", "tags", "digests", "layers"].map(
    (table) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"],
  );
  database.close();
  return {
    layers: names("overlay"),
    blobs: names("content/blobs/sha256"),
    ingest: names("content/ingest"),
    trash: names("trash"),
    rows,
  };
}

/** A pull that can be signalled. */
function begin(reference: string): { process: ChildProcess; ended: Promise<number | string | null> } {
  const [program, ...words] = sandbox.inside([BINARY, "pull", "-q", reference]);
  const child = spawn(program, words, { env: sandbox.environment, stdio: "ignore" });
  const ended = new Promise<number | string | null>((resolve) =>
    child.once("exit", (code, signal) => resolve(code ?? signal)),
  );
  return { process: child, ended };
}

describe("a pull", () => {
  beforeAll(() => {
    sandbox.ok(["pull", registry.push("before", imageOf([layer("before")]))]);
  });

  test.each([
    ["wrong byte", /has the digest|decompress|diff id/],
    ["too long", /is larger than its \d+ bytes/],
    ["wrong length", /has \d+ bytes instead of \d+/],
    ["short", /has \d+ bytes instead of \d+/],
  ])("of a blob with a fault (%s) leaves nothing", async (fault, message) => {
    const before = inventory();
    const image = newImage();
    const { code, stderr } = sandbox.bocker(["pull", (await misbehaving(image, fault)).reference]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(inventory()).toEqual(before);
    expect(sandbox.bocker(["pull", registry.push("good", image)]).code).toBe(0);
  });

  test("whose image lies about its layers leaves nothing", async () => {
    const before = inventory();
    const [one, two] = [layer("one"), layer("two")];
    const diffIds = [digestOf(one.tar), digestOf("another")];
    const lies = [
      { config: { rootfs: { type: "layers", diff_ids: diffIds } } },
      { config: { rootfs: { type: "layers", diff_ids: diffIds.slice(1) } } },
      {
        manifest: {
          layers: [one, two].map(({ blob }) => ({ ...blob, bytes: undefined, size: blob.size + 1 })),
        },
      },
    ];
    const messages = [/diff id is/, /lists 1 layers, but the manifest 2/, /bytes instead of/];
    for (const [index, lie] of lies.entries()) {
      const stub = await misbehaving(imageOf([one, two], lie), "none");
      const { code, stderr } = sandbox.bocker(["pull", stub.reference]);
      expect([code, stderr]).toEqual([1, expect.stringMatching(messages[index]!)]);
      await stub.service.stop();
    }
    expect(inventory()).toEqual(before);
  });

  test("continues a transfer that is reset, where it ended", async () => {
    const image = newImage();
    const stub = await misbehaving(image, "reset twice");
    sandbox.ok(["pull", stub.reference]);
    const requests = stub.service.output
      .split("\n")
      .filter((line) => line.includes(image.blobs.at(-1)!.digest));
    expect(requests.length).toBe(3);
  });

  test("waits for a server that is busy, as long as it asks for", async () => {
    const stub = await misbehaving(newImage(), "busy once");
    const start = performance.now();
    sandbox.ok(["pull", stub.reference]);
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  test("ends at SIGINT with 130 and leaves nothing", async () => {
    const before = inventory();
    const stub = await misbehaving(newImage(), "stall");
    const pull = begin(stub.reference);
    await until(() => existsSync(join(stub.directory, "stalled")));
    // The server never goes on: it is not waited for.
    pull.process.kill("SIGINT");
    expect(await pull.ended).toBe(130);
    expect(inventory()).toEqual(before);
  });

  test("killed in the middle leaves only what the next one removes", async () => {
    const before = inventory();
    const image = newImage();
    const stub = await misbehaving(image, "stall");
    const pull = begin(stub.reference);
    await until(() => existsSync(join(stub.directory, "stalled")));
    pull.process.kill("SIGKILL");
    expect(await pull.ended).toBe("SIGKILL");
    expect(inventory()).toMatchObject({ rows: (before as { rows: number[] }).rows });
    sandbox.ok(["pull", registry.push("after-kill", image)]);
    expect(inventory()).toMatchObject({ ingest: [], trash: [] });
    expect(readdirSync(join(sandbox.data, "overlay")).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("and another one of the same image, and of one that shares layers, do not disturb each other", async () => {
    const shared = layer(randomBytes(1 << 20));
    const names = [0, 1, 2].map((i) =>
      registry.push(`shared/${i}`, imageOf([shared, layer(randomBytes(1000 + i))])),
    );
    const blob = shared.blob.digest.slice(7);
    const pulls = [...names, ...names, ...names].map((name) => begin(name).ended);
    expect(await Promise.all(pulls)).toEqual(pulls.map(() => 0));
    expect(inventory()).toMatchObject({ ingest: [], trash: [] });
    expect(readFileSync(join(sandbox.data, "content/blobs/sha256", blob)).equals(shared.blob.bytes)).toBe(
      true,
    );
  });

  test("says that the disk is full, and gives back what it took", () => {
    const name = registry.push("large", imageOf([layer(randomBytes(1000)), layer(randomBytes(8 << 20))]));
    const script = `mount -t tmpfs -o size=6m tmpfs "$1"; BOCKER_DATA="$1" "$2" pull -q "$3"; echo "code $?"
      find "$1/overlay" "$1/content" -mindepth 1 ! -path '*/blobs*' ! -path '*/ingest'`;
    const full = mkdtempSync(join(sandbox.directory, "full-"));
    const result = sandbox.execute(["unshare", "-m", "sh", "-c", script, "sh", full, BINARY, name]);
    expect(result.stderr).toContain("no space left on device");
    expect(result.stdout).toBe("code 1\n");
  });

  test("heals a damaged blob and a layer that is gone", () => {
    const [one] = [layer(randomBytes(1000))];
    const name = registry.push("healed", imageOf([one!]));
    sandbox.ok(["pull", name]);
    const blob = join(sandbox.data, "content/blobs/sha256", one!.blob.digest.slice(7));
    const bytes = Buffer.from(readFileSync(blob));
    writeFileSync(blob, Buffer.alloc(bytes.length, 7));
    rmSync(join(sandbox.data, "overlay", digestOf(one!.tar).slice(7)), { recursive: true });
    sandbox.ok(["pull", name]);
    expect(readFileSync(blob).equals(bytes)).toBe(true);
    expect(existsSync(join(sandbox.data, "overlay", digestOf(one!.tar).slice(7), "diff/file"))).toBe(true);
  });
});
