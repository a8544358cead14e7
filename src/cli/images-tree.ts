/** `bocker images --tree` */
import { shortId } from "../base/ids.ts";
import type { Engine } from "../engine/engine.ts";
import { imageTree, type TreeNode } from "../engine/image-tree.ts";
import type { ImageRecord } from "../state/images.ts";
import { IndexTable } from "../state/indexes.ts";
import { humanSize } from "./human.ts";
import { print, table } from "./output.ts";

export interface TreeEntry {
  /** "debian:12" */
  name: string;
  image: ImageRecord;
  /** The digest of the index that the name stands for, where it is kept. */
  index: string | undefined;
}

function rowOf(title: string, { id, unpacked, packed, used }: TreeNode): string[] {
  return [title, shortId(id), humanSize(unpacked + packed), humanSize(packed), used ? "U" : ""];
}

/** Each name, with the platforms that it has; those that are not here have no size. */
export function printTree(engine: Engine, entries: readonly TreeEntry[]): void {
  const indexes = new IndexTable(engine.database);
  const rows = entries.flatMap(({ name, image, index }) => {
    const { whole, platforms } = imageTree(
      engine,
      image,
      index === undefined ? undefined : indexes.get(index),
    );
    const branch = (at: number) => (at === platforms.length - 1 ? "└─ " : "├─ ");
    return [rowOf(name, whole), ...platforms.map((node, at) => rowOf(`${branch(at)}${node.title}`, node))];
  });
  print(table(["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"], rows));
}
