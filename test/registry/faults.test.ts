/** F21-F27: registries that break off, lie, dawdle and refuse. What comes is whole, or there is a word about why not. */
import { afterEach, describe, expect, test } from "bun:test";
import type { ServerResponse } from "node:http";
import { BLOB, blobOf, client, closeServers, type Handler, serve } from "./server.ts";

afterEach(closeServers);

/** Answers for one blob: the first of `answers` to the first request, and so on; the last to all others. */
function inTurn(...answers: ((response: ServerResponse, start: number) => void)[]): Handler {
  let count = 0;
  return (request, response) => {
    if (request.url === "/v2/") return void response.writeHead(200).end();
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    answers[Math.min(count++, answers.length - 1)]!(response, start);
  };
}

const headers = (start: number, total = BLOB.length): Record<string, string> => ({
  "content-length": String(total - start),
  ...(start === 0 ? {} : { "content-range": `bytes ${start}-${total - 1}/${total}` }),
});
const whole = (response: ServerResponse, start: number) =>
  void response.writeHead(start === 0 ? 200 : 206, headers(start)).end(BLOB.subarray(start));
/** So many bytes more, then the connection is reset. */
const breaksAfter = (count: number) => (response: ServerResponse, start: number) => {
  response.writeHead(start === 0 ? 200 : 206, headers(start));
  const part = BLOB.subarray(start, start + count);
  if (part.length === 0) response.flushHeaders();
  else response.write(part);
  setTimeout(() => response.socket?.resetAndDestroy(), 20);
};
const refuses =
  (status: number, more: Record<string, string> = {}, body = "{}") =>
  (response: ServerResponse) =>
    void response.writeHead(status, more).end(body);

const pull = async (...answers: Parameters<typeof inTurn>) => {
  const { host, log } = await serve(inTurn(...answers));
  const result = await blobOf(client(host)).catch((error: Error) => error);
  return { result, requests: log.filter((line) => line.includes("/blobs/")).length };
};

describe("F21: a transfer that breaks off", () => {
  test.each([0, 1, 512, 4096, BLOB.length - 1])(
    "after %d bytes is continued or begun anew",
    async (count) => {
      const { result, requests } = await pull(breaksAfter(count), whole);
      expect(result).toEqual(BLOB);
      expect(requests).toBe(2);
    },
  );

  test("again and again comes to an end as long as it gets on, and is given up when it does not", async () => {
    expect((await pull(breaksAfter(4000))).result).toEqual(BLOB);
    const { result, requests } = await pull(breaksAfter(0));
    expect(result).toBeInstanceOf(Error);
    expect(requests).toBeLessThanOrEqual(5);
  });

  test("one that ends early, with and without a length, is not taken for whole", async () => {
    const early = (response: ServerResponse) => void response.writeHead(200).end(BLOB.subarray(0, 100));
    expect((await pull(early)).result).toBeInstanceOf(Error);
    const { result } = await pull((response) => {
      response.writeHead(200, headers(0)).write(BLOB.subarray(0, 100));
      setTimeout(() => response.socket?.end(), 20);
    });
    expect(result).toBeInstanceOf(Error);
  });
});

describe("F22: a range is not what was asked for", () => {
  test.each<[string, (response: ServerResponse, start: number) => void]>([
    ["the whole again, as 200", (response) => whole(response, 0)],
  ])("%s: the blob is right", async (_, answer) => {
    expect((await pull(breaksAfter(4000), answer)).result).toEqual(BLOB);
  });

  test.each<[string, (response: ServerResponse, start: number) => void]>([
    [
      "another start",
      (response, start) =>
        void response
          .writeHead(206, { "content-range": `bytes ${start - 1}-${BLOB.length - 1}/${BLOB.length}` })
          .end(BLOB.subarray(start - 1)),
    ],
    ["no Content-Range", (response, start) => void response.writeHead(206).end(BLOB.subarray(start))],
  ])("%s: never spliced", async (_, answer) => {
    const { result } = await pull(breaksAfter(4000), answer);
    if (result instanceof Error) expect(result.message.length).toBeGreaterThan(0);
    else expect(result).toEqual(BLOB);
  });
});

describe("F23: a server that dawdles", () => {
  test.each<[string, Handler]>([
    ["never answers", () => undefined],
    ["sends one byte and then nothing", (_, response) => void response.writeHead(200, headers(0)).write("0")],
  ])("%s: an interrupt ends it at once", async (_, handler) => {
    const interrupt = new AbortController();
    const { host } = await serve(handler);
    const result = blobOf(client(host, interrupt.signal)).catch((error: Error) => error);
    setTimeout(() => interrupt.abort(), 100);
    expect(await result).toMatchObject({ code: "interrupted" });
  });
});

describe("F24: refusals", () => {
  test.each([429, 500, 502, 503, 504])("%d is asked again, a few times", async (status) => {
    expect((await pull(refuses(status), refuses(status), whole)).result).toEqual(BLOB);
    const { result, requests } = await pull(refuses(status, {}, "slow \u001b[31mdown"));
    expect((result as Error).message).toMatch(status === 429 ? /toomanyrequests/ : RegExp(String(status)));
    expect(requests).toBe(3);
  });

  test.each([400, 403, 404, 405, 410, 416])("%d is not", async (status) => {
    const { result, requests } = await pull(refuses(status));
    expect(result).toBeInstanceOf(Error);
    expect(requests).toBe(1);
  });

  test.each(["1000000000", "-5", "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "1e309"])(
    "Retry-After: %s keeps nobody for ever",
    async (value) => {
      expect((await pull(refuses(429, { "retry-after": value }), whole)).result).toEqual(BLOB);
    },
  );
});

test("F26: a token that lasts for one request: one new one each time, no more", async () => {
  let valid = "";
  let given = 0;
  const { host, log } = await serve((request, response) => {
    if (request.url!.startsWith("/token")) {
      valid = `t${++given}`;
      // Without expires_in, and with a clock of its own.
      response.writeHead(200).end(JSON.stringify({ token: valid, issued_at: "1970-01-01T00:00:00Z" }));
    } else if (request.headers.authorization === `Bearer ${valid}` && valid !== "") {
      valid = "";
      response.writeHead(200, headers(0)).end(BLOB);
    } else {
      const challenge = `Bearer realm="http://${host}/token",service="x"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
    }
  });
  const source = client(host);
  for (let i = 0; i < 3; i++) expect(await blobOf(source)).toEqual(BLOB);
  expect(log.filter((line) => line.includes("/token")).length).toBeLessThanOrEqual(4);
});
