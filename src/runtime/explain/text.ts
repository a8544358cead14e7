/** A plan for people: step by step, what happens, why, and which process does it. */
import { visible } from "../../base/visible.ts";
import type { Operation } from "../plan/operation.ts";
import type { Step } from "../plan/step.ts";
import { type Explanation, operationsOf } from "./explanation.ts";
import { summarizeSeccomp } from "./seccomp.ts";

export interface TextOptions {
  colour: boolean;
  /** Columns to stay within. */
  width: number;
}

/** One line of the explanation: an operation or a step of the engine's. */
interface Item {
  group: string;
  what: string;
  why: string;
  /** Further lines: commands that say the same, the environment, a summary. */
  details: { text: string; command: boolean }[];
}

interface Section {
  title: string;
  subtitle: string;
  items: Item[];
}

const GROUP_COLUMN = 13;
const NUMBER_COLUMN = 5;
const INDENT = GROUP_COLUMN + NUMBER_COLUMN;
const NAMED_CALLS = 8;

/** Ids are cut as everywhere: a reader compares twelve digits, not 64. */
function shortened(text: string): string {
  return text.replace(/([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])/g, "$1…");
}

function seccompDetails(program: Uint8Array): string[] {
  const { allowed, refused, unknown } = summarizeSeccomp(program);
  const some = refused.slice(0, NAMED_CALLS).join(", ");
  const more = refused.length > NAMED_CALLS ? ", …" : "";
  return [
    `${allowed.length} system calls pass, ${refused.length} are refused (${some}${more}),` +
      ` ${unknown.length} are answered as by a kernel that lacks them`,
  ];
}

function detailsOf(operation: Operation): Item["details"] {
  const plain = (texts: string[]) => texts.map((text) => ({ text, command: false }));
  if (operation.op === "seccomp") return plain(seccompDetails(operation.program));
  if (operation.op === "exec") return plain([`with ${operation.env.join("  ")}`]);
  return commandLines(operation.commands ?? []);
}

function commandLines(commands: string[]): Item["details"] {
  return commands.flatMap((command) => command.split("\n")).map((text) => ({ text, command: true }));
}

function itemOfOperation(operation: Operation): Item {
  const { group, what, why } = operation;
  return { group, what, why, details: detailsOf(operation) };
}

function itemOfStep(step: Step): Item {
  const { group, what, why } = step;
  return { group, what, why, details: step.step === "netlink" ? commandLines(step.commands) : [] };
}

function sectionsOf(explanation: Explanation): Section[] {
  const { plan, before, meanwhile, after } = explanation;
  const phase = (name: Parameters<typeof operationsOf>[1]) =>
    operationsOf(plan, name).map(({ operation }) => itemOfOperation(operation));
  return [
    { title: "bocker", subtitle: "prepares, and then starts the launcher", items: before.map(itemOfStep) },
    {
      title: "The launcher",
      subtitle: "makes the container's process, and stays as its monitor",
      items: phase("host"),
    },
    {
      title: "bocker",
      subtitle: "meanwhile decides what remains, and sends it",
      items: meanwhile.map(itemOfStep),
    },
    {
      title: "The monitor",
      subtitle: "goes on, while the container sets itself up",
      items: phase("host-after"),
    },
    {
      title: "The container",
      subtitle: "sets itself up, and then becomes the program",
      items: phase("container"),
    },
    { title: "The monitor", subtitle: "once the program runs", items: phase("started") },
    {
      title: "The monitor",
      subtitle: "when the container has ended",
      items: [...phase("ended"), ...phase("cleanup")],
    },
    { title: "bocker", subtitle: "at the very end", items: after.map(itemOfStep) },
  ].filter(({ items }) => items.length > 0);
}

/** Words into lines of at most `width` characters, where they have no longer ones. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

class Printer {
  readonly lines: string[] = [];
  readonly #options: TextOptions;
  #number = 0;
  readonly #reasons = new Set<string>();

  constructor(options: TextOptions) {
    this.#options = options;
  }

  styled(code: number, text: string): string {
    return this.#options.colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  line(text: string): void {
    this.lines.push(text.trimEnd());
  }

  #block(text: string, indent: number, style: (line: string) => string): void {
    for (const line of wrap(visible(shortened(text)), this.#options.width - indent))
      this.line(" ".repeat(indent) + style(line));
  }

  /** Lines without a number: what is there already. */
  facts(group: string, lines: string[]): void {
    lines.forEach((line, index) => {
      const label = this.styled(36, `  ${index === 0 ? group : ""}`.padEnd(INDENT));
      this.line(label + visible(shortened(line)));
    });
  }

  title(title: string, subtitle: string): void {
    if (this.lines.length > 0) this.line("");
    this.line(`${this.styled(1, title)} ${this.styled(2, subtitle)}`);
  }

  /** A step: its group (once), its number, what it does, wrapped. */
  item(item: Item, group: string): void {
    this.#number += 1;
    const width = this.#options.width - INDENT;
    const [first = "", ...rest] = wrap(visible(shortened(item.what)), width);
    const label = this.styled(36, `  ${group}`.padEnd(GROUP_COLUMN));
    const number = this.styled(2, String(this.#number).padStart(NUMBER_COLUMN - 2));
    this.line(`${label}${number}  ${first}`);
    for (const line of rest) this.line(" ".repeat(INDENT + 2) + line);
    for (const { text, command } of item.details) {
      if (command) this.line(" ".repeat(INDENT + 2) + this.styled(32, visible(shortened(text))));
      else this.#block(text, INDENT + 2, (line) => this.styled(2, line));
    }
  }

  /** A reason is given once: what follows for the same reason needs no second telling. */
  reason(why: string): void {
    if (this.#reasons.has(why)) return;
    this.#reasons.add(why);
    this.#block(why, INDENT + 2, (line) => this.styled(2, line));
  }

  section(section: Section): void {
    this.title(section.title, section.subtitle);
    section.items.forEach((item, index) => {
      const previous = section.items[index - 1];
      const next = section.items[index + 1];
      this.item(item, previous?.group === item.group ? "" : item.group);
      if (next === undefined || next.why !== item.why || next.group !== item.group) this.reason(item.why);
    });
  }
}

/** The whole explanation, without a newline at the end. */
export function explainText(explanation: Explanation, options: TextOptions): string {
  const printer = new Printer(options);
  const { image, name, id } = explanation;
  if (image !== undefined) {
    const container = name === "" ? "A container" : `The container ${visible(name)}`;
    printer.title(
      `${container} from the image ${visible(image.reference)}`,
      `with the id ${id.slice(0, 12)}`,
    );
    printer.facts("image", [
      ...(image.id === image.reference ? [] : [image.id]),
      ...image.layers.map((layer) => `layer ${layer}`),
    ]);
  }
  for (const section of sectionsOf(explanation)) printer.section(section);
  return printer.lines.join("\n");
}
