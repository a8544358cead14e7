/** Listings of a registry, page by page (distribution spec, "Listing Tags": the Link of RFC 8288 leads on). */
import * as v from "valibot";
import { BockerError } from "../base/errors.ts";
import { parseJson } from "../spec/json.ts";
import { readBody } from "./http.ts";
import { withRetries } from "./retry.ts";
import type { RegistrySession } from "./session.ts";

const PAGES_MAX = 1000;
const PAGE_SIZE_MAX = 4 << 20;

/**
 * The documents, one a page, until nobody asks for more.
 * @param where as for RegistrySession.request
 * @param what is listed, for errors: "the tags of …"
 * @param options `optional`: a registry that does not have this listing (404) has no pages
 * @throws BockerError "registry" for pages without end
 */
export async function* pagesOf(
  session: RegistrySession,
  where: string,
  what: string,
  { accept = "application/json", optional = false } = {},
): AsyncGenerator<unknown, void, void> {
  let next: string | undefined = where;
  for (let pages = 0; next !== undefined; pages++) {
    if (pages === PAGES_MAX) throw new BockerError("registry", `${what} have no end`);
    const page: string = next;
    const answer = await withRetries(session.retry, session.signal, async () => {
      const expected = optional && pages === 0 ? [200, 404] : [200];
      const response = await session.request(page, { method: "GET", headers: { accept }, expected });
      const body = await readBody(response, PAGE_SIZE_MAX, what);
      return { response, body };
    });
    if (answer.response.status === 404) return;
    yield parseJson(answer.body, what);
    next = nextPage(answer.response.headers["link"]);
  }
}

/**
 * The texts that each page has under `key`, in the registry's order.
 * @throws BockerError "registry" as pagesOf, and for a page that is none
 */
export async function* listed(
  session: RegistrySession,
  where: string,
  key: string,
  what: string,
): AsyncGenerator<string, void, void> {
  const schema = v.looseObject({ [key]: v.nullish(v.array(v.string())) });
  for await (const document of pagesOf(session, where, what)) {
    const result = v.safeParse(schema, document);
    if (!result.success)
      throw new BockerError("registry", `${session.reference.domain} sent no list of ${what}`);
    yield* result.output[key] ?? [];
  }
}

/** Where the next page is: a path on the same registry. */
function nextPage(link: string | string[] | undefined): string | undefined {
  const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(link ?? "")) ?? [];
  const base = "https://registry.invalid";
  if (target === undefined || !URL.canParse(target, base)) return undefined;
  const url = new URL(target, base);
  return `${url.pathname}${url.search}`;
}
