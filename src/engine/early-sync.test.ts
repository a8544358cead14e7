import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { EarlySync } from "./early-sync.ts";

test("begins when there is enough, and ends well where the disk says nothing", async () => {
  const sync = new EarlySync(tmpdir());
  for (let part = 0; part < 10; part++) sync.written(20 << 20);
  await sync.end();
});

test("a failure is kept for the end", async () => {
  const sync = new EarlySync("/none");
  sync.written(60 << 20);
  await sync.end();
  sync.written(60 << 20);
  await Bun.sleep(1);
  expect(sync.end()).rejects.toThrow("openat /none: no such file or directory");
});
