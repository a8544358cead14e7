/** bocker-classic: what the 2015 script printed, where, and how it ended. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Result, Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
let tree: string;

const classic = (...words: string[]): Result => sandbox.bocker(["classic", ...words]);

beforeAll(() => {
  sandbox = new Sandbox();
  tree = join(sandbox.directory, "tree");
  mkdirSync(join(tree, "bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  for (const name of ["sh", "cat", "echo", "sleep", "ls"]) symlinkSync("busybox", join(tree, "bin", name));
  writeFileSync(join(tree, "mark"), "original\n");
});
afterAll(() => sandbox.remove());

const created = (result: Result) => /^Created: (img_\d{5})\n$/.exec(result.stdout)?.[1] ?? "";

test("init, images, run, ps, logs, commit, exec and rm", () => {
  const image = created(classic("init", tree));
  expect(image).toMatch(/^img_\d{5}$/);
  expect(classic("images").stdout).toBe(`IMAGE_ID\t\tSOURCE\n${image}\t\t${tree}\n`);

  const ran = classic("run", image, "echo out; echo err >&2;", "echo changed > /mark; exit 3");
  expect(ran).toEqual({ code: 0, stdout: "out\nerr\n", stderr: "" });
  const [head, row] = classic("ps").stdout.split("\n");
  expect(head).toBe("CONTAINER_ID\t\tCOMMAND");
  const [, container] = /^(ps_\d{5})\t\techo out; echo err >&2; echo changed > \/mark; exit 3$/.exec(row!)!;
  expect(classic("logs", container!).stdout).toBe("out\nerr\n");

  expect(classic("exec", container!, "ls")).toEqual({
    code: 1,
    stdout: `Container '${container}' exists but is not running\n`,
    stderr: "",
  });
  expect(classic("commit", container!, image).stdout).toBe(`Removed: ${image}\nCreated: ${image}\n`);
  expect(classic("run", image, "cat /mark").stdout).toBe("changed\n");
  for (const line of classic("ps").stdout.split("\n").slice(1, -1))
    expect(classic("rm", line.split("\t")[0]!).stdout).toBe(`Removed: ${line.split("\t")[0]}\n`);
  expect(classic("rm", image).stdout).toBe(`Removed: ${image}\n`);
  expect(classic("images").stdout).toBe("IMAGE_ID\t\tSOURCE\n");
  expect(classic("ps").stdout).toBe("CONTAINER_ID\t\tCOMMAND\n");
  // Nothing of all that is left: neither layers nor blobs.
  expect(sandbox.ok(["images", "-aq"])).toBe("host");
  expect(sandbox.execute(["find", join(sandbox.data, "content"), "-type", "f"]).stdout).toBe("");
});

test("what does not exist is said on standard output, with 1", () => {
  const refused = (words: string[], message: string, code = 1) =>
    expect(classic(...words)).toEqual({ code, stdout: `${message}\n`, stderr: "" });
  refused(["run", "img_1", "ls"], "No image named 'img_1' exists");
  refused(["logs", "ps_1"], "No container named 'ps_1' exists");
  refused(["exec", "ps_1", "ls"], "No container named 'ps_1' exists");
  refused(["rm", "ps_1"], "No container named 'ps_1' exists");
  refused(["commit", "ps_1", "img_1"], "No container named 'ps_1' exists");
  // The script ended with 0 here.
  refused(["init", "/no/such"], "No directory named '/no/such' exists", 0);
});

test("exec works in a running container, and gives the command's code", () => {
  const image = created(classic("init", tree));
  const id = sandbox.ok(["run", "-d", "--name", "ps_1", image, "sleep", "1000"]);
  expect(classic("exec", "ps_1", "cat", "/mark").stdout).toBe("original\n");
  expect(classic("exec", "ps_1", "sh", "-c", "exit 7").code).toBe(7);
  expect(classic("rm", "ps_1").stdout).toBe("Removed: ps_1\n");
  expect(existsSync(join(sandbox.data, "containers", id))).toBe(false);
  classic("rm", image);
});

test("limits are 512, from the environment or from options", () => {
  const image = created(classic("init", tree));
  const limits = (...words: string[]) => {
    classic(...words, "run", image, "sleep 0");
    const [name] = classic("ps").stdout.split("\n").at(-2)!.split("\t");
    const text = sandbox.ok(["inspect", "-f", "{{.HostConfig.CpuShares}} {{.HostConfig.Memory}}", name!]);
    classic("rm", name!);
    return text;
  };
  expect(limits()).toBe("512 512000000");
  expect(limits("--cpu_share=1024", "--mem_limit=64")).toBe("1024 64000000");
  const shown = sandbox.execute(
    [
      "env",
      "BOCKER_CPU_SHARE=77",
      "BOCKER_MEM_LIMIT=33",
      join(import.meta.dirname, "../../../dist/bocker"),
      "classic",
    ].concat("run", image, "cat /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/memory/memory.limit_in_bytes"),
  );
  // The kernel rounds to pages.
  if (existsSync("/sys/fs/cgroup/cpu"))
    expect(shown.stdout).toBe(`77\n${33_000_000 - (33_000_000 % 4096)}\n`);
  for (const line of classic("ps").stdout.split("\n").slice(1, -1)) classic("rm", line.split("\t")[0]!);
  classic("rm", image);
});

test("ids never repeat", () => {
  const ids = Array.from({ length: 5 }, () => created(classic("init", tree)));
  for (const id of ids) classic("rm", id);
  ids.push(created(classic("init", tree)));
  expect(new Set(ids).size).toBe(6);
  classic("rm", ids.at(-1)!);
});

test("help is all there is without a verb", () => {
  for (const words of [[], ["help"], ["frobnicate"]]) {
    const { code, stdout } = classic(...words);
    expect(code).toBe(0);
    for (const verb of ["init", "pull", "rm", "images", "ps", "run", "exec", "logs", "commit"])
      expect(stdout).toContain(`bocker-classic ${verb}`);
  }
  expect(classic("init").code).toBe(1);
  expect(readFileSync(join(import.meta.dirname, "../../../bocker-classic"), "utf8")).toContain("classic");
});
