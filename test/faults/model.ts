/** A small model of what there is: containers, names of images, volumes. It foretells what a command does, and whether it may. */
import type { Sandbox } from "../e2e/sandbox.ts";

export interface ModelContainer {
  state: "created" | "running" | "exited";
  image: string;
  volume: string | undefined;
}

export interface World {
  containers: Map<string, ModelContainer>;
  /** Names and the ids that they point to. */
  images: Map<string, string>;
  volumes: Set<string>;
}

/** One command and what it does to the world. */
export interface Step {
  words: string[];
  /** Whether it succeeds. */
  allowed: boolean;
  /** What it has done when it has succeeded; `output` is its standard output. */
  effect: (output: string) => void;
}

const IMAGES = ["busybox", "image0", "image1", "image2"];
const CONTAINERS = ["box0", "box1", "box2", "box3"];
const VOLUMES = ["vol0", "vol1", "vol2"];
const DOES = ["create", "run -d", "run", "run --rm"] as const;
const STATES = { created: "created", running: "running", exited: "exited" } as const;
const SLEEP = ["sleep", "100000"];

type Roll = (below: number) => number;

/** What there really is. Images without a name are not looked at. */
export function observe(sandbox: Sandbox): World {
  const lines = (...words: string[]) => sandbox.ok(words).split("\n").filter(Boolean);
  const images = lines("images", "--no-trunc", "--format", "{{.Repository}} {{.ID}}")
    .map((line) => line.split(" ") as [string, string])
    .filter(([name]) => IMAGES.includes(name));
  const names = lines("ps", "-a", "--format", "{{.Names}}");
  const described = (name: string): [string, ModelContainer] => {
    const format = "{{.State.Status}} {{.Image}} {{range .Mounts}}{{.Name}}{{end}}";
    const [state = "", image = "", volume = ""] = sandbox.ok(["inspect", "-f", format, name]).split(" ");
    if (!Object.hasOwn(STATES, state)) throw new Error(`${name} is ${state}`);
    const known = STATES[state as keyof typeof STATES];
    return [name, { state: known, image, volume: volume === "" ? undefined : volume }];
  };
  return {
    containers: new Map(names.sort().map(described)),
    images: new Map(images.sort(([a], [b]) => (a < b ? -1 : 1))),
    volumes: new Set(lines("volume", "ls", "-q").sort()),
  };
}

/** The world in an order in which two can be compared. */
export function sorted({ containers, images, volumes }: World): unknown {
  const byName = <T>(map: Map<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return { containers: byName(containers), images: byName(images), volumes: [...volumes].sort() };
}

/** A command by chance, and what the model says of it. */
export function chooseStep(world: World, roll: Roll): Step {
  const pick = <T>(of: readonly T[]): T => of[roll(of.length)]!;
  const name = pick(CONTAINERS);
  const image = pick(IMAGES);
  const volume = pick(VOLUMES);
  const { containers, images, volumes } = world;
  const container = containers.get(name);
  const remove = () => void containers.delete(name);
  const become = (state: ModelContainer["state"]) => () => {
    if (container !== undefined) container.state = state;
  };
  const make = (): Step => {
    const how = pick(DOES);
    // Of those that there are: for another one a registry would be asked.
    const [source, id] = pick([...images]);
    const takes = roll(3) === 0 ? volume : undefined;
    const network = pick([["--network", "none"], [], ["-p", "80"]]);
    const flags = [...network, ...(takes === undefined ? [] : ["-v", `${takes}:/data`])];
    const isBrief = how === "run" || how === "run --rm";
    const program = isBrief ? ["sh", "-c", "echo x > /written"] : SLEEP;
    const state = { create: "created", "run -d": "running", run: "exited" } as const;
    return {
      words: [...how.split(" "), "--name", name, ...flags, source, ...program],
      allowed: container === undefined,
      effect: () => {
        if (takes !== undefined) volumes.add(takes);
        if (how !== "run --rm") containers.set(name, { state: state[how], image: id, volume: takes });
      },
    };
  };
  const removeImage = (): Step => {
    const name = pick(IMAGES.slice(1));
    const id = images.get(name);
    const isLast = [...images.values()].filter((other) => other === id).length === 1;
    const isUsed = [...containers.values()].some((user) => user.image === id);
    return {
      words: ["rmi", name],
      allowed: id !== undefined && !(isLast && isUsed),
      effect: () => void images.delete(name),
    };
  };
  const steps: (() => Step)[] = [
    make,
    make,
    make,
    () => ({ words: ["start", name], allowed: container !== undefined, effect: become("running") }),
    () => ({
      words: ["stop", "-t", "0", name],
      allowed: container !== undefined,
      effect: () => {
        if (container?.state === "running") container.state = "exited";
      },
    }),
    () => ({
      words: ["exec", name, "sh", "-c", "echo x > /executed"],
      allowed: container?.state === "running",
      effect: () => {},
    }),
    () => ({
      words: ["rm", name],
      allowed: container !== undefined && container.state !== "running",
      effect: remove,
    }),
    () => ({ words: ["rm", "-f", name], allowed: true, effect: remove }),
    () => ({
      words: ["commit", name, pick(IMAGES.slice(1))],
      allowed: container !== undefined,
      effect: () => {},
    }),
    () => ({
      words: ["tag", image, pick(IMAGES.slice(1))],
      allowed: images.has(image),
      effect: () => {},
    }),
    removeImage,
    () => ({ words: ["volume", "create", volume], allowed: true, effect: () => void volumes.add(volume) }),
    () => ({
      words: ["volume", "rm", volume],
      allowed: volumes.has(volume) && ![...containers.values()].some((user) => user.volume === volume),
      effect: () => void volumes.delete(volume),
    }),
    () => ({ words: ["logs", name], allowed: container !== undefined, effect: () => {} }),
    () => ({ words: ["system", "check"], allowed: true, effect: () => {} }),
  ];
  const step = pick(steps)();
  const [verb, from, to] = step.words as [string, string, string];
  if (verb === "commit") return { ...step, effect: (output) => void images.set(to, output) };
  if (verb === "tag") return { ...step, effect: () => void images.set(to, images.get(from)!) };
  // A program that has ended at once ends at once again.
  if (verb === "start" && container?.state === "exited")
    return { ...step, words: ["logs", name], effect: () => {} };
  return step;
}
