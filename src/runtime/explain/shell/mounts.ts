/**
 * The mount operations as mount(8). The launcher makes a mount first and attaches it then; mount(8) does both at once,
 * so a mount waits here, with what is done to it, until it is attached.
 */
import { RESOLVE_NO_SYMLINKS } from "../../../os/constants.ts";
import { KIND_DIRECTORY, KIND_EXISTING, type Operation } from "../../plan/operation.ts";
import { SLOT_ROOT } from "../../plan/slots.ts";
import { quoted, words } from "./words.ts";

type Op<K extends Operation["op"]> = Extract<Operation, { op: K }>;

/** include/uapi/linux/mount.h, and mount(8)'s words: [bit, when set, when cleared] */
const ATTRIBUTES: [number, string, string][] = [
  [0x1, "ro", "rw"],
  [0x2, "nosuid", "suid"],
  [0x4, "nodev", "dev"],
  [0x8, "noexec", "exec"],
  [0x10, "noatime", "relatime"],
  [0x20, "strictatime", "relatime"],
];
const RDONLY = 0x1;
const PROPAGATIONS: [number, string][] = [
  [1 << 18, "private"],
  [1 << 19, "slave"],
  [1 << 20, "shared"],
];
const MS_REC = 16384;
const AT_RECURSIVE = 0x8000;

interface Waiting {
  /** The mount command but for its target. */
  command: string;
  /** Done to it once it is attached; the target is put in. */
  afterwards: ((target: string) => string[])[];
  tolerated: boolean;
}

function attributeWords(set: number, clear = 0): string[] {
  return [
    ...ATTRIBUTES.filter(([bit]) => clear & bit).map(([, , word]) => word),
    ...ATTRIBUTES.filter(([bit]) => set & bit).map(([, word]) => word),
  ];
}

function propagationWord(flags: number, recursive: boolean): string | undefined {
  const name = PROPAGATIONS.find(([bit]) => flags & bit)?.[1];
  return name === undefined ? undefined : `--make-${recursive ? "r" : ""}${name}`;
}

/** Colons and commas separate overlay's layers and options. */
function overlayPath(path: string): string {
  return path.replace(/[\\:,]/g, (separator) => `\\${separator}`);
}

function optionWords(options: [string, string][]): string[] {
  const lowers = options.filter(([key]) => key === "lowerdir+").map(([, path]) => overlayPath(path));
  const rest = options
    .filter(([key]) => key !== "lowerdir+")
    .map(([key, value]) =>
      value === "" ? key : `${key}=${key.endsWith("dir") ? overlayPath(value) : value}`,
    );
  return lowers.length === 0 ? rest : [`lowerdir=${lowers.join(":")}`, ...rest];
}

/** Keeps what is in which slot while the operations are translated one by one. */
export class MountTranslator {
  readonly #waiting = new Map<number, Waiting>();
  readonly #attached = new Map<number, string>();

  fsmount(operation: Op<"fsmount">): string[] {
    // A read-only mount of a filesystem that others may write to: set afterwards, on the mount alone.
    const options = [
      ...attributeWords(operation.attributes & ~RDONLY),
      ...optionWords(operation.options.filter(([key]) => key !== "source")),
    ].join(",");
    const source = operation.options.find(([key]) => key === "source")?.[1] ?? "none";
    const flags = options === "" ? [] : ["-o", options];
    this.#waiting.set(operation.slot, {
      command: words(["mount", "-t", operation.type, ...flags, source]),
      afterwards: operation.attributes & RDONLY ? [(target) => [`mount -o remount,bind,ro ${target}`]] : [],
      tolerated: operation.tolerate !== undefined,
    });
    return [];
  }

  openTree(operation: Op<"open_tree">): string[] {
    const bind = operation.flags & AT_RECURSIVE ? "--rbind" : "--bind";
    const command = `mount ${bind} ${quoted(operation.path)}`;
    this.#waiting.set(operation.slot, { command, afterwards: [], tolerated: false });
    return [];
  }

  setAttributes(operation: Op<"mount_setattr">): string[] {
    const lines = (target: string): string[] => {
      const propagation = propagationWord(operation.propagation, operation.recursive);
      const attributes = attributeWords(operation.set, operation.clear).join(",");
      return [
        ...(propagation === undefined ? [] : [`mount ${propagation} ${target}`]),
        ...(attributes === ""
          ? []
          : operation.recursive
            ? [`remount_tree ${attributes} ${target}`]
            : [`mount -o remount,bind,${attributes} ${target}`]),
      ];
    };
    const waiting = this.#waiting.get(operation.slot);
    if (waiting === undefined) return lines(this.#attached.get(operation.slot) ?? "/");
    waiting.afterwards.push(lines);
    return [];
  }

  moveMount(operation: Op<"move_mount">): string[] {
    const waiting = this.#waiting.get(operation.slot);
    if (waiting === undefined) return [];
    this.#waiting.delete(operation.slot);
    const outside = operation.slot === SLOT_ROOT;
    const target = outside ? '"$root"' : '"$target"';
    const resolve = operation.resolve & RESOLVE_NO_SYMLINKS ? "below_root" : "inside_root";
    const lines = outside
      ? [`root=${quoted(operation.path)}`]
      : [`target=$(${resolve} ${quoted(operation.path)})`];
    if (operation.kind === KIND_DIRECTORY) lines.push(`mkdir -p ${target}`);
    else if (operation.kind !== KIND_EXISTING) lines.push(`make_file ${target}`);
    const mount = `${waiting.command} ${target}`;
    lines.push(waiting.tolerated ? `${mount} || :` : mount);
    for (const afterwards of waiting.afterwards) lines.push(...afterwards(target));
    // The variable is another mount's by the time that this one is changed once more.
    this.#attached.set(operation.slot, outside ? target : `"$(${resolve} ${quoted(operation.path)})"`);
    return lines;
  }

  /** mount(2) of the storage driver, on kernels without lowerdir+. */
  mount(operation: Op<"mount">): string[] {
    const { directory, type, data, source, target } = operation;
    const command = `${words(["mount", "-t", type, "-o", data, source, target])}`;
    return [`root=${quoted(target)}`, directory === "" ? command : `(cd ${quoted(directory)} && ${command})`];
  }

  openRoot(operation: Op<"open_root">): string[] {
    if (operation.slot === SLOT_ROOT) this.#attached.set(SLOT_ROOT, '"$root"');
    return [];
  }

  propagation(operation: Op<"propagation">): string[] {
    const word = propagationWord(operation.flags, (operation.flags & MS_REC) !== 0);
    return word === undefined ? [] : [`mount ${word} ${quoted(operation.path)}`];
  }

  /** From here on the root is "/". */
  pivoted(): void {
    this.#attached.set(SLOT_ROOT, "/");
  }
}
