/** A strace of the launcher, held against a plan: every operation's calls, in order, and no other calls that matter. */
import type { Operation } from "../../../src/runtime/plan/operation.ts";
import { RLIMITS } from "../../../src/runtime/plan/rlimits.ts";

export interface Call {
  pid: number;
  name: string;
  /** The whole line, as strace prints it, without the pid. */
  text: string;
}

/** Made by the launcher only because a plan says so. */
const DECIDED = new Set(
  (
    "mount umount2 clone3 setns unshare pivot_root chroot sethostname setdomainname capset seccomp mknodat execve execveat " +
    "fsopen fsconfig fsmount move_mount open_tree mount_setattr setresuid setresgid setgroups symlinkat keyctl bpf prlimit64"
  ).split(" "),
);

export const TRACED = [
  ...DECIDED,
  ..."openat mkdirat unlinkat write read sendto prctl chdir umask setsid close_range close".split(" "),
];

/** The calls of a trace made with -f -qq, those that were interrupted put together again. */
export function parseTrace(output: string): Call[] {
  const calls: Call[] = [];
  const begun = new Map<number, Call>();
  for (const line of output.split("\n")) {
    const [, pidText = "", text = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const pid = Number(pidText);
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(text);
    if (resumed !== null) {
      const call = begun.get(pid);
      if (call !== undefined) call.text += resumed[2] ?? "";
      begun.delete(pid);
      continue;
    }
    const name = /^(\w+)\(/.exec(text)?.[1];
    if (name === undefined) continue;
    const call = { pid, name, text: text.replace(/ ?<unfinished \.\.\.>$/, "") };
    if (text.endsWith("<unfinished ...>")) begun.set(pid, call);
    calls.push(call);
  }
  return calls;
}

const text = (value: string) => JSON.stringify(value);
const at = (path: string) => `AT_FDCWD, ${text(path)}`;

/** What calls an operation is, as beginnings of strace's lines; a function where it depends on what is there. */
function expected(operation: Operation): string[] | ((stream: CallStream) => void) {
  switch (operation.op) {
    case "mkdir":
      return [`mkdirat(${at(operation.path)}, 0755)`];
    case "write":
      return [`openat(${at(operation.path)}, O_WRONLY|O_NOFOLLOW`, "write("];
    case "symlink":
      return [`symlinkat(${text(operation.target)}, ${at(operation.path)})`];
    case "mknod":
      return [`mknodat(${at(operation.path)}, S_IF`];
    case "rmdir":
      return [`unlinkat(${at(operation.path)}, AT_REMOVEDIR)`];
    case "open":
    case "open_root":
      return [`openat(${at(operation.path)}, `];
    case "open_ns":
      return ['openat(AT_FDCWD, "/proc/'];
    case "close":
      return ["close("];
    case "fsmount":
      return [
        `fsopen(${text(operation.type)}, `,
        ...operation.options.map(([key, value]) =>
          value === ""
            ? `fsconfig(N, FSCONFIG_SET_FLAG, ${text(key)}`
            : `fsconfig(N, FSCONFIG_SET_STRING, ${text(key)}, ${text(value)}`,
        ),
        "fsconfig(N, FSCONFIG_CMD_CREATE",
        "fsmount(",
      ];
    case "open_tree":
      return [`open_tree(${at(operation.path)}, OPEN_TREE_CLONE`];
    case "mount_setattr":
      return ['mount_setattr(N, "", '];
    case "move_mount":
      return (stream) => {
        // A file that is missing as a mount point.
        stream.maybe("mknodat(N, ");
        stream.expect('move_mount(N, "", N, ""');
      };
    case "propagation":
      return [`mount(NULL, ${text(operation.path)}, NULL, MS_REC|MS_SLAVE`];
    case "pivot_root":
      return ['pivot_root(".", ".")', 'umount2(".", MNT_DETACH)', 'chdir("/")'];
    case "mask":
      return (stream) => maskCalls(stream, operation.path);
    case "readonly":
      return (stream) => {
        const clone = stream.expect(`open_tree(${at(operation.path)}, OPEN_TREE_CLONE`);
        if (clone.text.includes("= -1 ENOENT")) return;
        stream.expect('mount_setattr(N, "", ');
        stream.expect(`move_mount(N, "", ${at(operation.path)}`);
      };
    case "exec":
      return (stream) => {
        for (const path of operation.candidates)
          if (stream.expect(`execve(${text(path)}, `).text.endsWith("= 0")) return;
      };
    default:
      return expectedIdentity(operation);
  }
}

function maskCalls(stream: CallStream, path: string): void {
  if (stream.expect(`openat(${at(path)}, O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_PATH`).text.includes("= -1")) return;
  // The one empty tmpfs, made for the first directory.
  if (stream.maybe('fsopen("tmpfs"')) {
    for (let option = 0; option < 4; option++) stream.expect("fsconfig(N, ");
    stream.expect("fsmount(");
  }
  stream.expect('open_tree(N, "", OPEN_TREE_CLONE');
  stream.expect('move_mount(N, "", N, ""');
}

function expectedIdentity(operation: Operation): string[] {
  switch (operation.op) {
    case "sethostname":
      return [`sethostname(${text(operation.name)}, `];
    case "rlimit":
      return [
        `prlimit64(0, ${Object.entries(RLIMITS).find(([, number]) => number === operation.resource)?.[0]}, {`,
      ];
    case "cap_bound":
      return ["prctl(PR_CAPBSET_DROP, "];
    case "identity": {
      const { uid, gid, groups } = operation;
      const list = groups.join(", ");
      return [
        `setgroups(${groups.length}, [${list}])`,
        `setresgid(${gid}, ${gid}, ${gid})`,
        `setresuid(${uid}, ${uid}, ${uid})`,
      ];
    }
    case "capset":
      return ["capset("];
    case "no_new_privs":
      return ["prctl(PR_SET_NO_NEW_PRIVS, 1"];
    case "seccomp":
      return [`seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=${operation.program.length / 8}, `];
    case "chdir":
      return [`chdir(${text(operation.path)})`];
    case "mkdir_in_root":
      // Looked up by openat2, which is not traced; a directory that is there already needs nothing more.
      return [];
    case "umask":
      return [`umask(0${operation.mask.toString(8).padStart(2, "0")})`];
    case "keyring":
      return [`keyctl(KEYCTL_JOIN_SESSION_KEYRING, ${text(operation.name)}`];
    case "netlink":
    case "await_link":
      return ["sendto("];
    case "events":
      return [
        `openat(${at(operation.path)}, O_WRONLY|O_CREAT|O_APPEND|O_NOFOLLOW|O_CLOEXEC, 0600)`,
        "write(",
      ];
    case "wait":
      return operation.phase === "container"
        ? ['read(N, "\\1", 1)']
        : ['read(N, "\\377\\377\\377\\377\\0\\0\\0\\0", 8)'];
    case "signal":
      return operation.phase === "container"
        ? ['write(N, "\\377\\377\\377\\377\\0\\0\\0\\0", 8)']
        : ['write(N, "\\1", 1)'];
    case "stdio":
      return ["setsid()"];
    case "clone":
      return ["clone3({flags=CLONE_"];
    case "deathsig":
      return ["prctl(PR_SET_PDEATHSIG, SIGKILL"];
    case "close_rest":
      return ["close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC)"];
    default:
      throw new Error(`the test knows no calls of ${operation.op}`);
  }
}

/** Calls whose first argument is a descriptor. */
const DESCRIPTOR =
  /^((?:fsconfig|fsmount|mount_setattr|move_mount|open_tree|mknodat|read|write|setns|sendto)\()\d+, /;

export class CallStream {
  readonly #calls: Call[];
  #next = 0;
  #operation = "the start";

  constructor(calls: Call[]) {
    this.#calls = calls;
  }

  /** Numbers of descriptors are nobody's business. */
  static #matches(call: Call, beginning: string): boolean {
    const plain = call.text.replace(DESCRIPTOR, "$1N, ").replace(/^(move_mount\(N, "", )\d+, /, "$1N, ");
    return plain.startsWith(beginning);
  }

  /** The next call of this kind; none that must be decided by a plan may be passed over. */
  expect(beginning: string): Call {
    for (; ; this.#next++) {
      const call = this.#calls[this.#next];
      if (call === undefined) throw new Error(`${this.#operation}: no ${beginning}…`);
      if (CallStream.#matches(call, beginning)) {
        this.#next++;
        return call;
      }
      if (DECIDED.has(call.name))
        throw new Error(`${this.#operation}: expected ${beginning}…, but the launcher called ${call.text}`);
    }
  }

  maybe(beginning: string): boolean {
    for (let ahead = this.#next; ; ahead++) {
      const call = this.#calls[ahead];
      if (call === undefined) return false;
      if (CallStream.#matches(call, beginning)) {
        this.#next = ahead + 1;
        return true;
      }
      if (DECIDED.has(call.name)) return false;
    }
  }

  /** Holds the calls against operations, in order. */
  follow(operations: Operation[]): void {
    for (const operation of operations) {
      this.#operation = operation.what;
      const calls = expected(operation);
      if (typeof calls === "function") calls(this);
      else for (const call of calls) this.expect(call);
    }
  }

  /** What is left that a plan would have had to contain. */
  undecided(): string[] {
    return this.#calls
      .slice(this.#next)
      .filter(({ name }) => DECIDED.has(name))
      .map((call) => call.text);
  }
}
