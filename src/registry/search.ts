/**
 * Looking for repositories: by the search of registry API v1, which Docker Hub and a few others still answer, else in the
 * catalog (distribution's "_catalog"), which has names only and which not every registry shows.
 */
import * as v from "valibot";
import { BockerError } from "../base/errors.ts";
import { parseReference } from "../base/reference.ts";
import { parseJson } from "../spec/json.ts";
import { searchOrigin } from "./endpoint.ts";
import { readBody } from "./http.ts";
import { listed } from "./pages.ts";
import { withRetries } from "./retry.ts";
import { type ClientOptions, RegistrySession } from "./session.ts";

const ANSWER_SIZE_MAX = 4 << 20;
/** What Docker Hub gives when no limit is named. */
const LIMIT_DEFAULT = 25;

const text = v.optional(v.nullable(v.string()), "");
const flag = v.optional(v.nullable(v.boolean()), false);
const answerSchema = v.looseObject({
  results: v.nullish(
    v.array(
      v.looseObject({
        name: v.string(),
        description: text,
        star_count: v.optional(v.nullable(v.number()), 0),
        is_official: flag,
        is_automated: flag,
      }),
    ),
  ),
});

export interface FoundRepository {
  /** As it can be pulled. */
  name: string;
  /** One line; "" where nothing is known. */
  description: string;
  stars: number;
  isOfficial: boolean;
  isAutomated: boolean;
}

/** HOST[:PORT]/TERM means that registry, anything else Docker Hub (moby, registry/search.go). */
function splitTerm(term: string): { domain: string | undefined; words: string } {
  const slash = term.indexOf("/");
  const first = slash < 0 ? "" : term.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === "localhost";
  if (!isHost || first.endsWith("docker.io"))
    return { domain: undefined, words: term.slice(isHost ? slash + 1 : 0) };
  return { domain: first, words: term.slice(slash + 1) };
}

async function fromCatalog(
  session: RegistrySession,
  words: string,
  limit: number,
): Promise<FoundRepository[]> {
  const { domain } = session.reference;
  const found: FoundRepository[] = [];
  for await (const name of listed(session, "/v2/_catalog", "repositories", `the repositories of ${domain}`)) {
    if (!name.toLowerCase().includes(words.toLowerCase())) continue;
    found.push({
      name: `${domain}/${name}`,
      description: "",
      stars: 0,
      isOfficial: false,
      isAutomated: false,
    });
    if (found.length === limit) break;
  }
  return found;
}

/**
 * The repositories whose names or descriptions have `term`, those with the most stars first.
 * @param limit how many at most, 1 to 100; undefined: 25
 * @throws BockerError "registry" or "denied" where the registry cannot be searched
 */
export async function searchRepositories(
  term: string,
  limit: number = LIMIT_DEFAULT,
  options: ClientOptions = {},
): Promise<FoundRepository[]> {
  const { domain, words } = splitTerm(term);
  const session = new RegistrySession(parseReference(`${domain ?? "docker.io"}/search`), "search", {
    ...options,
    mirror: domain === undefined ? searchOrigin() : undefined,
  });
  // An official repository is called "library/NAME" only where it is stored.
  const query = domain === undefined ? words.replace(/^library\//, "") : words;
  const where = `/v1/search?${new URLSearchParams({ q: query, n: String(limit) })}`;
  const answer = await withRetries(session.retry, session.signal, async () => {
    const response = await session.request(where, { method: "GET", expected: [200, 404] });
    if (response.status === 200) return readBody(response, ANSWER_SIZE_MAX, "the answer");
    response.discard();
    return undefined;
  });
  if (answer === undefined) return fromCatalog(session, words, limit);
  const result = v.safeParse(answerSchema, parseJson(answer, "the answer"));
  if (!result.success)
    throw new BockerError("registry", `${session.reference.domain} sent no list of repositories`);
  const found = (result.output.results ?? []).map((one) => ({
    name: domain === undefined ? one.name : `${domain}/${one.name}`,
    description: (one.description ?? "").replace(/\s+/g, " ").trim(),
    stars: one.star_count ?? 0,
    isOfficial: one.is_official ?? false,
    isAutomated: one.is_automated ?? false,
  }));
  return found.sort((a, b) => b.stars - a.stars).slice(0, limit);
}
