/** A file in the place of another. */
import { rename, type WriteOptions, writeFile } from "./host-files.ts";

/** Writes a file whole or not at all, whatever is killed meanwhile. One writer at a time: what is new has the name with `.tmp` behind it. */
export function replaceFile(path: string, content: string, options?: WriteOptions): void {
  writeFile(`${path}.tmp`, content, options);
  rename(`${path}.tmp`, path);
}
