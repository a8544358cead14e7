/** Docker's commands that are not here, and what bocker itself is to have: known by name, so that nobody takes them for mistyped. Loaded only to say so. */

/** As they are typed, the short form where there is one; a group alone stands for all in it. */
const NOT_YET = new Set([
  "build",
  "builder",
  "buildx",
  "checkpoint",
  "compose",
  "context",
  "network",
  "plugin",
  "trust",
]);

/** Of Docker's clusters: nothing that one machine without a daemon could do. */
const NEVER = new Set(["config", "node", "secret", "service", "stack", "swarm", "volume update"]);

/** What is said of a command that is Docker's and not bocker's; undefined for any other word. */
export function notYet(words: readonly string[]): string | undefined {
  const [group = "", word = ""] = words;
  const isGrouped = ["container", "image", "system"].includes(group);
  const names = isGrouped ? [word] : [group, `${group} ${word}`];
  const shown = isGrouped || NEVER.has(`${group} ${word}`) ? `${group} ${word}` : group;
  if (names.some((name) => NEVER.has(name)))
    return `'${shown}' is for Docker's clusters, which bocker does not have`;
  return names.some((name) => NOT_YET.has(name)) ? `'${shown}' is not supported yet` : undefined;
}
