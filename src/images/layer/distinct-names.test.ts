import { expect, test } from "bun:test";
import { DistinctNames } from "./distinct-names.ts";
import { layerPath } from "./layer-path.ts";

/** Names that end in "/" are directories. */
function areDistinct(...names: string[]): boolean {
  const distinct = new DistinctNames();
  for (const name of names) distinct.add(layerPath(Buffer.from(name)), name.endsWith("/"));
  return distinct.areDistinct;
}

test.each<[boolean, string[]]>([
  [true, []],
  [true, ["./", "a/", "a/b", "a/c", "b"]],
  [true, ["a/b/c/d", "a/b/", "a/", "a/b/c/e"]],
  [true, ["a/", "a/", "./a/"]],
  [true, ["ab", "a/b"]],
  [false, ["a", "a"]],
  [false, ["a", "./a"]],
  [false, ["a/b", "a/c/../b"]],
  [false, ["a", "a/b"]],
  [false, ["a/b/c", "a/b"]],
  [false, ["a/b/c", "a"]],
  [false, ["a", "a/"]],
  [false, ["a/", "a"]],
  [false, ["x", "x/y/z"]],
])("%p: %p", (expected, names) => expect(areDistinct(...names)).toBe(expected));
