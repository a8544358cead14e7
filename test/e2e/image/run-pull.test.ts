/** `run` and `create` with images that are not here: --pull, --platform, and what is printed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../sandbox.ts";
import { imageOf, indexOf, layerOf, tarOf } from "./layout.ts";
import { Registry } from "./registry.ts";

let sandbox: Sandbox;
let registry: Registry;
const NAME = "localhost:5000/box";

const NATIVE = process.arch === "x64" ? "amd64" : "arm64";

const busybox = layerOf(
  tarOf((directory) => {
    mkdirSync(join(directory, "bin"));
    copyFileSync("/bin/busybox", join(directory, "bin/busybox"));
    for (const name of ["sh", "echo"]) symlinkSync("busybox", join(directory, "bin", name));
  }),
);
const box = (text: string, architecture = NATIVE) =>
  imageOf([busybox], { config: { architecture, config: { Cmd: ["echo", text] } } });

beforeAll(async () => {
  sandbox = new Sandbox();
  registry = await Registry.start(sandbox, "localhost:5000");
});
afterAll(async () => {
  await registry.stop();
  sandbox.remove();
});

const run = (...words: string[]) => sandbox.bocker(["run", "--rm", "--network", "none", ...words]);

test("an image that is missing is pulled, and said so on standard error", () => {
  registry.push("box", box("one"));
  const { code, stdout, stderr } = run(NAME);
  expect([code, stdout]).toEqual([0, "one\n"]);
  expect(stderr).toStartWith(`Unable to find image '${NAME}:latest' locally\n`);
  expect(stderr).toContain("latest: Pulling from box\n");
  expect(stderr).toContain(`Status: Downloaded newer image for ${NAME}:latest\n`);
  expect(run(NAME)).toEqual({ code: 0, stdout: "one\n", stderr: "" });
});

test("--pull says when", () => {
  registry.push("box", box("two"));
  expect(run(NAME).stdout).toBe("one\n");
  expect(run("--pull", "never", NAME).stdout).toBe("one\n");
  const quiet = run("--pull", "always", "-q", NAME);
  expect([quiet.stdout, quiet.stderr]).toEqual(["two\n", ""]);
  const never = run("--pull=never", "localhost:5000/other");
  expect([never.code, never.stderr.split("\n")[0]]).toEqual([
    125,
    "bocker: No such image: localhost:5000/other",
  ]);
  expect(run("--pull=sometimes", NAME).stderr).toContain("invalid pull option: 'sometimes'");
});

test("--platform chooses from an index, and pulls again where the local image does not fit", () => {
  const native = box("native");
  const other = box("other", "s390x");
  const index = indexOf({ [`linux/${NATIVE}`]: native, "linux/s390x": other });
  registry.push("multi", { index, images: [native, other] });
  const name = "localhost:5000/multi";
  expect(run("-q", name).stdout).toBe("native\n");
  expect(sandbox.ok(["create", "-q", "--name", "foreign", "--platform", "linux/s390x", name])).toMatch(
    /^[0-9a-f]{64}$/,
  );
  const image = sandbox.ok(["inspect", "-f", "{{.Image}}", "foreign"]);
  expect(sandbox.ok(["inspect", "-f", "{{.Architecture}}", image])).toBe("s390x");
  expect(run("--platform", "linux/riscv64", "-q", name).stderr).toContain(
    "no matching manifest for linux/riscv64",
  );
  expect(run("--platform", "a/b/c/d", name).stderr).toContain("is an invalid platform");
  sandbox.ok(["rm", "foreign"]);
});
