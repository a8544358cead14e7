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

function* lines(content: string): Generator<string[]> {
  let count = 0;
  for (const line of content.split("\n", MAX_ENTRIES)) {
    if (++count > MAX_ENTRIES) return;
    if (line !== "" && !line.startsWith("#")) yield line.split(":");
  }
}

function* passwdEntries(content: string): Generator<PasswdEntry> {
  for (const [name = "", , uidText = "", gidText = "", , home = ""] of lines(content)) {
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (uid !== undefined && gid !== undefined) yield { name, uid, gid, home };
  }
}

function* groupEntries(content: string): Generator<GroupEntry> {
  for (const [name = "", , gidText = "", members = ""] of lines(content)) {
    const gid = parseId(gidText);
    if (gid !== undefined) yield { name, gid, members: members.split(",") };
  }
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
  let entry: PasswdEntry | undefined;
  for (const candidate of passwdEntries(passwd)) {
    const wanted =
      uid === undefined && userPart !== "" ? candidate.name === userPart : candidate.uid === (uid ?? 0);
    if (wanted) {
      entry = candidate;
      break;
    }
  }
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
  if (groupPart === "" && entry !== undefined)
    for (const candidate of groupEntries(group))
      if (candidate.members.includes(entry.name)) groups.add(candidate.gid);
  for (const name of extra) groups.add(findGroup(name, group));
  resolved.groups = [...groups];
  return resolved;
}

function findGroup(text: string, group: string): number {
  const gid = numeric(text, "gid");
  if (gid !== undefined) return gid;
  for (const candidate of groupEntries(group)) if (candidate.name === text) return candidate.gid;
  throw new BockerError("start-failed", `unable to find group ${text}: no matching entries in group file`);
}
