/** -t: the container's program and the user's terminal. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { busyboxSandbox, IMAGE } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";
import { TerminalSession, type WindowSize } from "../terminal.ts";
import { SLEEP } from "./running.ts";

const DETACH = "\x10\x11";
const INTERRUPT = "\x03";
const END_OF_FILE = "\x04";
const QUIT = "\x1c";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
});
afterAll(() => sandbox.remove());
afterEach(() => {
  const left = sandbox.ok(["ps", "-aq"]).split("\n").filter(Boolean);
  if (left.length > 0) sandbox.ok(["rm", "-f", ...left]);
});

function session(words: string[], size?: WindowSize): TerminalSession {
  return new TerminalSession(sandbox, [sandbox.binary, ...words], size);
}

function run(options: string[], command: string[], size?: WindowSize): TerminalSession {
  return session(["run", "--network", "none", ...options, IMAGE, ...command], size);
}

describe("run -it", () => {
  test("stdin, stdout and stderr are one terminal of the container's own devpts", async () => {
    const asked =
      "tty; for n in 0 1 2; do readlink /proc/self/fd/$n; done; cat /proc/1/stat; stat -c %u:%g:%a $(tty)";
    const shell = run(["--rm", "-it"], ["sh", "-c", asked]);
    expect(await shell.ended()).toBe(0);
    const lines = shell.output.split("\r\n");
    expect(lines.slice(0, 4)).toEqual(Array(4).fill("/dev/pts/0"));
    const [, , , session, terminal, foreground] = lines[4]?.split(") ")[1]?.split(" ") ?? [];
    expect([session, foreground]).toEqual(["1", "1"]);
    expect(Number(terminal) >> 8).toBe(136);
    expect(lines[5]).toBe("0:5:620");
  });

  test("it belongs to the user who runs, TERM is set, /dev/console is it", async () => {
    const shell = run(
      ["--rm", "-it", "-u", "1000"],
      ["sh", "-c", "stat -c %u:%a $(tty); echo $TERM; echo ok >/dev/stdout; stat -c %t /dev/console"],
    );
    expect(await shell.ended()).toBe(0);
    expect(shell.output).toBe("1000:620\r\nxterm\r\nok\r\n88\r\n");
  });

  test("it has the size of the user's, from the first moment, and follows it", async () => {
    const shell = run(
      ["--rm", "-it"],
      ["sh", "-c", "stty size; trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done"],
      {
        rows: 33,
        cols: 121,
      },
    );
    expect(await shell.expect("ready")).toBe("33 121\r\nready");
    shell.resize({ rows: 44, cols: 99 });
    expect(await shell.ended()).toBe(0);
    expect(shell.output).toBe("\r\n44 99\r\n");
  });

  test("keys reach the program: echo, Ctrl-C, Ctrl-\\, Ctrl-D", async () => {
    const wait = "n=; stty; until [ $n ]; do sleep 0.01; done";
    const words = `trap 'echo INT; n=1' INT; trap 'echo QUIT; n=1' QUIT; ${wait}; ${wait}; cat; echo end`;
    const shell = run(["--rm", "-it"], ["sh", "-c", words]);
    await shell.expect("baud");
    shell.type(INTERRUPT);
    await shell.expect("INT");
    await shell.expect("baud");
    shell.type(QUIT);
    await shell.expect("QUIT");
    shell.type("hello\r");
    await shell.expect("hello\r\nhello\r\n");
    shell.type(END_OF_FILE);
    await shell.expect("end");
    expect(await shell.ended()).toBe(0);
  });

  test("Ctrl-C ends a program under --init: 130", async () => {
    const shell = run(["--rm", "-it", "--init"], ["sh", "-c", "echo ready; exec sleep 1000"]);
    await shell.expect("ready");
    shell.type(INTERRUPT);
    expect(await shell.ended()).toBe(130);
  });

  test("a user's terminal is as it was, afterwards", async () => {
    const words = `stty -a >/tmp/before-$$; ${sandbox.binary} run --rm -it --network none ${IMAGE} sh -c 'stty -echo raw; echo in'; stty -a | cmp - /tmp/before-$$ && echo same; rm /tmp/before-$$`;
    const shell = new TerminalSession(sandbox, ["sh", "-c", words]);
    expect(await shell.ended()).toBe(0);
    expect(shell.output).toContain("same");
  });

  test("without a terminal it is refused", () => {
    expect(sandbox.bocker(["run", "--rm", "-it", IMAGE, "true"])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("the input device is not a TTY"),
    });
  });

  test("-t without -i works anywhere, stdout and stderr in one", () => {
    const { stdout, stderr } = sandbox.bocker([
      "run",
      "--rm",
      "-t",
      "--network",
      "none",
      IMAGE,
      "sh",
      "-c",
      "tty; echo err >&2",
    ]);
    expect([stdout, stderr]).toEqual(["/dev/pts/0\r\nerr\r\n", ""]);
  });

  test("a window that is closed leaves the container running", async () => {
    const shell = run(["-it", "--name", "left"], ["sh", "-c", "echo ready; while :; do sleep 1; done"]);
    await shell.expect("ready");
    await shell.hangUp();
    expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "left"])).toBe("running");
  });
});

describe("detaching", () => {
  test("ctrl-p ctrl-q leaves the container running, attach comes back, more than once", async () => {
    const shell = run(
      ["-it", "--name", "back"],
      ["sh", "-c", "echo ready; while read x; do echo got $x; done; exit 9"],
    );
    await shell.expect("ready");
    shell.type(DETACH);
    expect(await shell.ended()).toBe(0);
    for (const word of ["one", "two"]) {
      expect(sandbox.ok(["inspect", "-f", "{{.State.Status}}", "back"])).toBe("running");
      const again = session(["attach", "back"]);
      again.type(`${word}\r`);
      await again.expect(`got ${word}`);
      if (word === "two") again.type(END_OF_FILE);
      else again.type(DETACH);
      expect(await again.ended()).toBe(word === "two" ? 9 : 0);
    }
    expect(sandbox.ok(["logs", "back"])).toContain("got one\r\n");
  });

  test("what a program writes last is seen, however soon it ends", () => {
    for (let times = 0; times < 25; times++) {
      const options = ["run", "--rm", "-t", "--network", "none", IMAGE, "sh", "-c", "echo first; echo last"];
      expect(sandbox.ok(options)).toBe("first\r\nlast\r");
    }
  });

  test("half of the keys belongs to the program", async () => {
    const shell = run(["--rm", "-it"], ["sh", "-c", "stty raw -echo; echo ready; head -c 3 | od -An -tx1"]);
    await shell.expect("ready");
    shell.type("\x10");
    shell.type("a\x11");
    expect(await shell.ended()).toBe(0);
    expect(shell.output).toContain("10 61 11");
  });

  test("--detach-keys", async () => {
    const shell = run(
      ["-it", "--name", "keys", "--detach-keys", "x,ctrl-a"],
      ["sh", "-c", "echo ready; cat"],
    );
    await shell.expect("ready");
    shell.type("x\x01");
    expect(await shell.ended()).toBe(0);
    expect(sandbox.ok(["inspect", "-f", "{{.State.Running}}", "keys"])).toBe("true");
    expect(sandbox.bocker(["run", "--detach-keys", "ctrl-€", IMAGE]).stderr).toContain("invalid detach keys");
  });

  test("two at one container see the same", async () => {
    sandbox.ok([
      "run",
      "-dit",
      "--network",
      "none",
      "--name",
      "shared",
      IMAGE,
      "sh",
      "-c",
      "while read x; do echo got $x; done",
    ]);
    const [first, second] = [session(["attach", "shared"]), session(["attach", "shared"])];
    // Each types until the other has seen it: attaching takes a moment.
    first.type("from-first\r");
    await first.expect("got from-first");
    second.type("from-second\r");
    await Promise.all([first.expect("got from-second"), second.expect("got from-second")]);
    first.type(DETACH);
    second.type(DETACH);
    expect(await Promise.all([first.ended(), second.ended()])).toEqual([0, 0]);
  });

  test("start -ai has the terminal, too", async () => {
    sandbox.ok([
      "create",
      "-it",
      "--network",
      "none",
      "--name",
      "later",
      IMAGE,
      "sh",
      "-c",
      "stty size; read x; exit 5",
    ]);
    const shell = session(["start", "-ai", "later"], { rows: 12, cols: 34 });
    await shell.expect("12 34");
    shell.type("\r");
    expect(await shell.ended()).toBe(5);
  });
});

test("exec -it: a terminal of its own beside the container's", async () => {
  sandbox.ok(["run", "-d", "--network", "none", "--name", "host-of-exec", IMAGE, ...SLEEP]);
  const shell = session(
    ["exec", "-it", "host-of-exec", "sh", "-c", "tty; stty size; read x; echo got $x; exit 3"],
    {
      rows: 20,
      cols: 40,
    },
  );
  await shell.expect("/dev/pts/0\r\n20 40\r\n");
  shell.type("y\r");
  expect(await shell.ended()).toBe(3);
  expect(shell.output).toContain("got y");
});
