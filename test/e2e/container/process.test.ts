/** What the program of a container is started with: words, variables, directory, names, labels, --init. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { script, tryScript, withRunning } from "./running.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

function run(options: string[], ...command: string[]) {
  return sandbox.bocker(["run", "--rm", "--network", "none", ...options, IMAGE, ...command]);
}

describe("words", () => {
  test("reach the program as they are", () => {
    const words = ["a b", "", "*", "$HOME", "-v", "--", "\n", "é"];
    expect(run([], "sh", "-c", 'for w; do echo "[$w]"; done', "sh", ...words).stdout).toBe(
      words.map((word) => `[${word}]\n`).join(""),
    );
  });

  test("bytes that are no UTF-8 do, too", () => {
    const words = [sandbox.binary, "run", "--rm", "--network", "none", IMAGE, "printf", "%s"];
    const { stdout } = sandbox.execute([
      "sh",
      "-c",
      `"$@" "$(printf '\\377a\\200')" | od -An -tx1`,
      "sh",
      ...words,
    ]);
    expect(stdout.trim()).toBe("ff 61 80");
  });

  test("without any, the image's own", () => {
    expect(
      sandbox.bocker(["run", "--rm", "-i", "--network", "none", IMAGE], "echo from the shell").stdout,
    ).toBe("from the shell\n");
  });

  test("--entrypoint stands before them and takes the image's command away", () => {
    expect(run(["--entrypoint", "echo"], "a", "b").stdout).toBe("a b\n");
    expect(run(["--entrypoint", "echo"]).stdout).toBe("\n");
    expect(run(["--entrypoint", ""], "echo", "c").stdout).toBe("c\n");
    expect(run(["--entrypoint", ""])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("no command specified"),
    });
  });
});

describe("exit codes", () => {
  test.each([0, 1, 42, 125, 255])("%d is passed on", (code) => {
    expect(run([], "sh", "-c", `exit ${code}`).code).toBe(code);
  });

  test("a signal is 128 and its number", () => {
    expect(run(["--init"], "sh", "-c", "kill -TERM $$").code).toBe(143);
    expect(run([], "sh", "-c", "sh -c 'kill -9 $$'; exit $?").code).toBe(137);
  });

  test("127 not found, 126 cannot be executed, 125 bocker's own", () => {
    expect(run([], "no-such")).toMatchObject({
      code: 127,
      stderr: expect.stringContaining('exec: "no-such": executable file not found in $PATH'),
    });
    expect(run([], "/bin/no-such")).toMatchObject({
      code: 127,
      stderr: expect.stringContaining("stat /bin/no-such: no such file or directory"),
    });
    expect(run([], "/etc/not-a-program")).toMatchObject({
      code: 126,
      stderr: expect.stringContaining("permission denied"),
    });
    expect(run([], "/etc")).toMatchObject({
      code: 126,
      stderr: expect.stringContaining("permission denied"),
    });
    expect(run(["--no-such-flag"], "true").code).toBe(125);
    expect(sandbox.bocker(["run", "--rm", "--pull", "never", "no-such-image"]).code).toBe(125);
  });
});

describe("variables", () => {
  test("-e, --env-file and the caller's", () => {
    const file = join(sandbox.directory, "env");
    writeFileSync(
      file,
      "# a comment\n\nA=from the file\nB = no\n".replace("B = no\n", "C=x=y\nHOME_OF_MINE\n"),
    );
    const words = [
      "run",
      "--rm",
      "--network",
      "none",
      "--env-file",
      file,
      "-e",
      'D="q"',
      "-e",
      "E=",
      "-e",
      "CALLER",
    ];
    const all = [...words, "-e", "MISSING", "-e", "A=from the flag", IMAGE, "env"];
    const { stdout } = sandbox.execute(["env", "CALLER=hers", "HOME_OF_MINE=here", sandbox.binary, ...all]);
    const lines = stdout.split("\n");
    expect(lines).toContain("A=from the flag");
    expect(lines).toContain("C=x=y");
    expect(lines).toContain('D="q"');
    expect(lines).toContain("E=");
    expect(lines).toContain("CALLER=hers");
    expect(lines).toContain("HOME_OF_MINE=here");
    expect(stdout).not.toContain("MISSING");
  });

  test("PATH and HOME can be one's own", () => {
    const lines = run(["-e", "PATH=/bin", "-e", "HOME=/elsewhere"], "env").stdout.split("\n");
    expect(lines).toContain("PATH=/bin");
    expect(lines).toContain("HOME=/elsewhere");
  });

  test("the caller's do not come in", () => {
    const words = ["run", "--rm", "--network", "none", IMAGE, "env"];
    expect(sandbox.execute(["env", "SECRET=hers", sandbox.binary, ...words]).stdout).not.toContain("SECRET");
  });

  test("a file that is missing, a name with a space", () => {
    const file = join(sandbox.directory, "broken-env");
    writeFileSync(file, "TWO WORDS=x\n");
    expect(run(["--env-file", "/no/such"], "true").stderr).toContain(
      "open /no/such: no such file or directory",
    );
    expect(run(["--env-file", file], "true").stderr).toContain("variable 'TWO WORDS' contains whitespaces");
  });
});

describe("directory and names", () => {
  test("-w is made where it is missing, by root, 0755", () => {
    expect(script(sandbox, ["-w", "/made/for/this", "-u", "1000"], "pwd; stat -c '%u:%g %a' . ..")).toBe(
      "/made/for/this\n0:0 755\n0:0 755",
    );
    expect(script(sandbox, ["-w", "/tmp"], "pwd; echo $PWD")).toBe("/tmp\n/tmp");
    expect(tryScript(sandbox, ["-w", "/etc/passwd"], "true").code).not.toBe(0);
  });

  test("a working directory that is not absolute is refused", () => {
    expect(tryScript(sandbox, ["-w", "here"], "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(
        "the working directory 'here' is invalid, it needs to be an absolute path",
      ),
    });
  });

  test("-h and --domainname", () => {
    const asked = "hostname; cat /etc/hostname /proc/sys/kernel/domainname; echo $HOSTNAME";
    expect(script(sandbox, ["-h", "analytical", "--domainname", "engine.example"], asked)).toBe(
      "analytical\nanalytical\nengine.example\nanalytical",
    );
    const own = script(
      sandbox,
      ["--network", "bridge", "-h", "a", "--domainname", "b.example"],
      "cat /etc/hosts",
    );
    expect(own).toMatch(/^172\.\d+\.\d+\.\d+\ta\.b\.example a$/m);
  });

  test("labels, from flags and files, and the name", () => {
    const file = join(sandbox.directory, "labels");
    writeFileSync(file, "one=1\n# not this\ntwo\n");
    withRunning(
      sandbox,
      ["--name", "labelled", "-l", "three=3", "--label-file", file, "-l", "one=mine"],
      () => {
        const labels = sandbox.ok(["inspect", "-f", "{{json .Config.Labels}} {{.Name}}", "labelled"]);
        expect(JSON.parse(labels.slice(0, labels.lastIndexOf(" ")))).toEqual({
          one: "mine",
          two: "",
          three: "3",
        });
        expect(labels).toEndWith(" /labelled");
      },
    );
  });
});

describe("--init", () => {
  test("pid 1 is the reaper, the program its child in a process group of its own", () => {
    const [one, own, parent] = script(
      sandbox,
      ["--init"],
      "readlink /proc/1/exe || echo hidden; cat /proc/self/stat | cut -d' ' -f4; echo $PPID",
    ).split("\n");
    expect(one).not.toBe("/bin/busybox");
    expect(own).toBe("2");
    expect(parent).toBe("1");
  });

  test("what loses its parent is reaped", () =>
    withRunning(sandbox, ["--init"], ({ id }) => {
      sandbox.ok(["exec", id, "sh", "-c", "(sh -c 'sleep 0.05 & echo' >/dev/null &) ; sleep 0.2"]);
      expect(sandbox.ok(["exec", id, "sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status; true"])).toBe("");
    }));

  test("the exit code is passed on, and ends what is left", () => {
    expect(run(["--init"], "sh", "-c", "sleep 1000 & exit 7").code).toBe(7);
    expect(run(["--init"], "no-such").code).toBe(127);
  });

  test("signals are, too: a program without a handler ends", () =>
    withRunning(sandbox, ["--init"], ({ id }) => {
      sandbox.ok(["stop", "-t", "60", id]);
      expect(sandbox.ok(["inspect", "-f", "{{.State.ExitCode}}", id])).toBe("143");
    }));

  test("it is as confined as the program", () =>
    withRunning(sandbox, ["--init", "--cap-drop", "ALL"], ({ pid }) => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      expect(status).toMatch(/^CapBnd:\t0000000000000000$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
    }));
});

describe("--cidfile", () => {
  test("gets the id, and may not exist before", () => {
    const file = join(sandbox.directory, "cid");
    const id = sandbox.ok(["create", "--cidfile", file, IMAGE]);
    expect(readFileSync(file, "utf8")).toBe(id);
    expect(run(["--cidfile", file], "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(
        "container ID file found, make sure the other container isn't running or delete",
      ),
    });
    sandbox.ok(["rm", id]);
  });

  test("is not left when the container was not made", () => {
    const file = join(sandbox.directory, "no-cid");
    expect(run(["--cidfile", file, "-m", "1m"], "true").code).toBe(125);
    expect(existsSync(file)).toBe(false);
  });
});
