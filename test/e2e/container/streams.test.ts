/** stdin, stdout and stderr without a terminal. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { SLEEP, withRunning } from "./running.ts";

const RUN = `run --rm --network none`;

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());

/** A pipeline around bocker: `$B` is the program. Its bytes never come near this process. */
function pipeline(text: string) {
  return sandbox.execute(["bash", "-c", `set -o pipefail; B=${sandbox.binary}; ${text}`]);
}

describe("stdin", () => {
  test("ends when the caller's does", () => {
    expect(pipeline(`echo x | $B ${RUN} -i ${IMAGE} cat`)).toMatchObject({ code: 0, stdout: "x\n" });
    expect(pipeline(`$B ${RUN} -i ${IMAGE} cat </dev/null`)).toMatchObject({ code: 0, stdout: "" });
  });

  test("its end is seen while output goes on", () => {
    const { stdout } = pipeline(`printf a | $B ${RUN} -i ${IMAGE} sh -c 'cat; sleep 0.1; echo after'`);
    expect(stdout).toBe("aafter\n");
  });

  test("50 MB arrive, through a pipe and from a file", () => {
    const bytes = 50 << 20;
    expect(pipeline(`head -c ${bytes} /dev/zero | $B ${RUN} -i ${IMAGE} wc -c`).stdout).toBe(`${bytes}\n`);
    const file = join(sandbox.directory, "zeroes");
    expect(pipeline(`truncate -s ${bytes} ${file}; $B ${RUN} -i ${IMAGE} wc -c < ${file}`).stdout).toBe(
      `${bytes}\n`,
    );
  });

  test("every byte value, both ways", () => {
    const bytes = Uint8Array.from({ length: 65536 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
    const file = join(sandbox.directory, "bytes");
    writeFileSync(file, bytes);
    const { stdout } = pipeline(`$B ${RUN} -i ${IMAGE} cat < ${file} | sha256sum`);
    expect(stdout.slice(0, 64)).toBe(createHash("sha256").update(bytes).digest("hex"));
  });

  test("a program that does not read it, or ends in the middle, holds nobody up", () => {
    expect(pipeline(`yes | head -c 10000000 | $B ${RUN} -i ${IMAGE} head -n 1`).stdout).toBe("y\n");
  });

  test("one that stays open does not keep an ended container", () => {
    const { stdout } = pipeline(
      `mkfifo ${sandbox.directory}/fifo; exec 3<>${sandbox.directory}/fifo; $B ${RUN} -i ${IMAGE} echo done <&3`,
    );
    expect(stdout).toBe("done\n");
  });

  test("a socket as stdin and stdout", () => {
    const script = `import socket,subprocess,sys
a,b=socket.socketpair()
p=subprocess.Popen(sys.argv[1:],stdin=b,stdout=b); b.close()
a.sendall(b"over a socket"); a.shutdown(socket.SHUT_WR)
d=b""
while True:
    c=a.recv(4096)
    if not c: break
    d+=c
print(d.decode(), p.wait())`;
    const words = ["python3", "-c", script, sandbox.binary, ...RUN.split(" "), "-i", IMAGE, "cat"];
    expect(sandbox.execute(words).stdout).toBe("over a socket 0\n");
  });
});

describe("stdout and stderr", () => {
  test("are apart", () => {
    const { stdout, stderr } = sandbox.bocker([
      ...RUN.split(" "),
      IMAGE,
      "sh",
      "-c",
      "echo out; echo err >&2",
    ]);
    expect([stdout, stderr]).toEqual(["out\n", "err\n"]);
  });

  test("1 GB keeps its bytes and order", () => {
    const one = `yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c 1000000000`;
    const inside = pipeline(`$B ${RUN} --log-driver none ${IMAGE} sh -c '${one}' | sha256sum`);
    expect(inside.stdout).toBe(pipeline(`${one} | sha256sum`).stdout);
  });

  test("numbered lines come in order, with the log kept", () => {
    const inside = pipeline(`$B ${RUN} ${IMAGE} seq 1 2000000 | sha256sum`);
    expect(inside.stdout).toBe(pipeline("seq 1 2000000 | sha256sum").stdout);
  });

  test("a slow reader gets all of it", () => {
    const { stdout } = pipeline(
      `$B ${RUN} ${IMAGE} seq 1 200000 | { sleep 0.3; head -n 1 >/dev/null; sleep 0.3; tail -n 1; }`,
    );
    expect(stdout).toBe("200000\n");
  });

  test("a reader that goes away: bocker ends as after SIGPIPE, the program goes on to its end", () => {
    const words = "run --network none --name unread";
    const script = "seq 1 300000; sleep 0.3; exit 3";
    expect(pipeline(`$B ${words} ${IMAGE} sh -c '${script}' | head -n 1`)).toMatchObject({
      code: 141,
      stdout: "1\n",
    });
    expect(sandbox.ok(["wait", "unread"])).toBe("3");
    sandbox.ok(["rm", "unread"]);
  });

  test("a reader that goes away from an endless program does not keep the user", () => {
    // Without a log, and with an end after all: it must not fill the disk if this test fails.
    const endless = "--log-driver none --name endless";
    expect(pipeline(`$B ${RUN} ${endless} ${IMAGE} timeout 60 yes | head -n 1`).stdout).toBe("y\n");
    sandbox.ok(["rm", "-f", "endless"]);
  });

  test("closed from the start", () => {
    expect(pipeline(`$B ${RUN} ${IMAGE} sh -c 'echo x; exit 4' >&-`).code).toBe(4);
    expect(pipeline(`$B ${RUN} ${IMAGE} sh -c 'echo x; exit 4' >&- 2>&- <&-`).code).toBe(4);
  });

  test("a full disk", () => {
    expect(pipeline(`$B ${RUN} ${IMAGE} sh -c 'echo x; exit 4' >/dev/full`).code).toBe(4);
  });

  test("a grandchild that keeps stdout open does not keep the container", () => {
    const { code } = sandbox.bocker([...RUN.split(" "), IMAGE, "sh", "-c", "sleep 1000 & exit 6"]);
    expect(code).toBe(6);
  });
});

test("attach: what is written from then on, both streams, and the exit code", async () => {
  const command = ["sh", "-c", "read x; echo out $x; echo err $x >&2; exit 8"];
  const id = sandbox.ok(["run", "-di", "--network", "none", IMAGE, ...command]);
  expect(sandbox.bocker(["attach", id], "input\n")).toEqual({
    code: 8,
    stdout: "out input\n",
    stderr: "err input\n",
  });
  sandbox.ok(["rm", id]);
});

test("attach --no-stdin leaves stdin alone", () =>
  withRunning(
    sandbox,
    ["-i"],
    ({ id }) => {
      const words = sandbox.inside([sandbox.binary, "attach", "--no-stdin", "--sig-proxy=false", id]);
      const attached = Bun.spawn(words, {
        env: sandbox.environment,
        stdin: new Blob(["never\n"]),
        stdout: "pipe",
      });
      attached.kill("SIGTERM");
      expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", id])).toBe("running");
    },
    ["sh", "-c", `read x; echo got $x; exec ${SLEEP.join(" ")}`],
  ));
