/** Binds, volumes, tmpfs and roots: what a container sees of files, and what the machine keeps of its own. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE, SEED, SEED_OWNER } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { mountAt, mountsOf } from "./kernel.ts";
import { script, tryScript, withRunning } from "./running.ts";

let sandbox: Sandbox;
/** A directory of the machine with a file in it, anew for each test that asks. */
function source(): string {
  const directory = mkdtempSync(join(sandbox.directory, "source-"));
  writeFileSync(join(directory, "file"), "of the machine\n");
  return directory;
}

/** A root directory with a busybox; `links` are links in it. */
function tree(links: Record<string, string>): string {
  const root = mkdtempSync(join(sandbox.directory, "tree-"));
  for (const name of ["bin", "etc"]) mkdirSync(join(root, name));
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  for (const name of ["sh", "cat", "ls", "touch", "mkdir"]) symlinkSync("busybox", join(root, "bin", name));
  writeFileSync(join(root, "etc/image-file"), "of the image\n");
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path));
  return root;
}

const volumes = () => readdirSync(join(sandbox.data, "volumes")).sort();
const named = () => volumes().filter((name) => !/^[0-9a-f]{64}$/.test(name));

beforeAll(() => {
  sandbox = busyboxSandbox();
  // The directory of all volumes exists from the first one on.
  script(sandbox, ["-v", "first:/first"], "true");
});
afterAll(() => {
  const left = sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean);
  if (left.length > 0) sandbox.ok(["rm", "-f", ...left]);
  sandbox.remove();
});

describe("-v with a directory of the machine", () => {
  test("is the same directory, both ways", () => {
    const from = source();
    expect(script(sandbox, ["-v", `${from}:/m`], "cat /m/file; echo back > /m/new")).toBe("of the machine");
    expect(readFileSync(join(from, "new"), "utf8")).toBe("back\n");
    withRunning(sandbox, ["-v", `${from}:/m`], ({ pid }) => {
      const mount = mountAt(mountsOf(pid), "/m");
      expect(mount?.options).toContain("rw");
      expect(mount?.propagation).toEqual([]);
    });
  });

  test("ro cannot be written", () => {
    const from = source();
    for (const options of [
      ["-v", `${from}:/m:ro`],
      ["--mount", `type=bind,source=${from},target=/m,readonly`],
      ["--mount", `type=bind,src=${from},dst=/m,ro=true`],
    ]) {
      const { stdout, stderr } = tryScript(sandbox, options, "cat /m/file; touch /m/new; echo x > /m/file");
      expect(stdout).toBe("of the machine\n");
      expect(stderr.match(/Read-only file system/g)).toHaveLength(2);
    }
    expect(readdirSync(from)).toEqual(["file"]);
  });

  test("ro holds for what is mounted below, too", () => {
    const from = source();
    mkdirSync(join(from, "below"));
    // In a mount namespace that goes with the command: the machine's own mounts stay as they are.
    const words = [sandbox.binary, "run", "--rm", "--network", "none", "-v", `${from}:/m:ro`, IMAGE];
    const inside = "ls /m/below; touch /m/below/new; mount -o remount,rw,bind /m/below";
    const { stdout, stderr } = sandbox.execute([
      ...["unshare", "-m", "sh", "-c", `mount -t tmpfs none "$0"/below; touch "$0"/below/there; exec "$@"`],
      ...[from, ...words, "sh", "-c", inside],
    ]);
    expect(stdout).toBe("there\n");
    expect(stderr).toContain("Read-only file system");
  });

  test("what is mounted inside does not come out", () => {
    const from = source();
    mkdirSync(join(from, "below"));
    const mount = "mount -t tmpfs none /m/below && touch /m/below/hidden && ls /m/below";
    expect(script(sandbox, ["--cap-add", "SYS_ADMIN", "-v", `${from}:/m`], mount)).toBe("hidden");
    expect(readdirSync(join(from, "below"))).toEqual([]);
  });

  test("a missing source is made, 0755, whatever the umask", () => {
    const from = join(source(), "not/yet");
    const words = ["run", "--rm", "--network", "none", "-v", `${from}:/m`, IMAGE, "touch", "/m/new"];
    const result = sandbox.execute(["sh", "-c", `umask 077; exec "$@"`, "sh", sandbox.binary, ...words]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(from)).toEqual(["new"]);
    expect(statSync(from).mode & 0o7777).toBe(0o755);
  });

  test("a file is mounted over a file, and over nothing", () => {
    const file = join(source(), "file");
    const options = ["-v", `${file}:/etc/passwd:ro`, "-v", `${file}:/new/place`];
    const { stdout, stderr } = tryScript(
      sandbox,
      options,
      "cat /etc/passwd /new/place; echo x > /etc/passwd",
    );
    expect(stdout).toBe("of the machine\nof the machine\n");
    expect(stderr).toContain("Read-only file system");
    expect(readFileSync(file, "utf8")).toBe("of the machine\n");
  });

  test("a relative one begins with a dot", () => {
    const from = source();
    const words = [sandbox.binary, "run", "--rm", "--network", "none", "-v", "./file:/m", IMAGE, "cat", "/m"];
    const { stdout } = sandbox.execute(["sh", "-c", `cd ${from}; exec "$@"`, "sh", ...words]);
    expect(stdout).toBe("of the machine\n");
  });

  test("deeper mounts lie over shallower ones, in any order", () => {
    const from = source();
    const options = ["-v", `${from}:/m/deep`, "--tmpfs", "/m"];
    expect(script(sandbox, options, "touch /m/up; cat /m/deep/file; ls /m")).toBe("of the machine\ndeep\nup");
  });
});

describe("volumes", () => {
  const SEEN = `${(0o2750).toString(8)} ${SEED_OWNER.uid}:${SEED_OWNER.gid} .\n640 ${SEED_OWNER.uid}:${SEED_OWNER.gid} file`;

  test("a new one is filled from the image, with owners and modes, and stays", () => {
    const look = (at: string) => `cd ${at}; stat -c '%a %u:%g %n' . file; cat file link; ls -A | sort`;
    expect(script(sandbox, ["-v", `filled:${SEED}`], `${look(SEED)}; echo more > more`)).toBe(
      `${SEEN}\nfrom the image\nfrom the image\nfile\nlink`,
    );
    expect(script(sandbox, ["-v", "filled:/elsewhere"], look("/elsewhere"))).toBe(
      `${SEEN}\nfrom the image\nfrom the image\nfile\nlink\nmore`,
    );
    expect(named()).toContain("filled");
  });

  test("one that has something is left as it is", () => {
    script(sandbox, ["-v", "own:/m"], "echo own > /m/own");
    expect(script(sandbox, ["-v", `own:${SEED}`], `ls ${SEED}`)).toBe("own");
  });

  test("where the image has nothing it is empty, root's and 0755", () => {
    expect(script(sandbox, ["-v", "bare:/nowhere"], "stat -c '%a %u:%g' /nowhere; ls -A /nowhere")).toBe(
      "755 0:0",
    );
  });

  test("ro, by -v and by --mount", () => {
    for (const options of [
      ["-v", `fixed:${SEED}:ro`],
      ["--mount", `type=volume,source=fixed,target=${SEED},readonly`],
    ]) {
      const { stdout, stderr } = tryScript(sandbox, options, `cat ${SEED}/file; touch ${SEED}/new`);
      expect(stdout).toBe("from the image\n");
      expect(stderr).toContain("Read-only file system");
    }
  });

  test("anonymous ones go with --rm and with rm -v, and stay otherwise; named ones stay", () => {
    const before = volumes();
    script(sandbox, ["-v", "/m", "--mount", "target=/n", "-v", "kept:/k"], "touch /m/x /n/x /k/x");
    const after = [...before, "kept"].sort();
    expect(volumes()).toEqual(after);
    const make = (name: string) =>
      sandbox.ok([
        "run",
        "--network",
        "none",
        "--name",
        name,
        "-v",
        "/m",
        "-v",
        "kept:/k",
        IMAGE,
        "touch",
        "/m/x",
      ]);
    make("with");
    expect(volumes().length).toBe(after.length + 1);
    sandbox.ok(["rm", "-v", "with"]);
    expect(volumes()).toEqual(after);
    make("without");
    sandbox.ok(["rm", "without"]);
    expect(volumes().length).toBe(after.length + 1);
    expect(script(sandbox, ["-v", "kept:/k"], "ls /k")).toBe("x");
  });

  test("two containers share one", () =>
    withRunning(sandbox, ["-v", "shared:/a"], ({ id }) => {
      script(sandbox, ["-v", "shared:/b"], "echo hello > /b/word");
      expect(sandbox.ok(["exec", id, "cat", "/a/word"])).toBe("hello");
    }));

  test("those an image declares are made, filled, and go with --rm", () => {
    const root = tree({});
    const tar = sandbox.execute(["tar", "-C", root, "-c", "."]);
    expect(tar.code).toBe(0);
    sandbox.execute(["tar", "-C", root, "-cf", `${root}.tar`, "."]);
    sandbox.ok(["import", "-c", "VOLUME /etc", "-c", "VOLUME /x", `${root}.tar`, "declared"]);
    const before = volumes();
    const id = sandbox.ok(["run", "-d", "--network", "none", "declared", "sh", "-c", "read x < /dev/zero"]);
    const pid = Number(sandbox.ok(["inspect", "-f", "{{.State.Pid}}", id]));
    for (const target of ["/x", "/etc"]) expect(mountAt(mountsOf(pid), target)?.root).toContain("/volumes/");
    expect(sandbox.ok(["exec", id, "cat", "/etc/image-file"])).toBe("of the image");
    sandbox.ok(["rm", "-f", "-v", id]);
    expect(volumes()).toEqual(before);
    sandbox.ok(["run", "--rm", "--network", "none", "declared", "touch", "/x/y"]);
    expect(volumes()).toEqual(before);
  });
});

describe("tmpfs", () => {
  test("--tmpfs is empty, nosuid, nodev and noexec; options change that", () => {
    const plain = ["--tmpfs", SEED];
    expect(script(sandbox, plain, `stat -c '%a %u:%g' ${SEED}; ls -A ${SEED}`)).toBe("1777 0:0");
    withRunning(sandbox, [...plain, "--tmpfs", "/m:size=2m,mode=0750,uid=77,exec,ro"], ({ pid }) => {
      expect(mountAt(mountsOf(pid), SEED)?.options).toEqual(["rw", "nosuid", "nodev", "noexec", "relatime"]);
      const mount = mountAt(mountsOf(pid), "/m");
      expect(mount?.options).toEqual(["ro", "nosuid", "nodev", "relatime"]);
      for (const option of ["size=2048k", "mode=750", "uid=77"])
        expect(mount?.superOptions).toContain(option);
    });
    const full = tryScript(sandbox, ["--tmpfs", "/m:size=1m"], "dd if=/dev/zero of=/m/x bs=1024 count=2000");
    expect(full.stderr).toContain("No space left on device");
  });

  test("--mount type=tmpfs", () => {
    const options = ["--mount", "type=tmpfs,target=/m,tmpfs-size=1m,tmpfs-mode=1700"];
    expect(script(sandbox, options, "stat -c %a /m; df -k /m | tail -n 1 | awk '{print $2}'")).toBe(
      "1700\n1024",
    );
    expect(tryScript(sandbox, ["--mount", "type=tmpfs,target=/m,readonly"], "touch /m/x").stderr).toContain(
      "Read-only file system",
    );
  });
});

describe("what is refused, before anything is made", () => {
  const CASES: [options: string[], message: string][] = [
    [["-v", "a/b:/m"], "If you intended to pass a host directory, use absolute path"],
    [["-v", "/src:m"], "invalid mount path: 'm' mount path must be absolute"],
    [["-v", ":/m"], "invalid volume specification: ':/m'"],
    [["-v", "/a:/b:ro:c"], "invalid volume specification: '/a:/b:ro:c'"],
    [["-v", "vol:/"], "invalid specification: destination can't be '/'"],
    [["-v", "vol:/m/.."], "invalid specification: destination can't be '/'"],
    [["-v", "vol:/m:bad"], "invalid mode: bad"],
    [["-v", "vol:/proc"], "destination can't be '/proc'"],
    [["-v", "vol:/m", "-v", "other:/m/"], "Duplicate mount point: /m"],
    [["--mount", "type=bind,source=/not/there,target=/m"], "bind source path does not exist: /not/there"],
    [["--mount", "type=bind,target=/m"], "field Source must not be empty"],
    [["--mount", "type=tmpfs,source=x,target=/m"], "field Source must not be specified"],
    [
      ["--mount", "type=volume,target=/m,tmpfs-size=1m"],
      "cannot mix 'tmpfs-*' options with mount type 'volume'",
    ],
    [["--mount", "type=tmpfs"], "target is required"],
    [["--mount", "type=tmpfs,target=/m,colour=red"], "unexpected key 'colour' in 'colour=red'"],
  ];
  test.each(CASES)("%p", (options, message) => {
    const before = volumes();
    const { code, stdout, stderr } = tryScript(sandbox, options, "echo started");
    expect(stderr).toContain(message);
    expect([code, stdout]).toEqual([125, ""]);
    expect(volumes()).toEqual(before);
  });
});

describe("links in an image do not lead out of it", () => {
  const run = (image: string, options: string[], text: string) =>
    sandbox.bocker(["run", "--rm", "--network", "none", ...options, image, "sh", "-c", text]);
  const mark = `bocker-test-${process.pid}`;

  test("a mount below an absolute link, one with dots, and one that leads nowhere", () => {
    const links = { link: "/etc", dots: "../../../../../../etc", dangling: `/tmp/${mark}/deep` };
    sandbox.ok(["init", tree(links), "links"]);
    const from = source();
    const options = Object.keys(links).flatMap((name) => ["-v", `${from}:/${name}/${mark}-${name}`]);
    const text = `cat /etc/${mark}-link/file /etc/${mark}-dots/file /tmp/${mark}/deep/${mark}-dangling/file`;
    const { stdout, stderr } = run("links", options, text);
    expect(stderr).toBe("");
    expect(stdout).toBe("of the machine\n".repeat(3));
    for (const path of [`/etc/${mark}-link`, `/etc/${mark}-dots`, `/tmp/${mark}`])
      expect(existsSync(path)).toBe(false);
  });

  test("a volume below a link is filled from the image, not from the machine", () => {
    sandbox.ok(["init", tree({ link: "/etc" }), "linked"]);
    const { stdout } = run("linked", ["-v", "through:/link"], "ls /link");
    expect(stdout.split("\n")).toContain("image-file");
    expect(stdout).not.toContain("shadow");
  });

  test("the engine's own places: links for /etc/hosts, /dev and /proc", () => {
    const target = join(source(), "victim");
    writeFileSync(target, "untouched\n");
    const root = tree({
      "etc/hosts": target,
      "etc/resolv.conf": `../../../../..${target}`,
      dev: sandbox.directory,
    });
    sandbox.ok(["init", root, "hostile"]);
    const before = readdirSync(sandbox.directory).sort();
    run("hostile", [], "true");
    expect(readFileSync(target, "utf8")).toBe("untouched\n");
    expect(readdirSync(sandbox.directory).sort()).toEqual(before);
  });

  test("a working directory behind a link", () => {
    run("links", ["-w", `/dots/${mark}-made`], "touch here");
    expect(existsSync(`/etc/${mark}-made`)).toBe(false);
    expect(run("links", ["-w", `/dots/${mark}-made`], "ls -d /etc/*-made").stdout).toBe(
      `/etc/${mark}-made\n`,
    );
  });
});

describe("roots", () => {
  test("--rootfs runs in a directory as it is, and writes to it", () => {
    const root = tree({});
    const run = (...words: string[]) =>
      sandbox.bocker(["run", "--rm", "--network", "none", "--rootfs", ...words]);
    expect(run(root, "sh", "-c", "cat /etc/image-file; mkdir /made").stdout).toBe("of the image\n");
    expect(statSync(join(root, "made")).isDirectory()).toBe(true);
    expect(run(join(root, "missing"), "sh").code).toBe(125);
  });

  test("the machine's own files outlive rm -rf in a copy of them", () => {
    const from = source();
    const words = ["run", "--rm", "--network", "none", "host", "sh", "-c"];
    const { stdout } = sandbox.bocker([...words, `rm -rf ${from} /etc; ls -d ${from} /etc/passwd`]);
    expect(stdout).toBe("");
    expect(readFileSync(join(from, "file"), "utf8")).toBe("of the machine\n");
    expect(existsSync("/etc/passwd")).toBe(true);
  });

  test("--read-only leaves tmpfs and volumes writable, and nothing else", () => {
    const options = ["--read-only", "--tmpfs", "/tmp", "-v", "data:/data", "-w", "/made/for/it"];
    const places = "/x /etc/x /etc/hosts /tmp/x /data/x /dev/shm/x /sys/x";
    const { stdout } = tryScript(
      sandbox,
      options,
      `pwd; for f in ${places}; do touch $f 2>/dev/null && echo $f; done`,
    );
    expect(stdout).toBe("/made/for/it\n/tmp/x\n/data/x\n/dev/shm/x\n");
  });
});
