/** diff: what a container has changed, whatever keeps its files. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { LoopFilesystem } from "../../storage/filesystem.ts";
import { busyboxSandbox } from "../busybox.ts";
import { Sandbox } from "../sandbox.ts";
import { untilSync } from "../wait.ts";

const DRIVERS = [
  ["overlay", "ext4"],
  ["btrfs", "btrfs"],
  ["vfs", "ext4"],
] as const;

/** In the image: /d/{a,b,sub/c}, /gone, /kept, /was-file, /was-directory/x. */
const IMAGE = `mkdir -p /d/sub /gone /was-directory /etc/deep; touch /d/a /d/b /d/sub/c /gone/f /kept /was-file /was-directory/x /etc/deep/x
touch -d '2001-02-03' /etc/deep /etc /d/sub /d`;
const CHANGES = `set -e
echo more >>/d/a; rm /d/b; rm -r /gone; chmod 600 /kept
rm /was-file; mkdir /was-file; touch /was-file/y
rm -r /was-directory; echo file >/was-directory
rm -r /d/sub; mkdir /d/sub; touch /d/sub/new
mkdir -p /new/er; ln -s /nowhere /new/link; mkfifo /new/er/pipe; touch "/new/$(printf 'a\\033b')"
echo x >/etc/deep/x; touch /d-after`;

describe.each(DRIVERS)("%s on %s", (driver, filesystem) => {
  let mounted: LoopFilesystem;
  let sandbox: Sandbox;
  beforeAll(() => {
    mounted = new LoopFilesystem(filesystem);
    sandbox = busyboxSandbox(new Sandbox(mounted.path, { BOCKER_STORAGE_DRIVER: driver }));
    const made = ["run", "--name", "made", "--network", "none", "busybox", "sh", "-c", IMAGE];
    sandbox.ok(made);
    sandbox.ok(["commit", "made", "image"]);
    sandbox.ok(["rm", "made"]);
  });
  afterAll(() => {
    sandbox.remove();
    mounted.remove();
  });

  const diff = (name: string) => sandbox.ok(["diff", name]).split("\n").filter(Boolean);

  test("nothing, before and after a start that changes nothing", () => {
    sandbox.ok(["create", "--name", "idle", "image", "true"]);
    expect(diff("idle")).toEqual([]);
    sandbox.ok(["start", "-a", "idle"]);
    expect(diff("idle")).toEqual([]);
    sandbox.ok(["rm", "idle"]);
  });

  test("what is new, changed and gone, while it runs, too", () => {
    const words = [
      "run",
      "-d",
      "--name",
      "busy",
      "-v",
      "/volume",
      "image",
      "sh",
      "-c",
      `${CHANGES}\nexec sleep 1000`,
    ];
    sandbox.ok(words);
    untilSync(() => diff("busy").includes("A /d-after"));
    const expected = [
      ...["C /d", "A /d-after", "C /d/a", "D /d/b", "C /d/sub", "D /d/sub/c", "A /d/sub/new"],
      ...["C /etc", "C /etc/deep", "C /etc/deep/x", "D /gone", "C /kept"],
      ...["A /new", "A /new/a\\u001bb", "A /new/er", "A /new/er/pipe", "A /new/link"],
      ...["A /volume", "C /was-directory", "C /was-file", "A /was-file/y"],
    ];
    expect(diff("busy")).toEqual(expected);
    sandbox.ok(["rm", "-f", "-v", "busy"]);
  });
});

test("of --rootfs nobody knows, and no container has none", () => {
  const sandbox = new Sandbox();
  try {
    expect(sandbox.bocker(["diff", "nobody"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "Error: No such container: nobody\n",
    });
    sandbox.ok(["create", "--name", "bare", "--network", "none", "--rootfs", sandbox.directory, "true"]);
    expect(sandbox.bocker(["diff", "bare"]).stderr).toBe(
      "Error: nobody knows what a container of --rootfs has changed: it works on the directory itself\n",
    );
    sandbox.ok(["rm", "bare"]);
  } finally {
    sandbox.remove();
  }
});
