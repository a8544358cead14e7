/** `bocker login` */
import { BockerError } from "../base/errors.ts";
import { readAll } from "../os/files.ts";
import { isTerminal } from "../os/terminal.ts";
import { type Credentials, findCredentials, keepCredentials } from "../registry/credentials.ts";
import { dockerConfigPath } from "../registry/docker-config.ts";
import { serverDomain } from "../registry/endpoint.ts";
import { checkCredentials } from "../registry/login.ts";
import type { Command } from "./command.ts";
import type { FlagValues } from "./flags.ts";
import { interruptible } from "./interruption.ts";
import { print, printError } from "./output.ts";
import { ask } from "./prompt.ts";

const PASSWORD_MAX = 1 << 16;

function passwordOf(values: FlagValues): string | undefined {
  if (values.bool("password-stdin")) {
    if (values.has("password"))
      throw new BockerError("invalid", "--password and --password-stdin are mutually exclusive");
    if (!values.has("username"))
      throw new BockerError("invalid", "Must provide --username with --password-stdin");
    return readAll(0, PASSWORD_MAX)
      .toString("utf8")
      .replace(/\r?\n$/, "");
  }
  if (values.has("password"))
    printError("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
  return values.string("password");
}

/** What was given, what is kept already, or what is typed now. */
function credentialsOf(values: FlagValues, domain: string, path: string): Credentials {
  const password = passwordOf(values);
  const username = values.string("username");
  // An empty variable of a script, not somebody without a name.
  if (username === "") throw new BockerError("invalid", "username is empty");
  if (username !== undefined && password !== undefined) return { username, password };
  const kept = username === undefined && password === undefined ? findCredentials(domain, path) : undefined;
  if (kept !== undefined) {
    printError("Authenticating with existing credentials...");
    return kept;
  }
  if (!isTerminal(0))
    throw new BockerError("denied", "Cannot perform an interactive login from a non TTY device");
  const name = username ?? ask("Username: ").trim();
  if (name === "") throw new BockerError("invalid", "username is required");
  return { username: name, password: password ?? ask("Password: ", true) };
}

export const loginCommand: Command = {
  name: "login",
  usage: "[OPTIONS] [SERVER]",
  summary: "Authenticate to a registry",
  flags: [
    { name: "password", short: "p", kind: "string", help: "Password or Personal Access Token (PAT)" },
    {
      name: "password-stdin",
      kind: "bool",
      help: "Take the Password or Personal Access Token (PAT) from stdin",
    },
    { name: "username", short: "u", kind: "string", help: "Username" },
  ],
  standalone: true,
  words: { least: 0, most: 1 },
  async run(values) {
    const domain = serverDomain(values.positional[0]);
    const path = dockerConfigPath(process.env);
    const credentials = credentialsOf(values, domain, path);
    if (credentials.password === "" && credentials.identityToken === undefined)
      throw new BockerError("invalid", "password is required");
    await interruptible((signal) => checkCredentials(domain, credentials, signal));
    if (credentials.identityToken === undefined && keepCredentials(domain, path, credentials))
      printError(
        `WARNING! Your credentials are stored unencrypted in '${path}'.\nConfigure a credential helper ("credsStore" there) to keep them elsewhere.`,
      );
    print("Login Succeeded");
    return 0;
  },
};
