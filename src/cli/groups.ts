/** Docker's longer names: `container run`, `image ls`. Loaded only for who types them. */

/** By group: the short command that each word means, and the words that it begins with then. */
const LONGER: Record<string, Record<string, readonly string[]>> = {
  container: {
    attach: ["attach"],
    commit: ["commit"],
    cp: ["cp"],
    create: ["create"],
    diff: ["diff"],
    exec: ["exec"],
    export: ["export"],
    fork: ["fork"],
    inspect: ["inspect", "--type", "container"],
    kill: ["kill"],
    list: ["ps"],
    logs: ["logs"],
    ls: ["ps"],
    pause: ["pause"],
    port: ["port"],
    ps: ["ps"],
    remove: ["rm"],
    rename: ["rename"],
    restart: ["restart"],
    rm: ["rm"],
    run: ["run"],
    start: ["start"],
    stats: ["stats"],
    stop: ["stop"],
    top: ["top"],
    unpause: ["unpause"],
    update: ["update"],
    wait: ["wait"],
  },
  image: {
    history: ["history"],
    import: ["import"],
    inspect: ["inspect", "--type", "image"],
    list: ["images"],
    load: ["load"],
    ls: ["images"],
    pull: ["pull"],
    push: ["push"],
    remove: ["rmi"],
    rm: ["rmi"],
    save: ["save"],
    tag: ["tag"],
  },
  system: { events: ["events"], info: ["info"] },
  volume: { list: ["volume", "ls"], remove: ["volume", "rm"] },
};

/** Second names are not listed. */
const SECOND = new Set(["list", "ps", "remove"]);

/** The words of the short form; undefined when there is none. */
export function shortForm(group: string, word: string): readonly string[] | undefined {
  const names = Object.hasOwn(LONGER, group) ? LONGER[group]! : {};
  return Object.hasOwn(names, word) ? names[word] : undefined;
}

/** The words of a group that are commands of their own elsewhere, with these. */
export function longerNames(group: string): { name: string; short: string }[] {
  return Object.entries(LONGER[group] ?? {})
    .filter(([word]) => !SECOND.has(word))
    .map(([word, [short = ""]]) => ({ name: `${group} ${word}`, short }));
}
