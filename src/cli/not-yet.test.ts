/** Commands that are not here are known, and none of them is here. */
import { expect, test } from "bun:test";
import { shortForm } from "./groups.ts";
import { findCommand } from "./index.ts";
import { notYet } from "./not-yet.ts";

test.each([
  [["compose", "up"], "'compose' is not supported yet"],
  [["container", "checkpoint", "x"], "'container checkpoint' is not supported yet"],
  [["network", "create", "x"], "'network' is not supported yet"],
  [["volume", "update", "x"], "'volume update' is for Docker's clusters, which bocker does not have"],
  [["swarm", "init"], "'swarm' is for Docker's clusters, which bocker does not have"],
])("%j", (words, said) => {
  expect(notYet(words)).toBe(said);
  expect(findCommand(words)).toBeUndefined();
});

test("a word that is nobody's, and one that is here", () => {
  expect(notYet(["nonsense"])).toBeUndefined();
  expect(notYet(["volume", "nonsense"])).toBeUndefined();
  expect(notYet(["run"])).toBeUndefined();
  expect(shortForm("container", "run")).toEqual(["run"]);
});
