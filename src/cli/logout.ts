/** `bocker logout` */
import { forgetCredentials } from "../registry/credentials.ts";
import { dockerConfigPath } from "../registry/docker-config.ts";
import { credentialKeys, serverDomain } from "../registry/endpoint.ts";
import type { Command } from "./command.ts";
import { print } from "./output.ts";

export const logoutCommand: Command = {
  name: "logout",
  usage: "[SERVER]",
  summary: "Log out from a registry",
  flags: [],
  standalone: true,
  words: { least: 0, most: 1 },
  async run(values) {
    const domain = serverDomain(values.positional[0]);
    const [shown] = credentialKeys(domain);
    const was = forgetCredentials(domain, dockerConfigPath(process.env));
    print(was ? `Removing login credentials for ${shown}` : `Not logged in to ${shown}`);
    return 0;
  },
};
