import { test } from "bun:test";
import { appendFileSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirectoryWatch } from "./watch.ts";

/** More than any machine takes to tell. */
const FOREVER = 60_000;

test("every change is noticed, however soon after another like it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bocker-watch-"));
  const watch = new DirectoryWatch(directory);
  try {
    for (let i = 0; i < 300; i++) {
      appendFileSync(join(directory, "file"), "x");
      await watch.changed(FOREVER);
    }
    renameSync(join(directory, "file"), join(directory, "file.1"));
    await watch.changed(FOREVER);
    // Nothing has changed since: only the time ends it.
    await watch.changed(1);
    // While nobody waits.
    appendFileSync(join(directory, "file"), "x");
    appendFileSync(join(directory, "file"), "x");
    await watch.changed(FOREVER);
  } finally {
    watch.close();
    rmSync(directory, { recursive: true });
  }
}, 30_000);

test("where there is nothing to watch it is looked again soon", async () => {
  const watch = new DirectoryWatch("/nowhere/at/all");
  await watch.changed();
  watch.close();
});
