/** E. The tar corpus, through the layer code in both of its modes, and through the commands that take archives. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestFromHex, digestHex } from "../../src/base/digest.ts";
import { BockerError } from "../../src/base/errors.ts";
import { unpackLayer } from "../../src/images/layer/unpack.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../src/os/constants.ts";
import { close, openat } from "../../src/os/files.ts";
import { busyboxSandbox } from "../e2e/busybox.ts";
import { type Image, imageOf, layerOf } from "../e2e/image/layout.ts";
import { Registry } from "../e2e/image/registry.ts";
import type { Sandbox } from "../e2e/sandbox.ts";
import type { CorpusRow } from "./tar-breakouts.ts";
import { CORPUS } from "./tar-corpus.ts";

const bytesOf = ({ bytes }: CorpusRow) => (typeof bytes === "function" ? bytes() : bytes);
const ROWS = CORPUS.map((row) => [`E${row.id} ${row.name}`, row] as const);

describe.each(["layer", "rootfs"] as const)("applied as a %s", (mode) => {
  let directory: string;
  let root: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "bocker-corpus-"));
    root = join(directory, "root");
    mkdirSync(root);
    mkdirSync(join(directory, "etc"));
    writeFileSync(join(directory, "etc/passwd"), "the host's", { mode: 0o600 });
  });
  afterEach(() => {
    // Nothing beside the root was made, changed, linked to or opened up.
    expect(readdirSync(directory).sort()).toEqual(["etc", "root"]);
    expect(readdirSync(join(directory, "etc"))).toEqual(["passwd"]);
    const { mode: bits, nlink } = statSync(join(directory, "etc/passwd"));
    expect([bits & 0o777, nlink, readFileSync(join(directory, "etc/passwd"), "utf8")]).toEqual([
      0o600,
      1,
      "the host's",
    ]);
    rmSync(directory, { recursive: true });
  });

  test.each(ROWS)("%s", async (_, row) => {
    const bytes = bytesOf(row);
    async function* source() {
      for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
    }
    const fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
    const expected = { digest: digestFromHex("0".repeat(64)), size: bytes.length };
    let error: unknown;
    try {
      await unpackLayer({ source: source(), expected, directory: fd, mode });
    } catch (thrown) {
      error = thrown;
    } finally {
      close(fd);
    }
    // Whatever is wrong with it, it is said in words, and nothing stays.
    if (error !== undefined) {
      expect(error).toBeInstanceOf(BockerError);
      expect(readdirSync(root)).toEqual([]);
    }
    if (row.outcome === "refused") expect(error).toBeDefined();
    if (typeof row.outcome === "function") {
      expect(error).toBeUndefined();
      if (mode === "rootfs") row.outcome(root);
    }
  });
});

describe("through the commands", () => {
  let sandbox: Sandbox;
  const canary = join(tmpdir(), `bocker-corpus-canary-${process.pid}`);
  beforeAll(() => {
    sandbox = busyboxSandbox();
    writeFileSync(canary, "alive");
  });
  afterAll(() => {
    rmSync(canary);
    sandbox.remove();
  });

  test("import and init say no to what is refused, and take the rest; nothing is left of what failed", () => {
    for (const [name, row] of ROWS) {
      const bytes = bytesOf(row);
      const tar = join(sandbox.directory, "row.tar.gz");
      writeFileSync(tar, gzipSync(bytes, { level: 1 }));
      for (const words of [
        ["import", tar, "row"],
        ["init", tar, "row"],
      ]) {
        const { code, stderr } = sandbox.bocker(words);
        if (row.outcome === "refused") expect([name, code]).toEqual([name, 1]);
        if (typeof row.outcome === "function") expect([name, code, stderr]).toEqual([name, 0, ""]);
        expect(stderr).not.toContain("internal");
        if (code === 0) sandbox.ok(["rmi", "row"]);
      }
    }
    expect(sandbox.bocker(["system", "check"])).toEqual({ code: 0, stdout: "Nothing found.\n", stderr: "" });
    expect(readFileSync(canary, "utf8")).toBe("alive");
  }, 120_000);

  test("cp takes them into containers that run and that do not, and out of none", () => {
    const start = ["--network", "none", "busybox", "sleep", "1000"];
    sandbox.ok(["run", "-d", "--name", "running", ...start]);
    sandbox.ok(["create", "--name", "idle", ...start]);
    for (const [at, [name, row]] of ROWS.entries())
      for (const container of ["running", "idle"]) {
        const into = `/tmp/${at}`;
        sandbox.ok(["cp", emptyDirectory(), `${container}:${into}`]);
        const { code, stderr } = sandbox.bocker(["cp", "-", `${container}:${into}`], bytesOf(row));
        // Whiteouts are files here; and what is there is not replaced by what is of another kind, or lies behind a link to nothing.
        if (row.outcome === "refused") expect([name, code]).toEqual([name, /whiteout/i.test(name) ? 0 : 1]);
        const isOther = /cannot overwrite|mkdirat .*: file exists/.test(stderr);
        if (typeof row.outcome === "function" && !isOther)
          expect([name, code, stderr]).toEqual([name, 0, ""]);
        expect([name, code === 0, /internal|^$/.test(stderr)]).toEqual([name, code === 0, code === 0]);
      }
    // Nothing went beside the directories that it was for.
    const there = sandbox.ok(["exec", "running", "sh", "-c", "ls -A /tmp | sort -n | tr '\\n' ' '"]);
    expect(there.trim().split(" ").map(Number)).toEqual(ROWS.map((_, at) => at));
    sandbox.ok(["rm", "-f", "running", "idle"]);
    expect(sandbox.bocker(["system", "check"])).toEqual({ code: 0, stdout: "Nothing found.\n", stderr: "" });
    expect(readFileSync(canary, "utf8")).toBe("alive");
  }, 240_000);

  const emptyDirectory = () => `${mkdtempSync(join(sandbox.directory, "empty-"))}`;

  test("pull and load do, too", async () => {
    const registry = await Registry.start(sandbox, "127.0.0.1:5000");
    try {
      for (const [at, [name, row]] of ROWS.entries()) {
        const image = imageOf([layerOf(bytesOf(row), undefined, (tar) => gzipSync(tar, { level: 1 }))]);
        const reference = registry.push(`corpus/row${at}:1`, image);
        const archive = layoutArchive(image, reference);
        for (const words of [
          ["pull", "-q", reference],
          ["load", "-q", "-i", archive],
        ]) {
          const { code, stderr } = sandbox.bocker(words);
          if (row.outcome === "refused") expect([words[0], name, code]).toEqual([words[0], name, 1]);
          if (typeof row.outcome === "function")
            expect([words[0], name, code, stderr]).toEqual([words[0], name, 0, ""]);
          expect(stderr).not.toContain("internal");
          if (code === 0) sandbox.ok(["rmi", reference]);
        }
      }
    } finally {
      await registry.stop();
    }
    expect(sandbox.bocker(["system", "check"])).toEqual({ code: 0, stdout: "Nothing found.\n", stderr: "" });
    expect(readFileSync(canary, "utf8")).toBe("alive");
  }, 240_000);

  /** The image as an OCI image layout in one archive. */
  function layoutArchive({ manifest, blobs }: Image, name: string): string {
    const { mediaType, digest, size } = manifest;
    const layout = mkdtempSync(join(sandbox.directory, "layout-"));
    mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
    for (const blob of [manifest, ...blobs])
      writeFileSync(join(layout, "blobs/sha256", digestHex(blob.digest)), blob.bytes);
    const annotations = { "io.containerd.image.name": name };
    const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] };
    writeFileSync(join(layout, "index.json"), JSON.stringify(index));
    writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    const archive = join(sandbox.directory, "layout.tar");
    execFileSync("tar", ["-C", layout, "-cf", archive, "."]);
    rmSync(layout, { recursive: true });
    return archive;
  }
});
