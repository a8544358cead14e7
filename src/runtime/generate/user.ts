/**
 * USER and --user, resolved by the container's own /etc/passwd and /etc/group (moby user.GetExecUser).
 * The files are the image's, so they are read with caps and never trusted to be well-formed.
 */
import { BockerError } from "../../base/errors.ts";

/** The kernel's uid_t allows more, Docker does not (CVE-2024-40635). */
const MAX_ID = 2147483647;
const MAX_ENTRIES = 65536;

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** Always contains gid (CVE-2022-36109). */
  groups: number[];
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

function parseId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined;
}

/** The first entry that is wanted. */
function findEntry<T>(
  content: string,
  parse: (line: string) => T | undefined,
  wanted: (entry: T) => boolean,
): T | undefined {
  for (const line of content.split("\n", MAX_ENTRIES)) {
    const entry = line === "" || line.startsWith("#") ? undefined : parse(line);
    if (entry !== undefined && wanted(entry)) return entry;
  }
  return undefined;
}

function passwdEntry(line: string): PasswdEntry | undefined {
  const [name = "", , uidText = "", gidText = "", , home = ""] = line.split(":");
  const uid = parseId(uidText);
  const gid = parseId(gidText);
  return uid === undefined || gid === undefined ? undefined : { name, uid, gid, home };
}

function groupEntry(line: string): GroupEntry | undefined {
  const [name = "", , gidText = "", members = ""] = line.split(":");
  const gid = parseId(gidText);
  return gid === undefined ? undefined : { name, gid, members: members.split(",") };
}

/** All digits means an id, never a name: an image may call a user "0". */
function numeric(text: string, kind: string): number | undefined {
  if (!/^-?\d+$/.test(text)) return undefined;
  const id = parseId(text);
  if (id === undefined) throw new BockerError("invalid", `${kind}s must be in range 0-${MAX_ID}`);
  return id;
}

/**
 * Resolves `user[:group]`, each a name or a number, "" meaning root.
 * @param passwd content of /etc/passwd ("" when the image has none), `group` that of /etc/group
 * @param extra --group-add: names or numbers
 * @throws BockerError "start-failed" with Docker's wording for unknown names
 */
export function resolveUser(user: string, passwd: string, group: string, extra: string[] = []): ResolvedUser {
  const colon = user.indexOf(":");
  const userPart = colon < 0 ? user : user.slice(0, colon);
  const groupPart = colon < 0 ? "" : user.slice(colon + 1);
  const uid = numeric(userPart, "uid");
  const byName = uid === undefined && userPart !== "";
  const entry = findEntry(passwd, passwdEntry, (candidate) =>
    byName ? candidate.name === userPart : candidate.uid === (uid ?? 0),
  );
  if (entry === undefined && uid === undefined && userPart !== "")
    throw new BockerError(
      "start-failed",
      `unable to find user ${userPart}: no matching entries in passwd file`,
    );
  const resolved: ResolvedUser = {
    uid: entry?.uid ?? uid ?? 0,
    gid: entry?.gid ?? 0,
    groups: [],
    home: entry?.home || "/",
  };
  if (groupPart !== "") resolved.gid = findGroup(groupPart, group);
  const groups = new Set<number>([resolved.gid]);
  // An explicit group, or a user without a name, has no supplementary groups of its own.
  if (groupPart === "" && entry !== undefined) for (const gid of groupsOf(entry.name, group)) groups.add(gid);
  for (const name of extra) groups.add(findGroup(name, group));
  resolved.groups = [...groups];
  return resolved;
}

/** The groups that name somebody as their member. */
function groupsOf(name: string, group: string): number[] {
  // Most users are in none, and most files do not have the name at all.
  if (!group.includes(name)) return [];
  const found: number[] = [];
  findEntry(group, groupEntry, ({ gid, members }) => {
    if (members.includes(name)) found.push(gid);
    return false;
  });
  return found;
}

function findGroup(text: string, group: string): number {
  const gid = numeric(text, "gid");
  if (gid !== undefined) return gid;
  const entry = findEntry(group, groupEntry, ({ name }) => name === text);
  if (entry !== undefined) return entry.gid;
  throw new BockerError("start-failed", `unable to find group ${text}: no matching entries in group file`);
}
