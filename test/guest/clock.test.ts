/** F20: the clock is set forward and back under bocker's hands: in a virtual machine, whose clock is nobody else's. */
import { beforeAll, describe, expect, test } from "bun:test";
import { ownParts, runBusybox } from "./busybox.ts";
import { guestKernel } from "./kernel.ts";

/** Seconds: a clock that is a year ahead or behind would be waited for much longer, or not at all. */
const PATIENCE = 60;

const { kernel, missing } = guestKernel();
if (kernel === undefined) console.warn(`SKIPPED: jumps of the clock need ${missing.join(", ")}`);

describe.skipIf(kernel === undefined)("F20: the clock jumps", () => {
  let sections: Map<string, string>;
  const section = (name: string) => sections.get(name) ?? "";
  /** The seconds that it took, of the clock that nobody can set; the rest of what was said. */
  const timed = (name: string) => {
    const lines = section(name).split("\n");
    const at = lines.findIndex((line) => line.startsWith("after "));
    return {
      seconds: Number(lines[at]?.slice("after ".length)),
      said: lines.filter((_, line) => line !== at),
    };
  };
  beforeAll(async () => {
    sections = await runBusybox(ownParts(kernel!), "clock.sh");
  }, 700_000);

  describe.each(["forward", "back"])("%s, by a year", (way) => {
    test("stop -t waits as long as it says, and then kills", () => {
      const { seconds, said } = timed(`stop ${way}`);
      expect(seconds).toBeGreaterThanOrEqual(4);
      expect(seconds).toBeLessThan(PATIENCE);
      expect(said).toEqual(["stubborn", "137", "stubborn"]);
    });

    test("wait, logs -f and run end when the container does", () => {
      for (const name of ["wait", "follow", "run"])
        expect([name, timed(`${name} ${way}`).seconds < PATIENCE]).toEqual([name, true]);
      expect(timed(`wait ${way}`).said).toEqual(["7", "waited"]);
      expect(timed(`follow ${way}`).said).toEqual(["one", "two", "followed"]);
      expect(timed(`run ${way}`).said).toEqual(["begun", "ended"]);
    });

    test("a container that is older than the time, or much younger, is shown, entered, stopped and started", () => {
      expect(section(`ps ${way}`).split("\n")).toEqual([
        "shown Up",
        "executed",
        "shown",
        "shown Exited (137)",
        "shown",
      ]);
    });
  });

  test("health checks go on, and a start period lasts as long as it says", () => {
    const each = ["goes on", "healthy", "starting"];
    expect(section("health").split("\n")).toEqual([...each, ...each]);
  });

  test("a log keeps its order", () => {
    expect(section("since").split("\n")).toEqual([
      "0",
      "first",
      "second",
      "tail second",
      expect.stringMatching(/^since /),
      ...section("since").split("\n").slice(5),
    ]);
    expect(section("since")).toMatch(/^since (first\n)?second\nlog$/m);
  });

  test("nothing is removed because of what the clock says", () => {
    expect(section("kept")).toBe("1\n1\n/kept running\n/created created\n1\ndata\nNothing found.");
  });

  test("a cgroup of the future is no new one", () => {
    const lines = section("cgroup").split("\n");
    expect(lines[0]).toBe("cgroup belongs to no container;");
    expect(lines.at(-1)).toBe("Nothing found.");
  });
});
