/** An archive in cpio's "newc" form, which the kernel unpacks as its first root (initramfs buffer format). */

export interface GuestFile {
  path: string;
  mode: number;
  content: Uint8Array | string;
}

const S_IFDIR = 0o040000;

function entry(index: number, path: string, mode: number, content: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`);
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  const fields = [index, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const head = Buffer.concat([Buffer.from(`070701${fields.map(hex).join("")}`), name]);
  const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  return Buffer.concat([padded(head), padded(content)]);
}

/** Files and links (`mode` with its type), and the directories that they need. */
export function cpioArchive(files: GuestFile[]): Buffer {
  const directories = new Set<string>();
  for (const { path } of files) {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth++) directories.add(parts.slice(0, depth).join("/"));
  }
  const entries = [
    ...[...directories].sort().map((path) => ({ path, mode: S_IFDIR | 0o755, content: "" })),
    ...files,
  ];
  return Buffer.concat([
    ...entries.map(({ path, mode, content }, index) => entry(index + 1, path, mode, Buffer.from(content))),
    entry(0, "TRAILER!!!", 0, Buffer.alloc(0)),
  ]);
}
