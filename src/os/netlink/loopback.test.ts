/** The ready-made message says what rtnetlink.ts would say. */
import { expect, test } from "bun:test";
import { loopbackUp } from "./loopback.ts";
import { setLinkUp } from "./rtnetlink.ts";

test("bringing lo up is the message that rtnetlink.ts makes", () => {
  expect(loopbackUp()).toEqual(setLinkUp({ index: 1, name: "lo" }));
});
