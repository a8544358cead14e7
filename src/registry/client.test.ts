import { afterEach, describe, expect, test } from "bun:test";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { BASIC, BLOB, blobOf, client, closeServers, MANIFEST, serve } from "../../test/registry/server.ts";
import { digestOf } from "../base/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../spec/media-types.ts";

afterEach(closeServers);

const isPing = (request: IncomingMessage) => request.url === "/v2/";

function sendManifest(response: ServerResponse, headers: Record<string, string> = {}): void {
  response.writeHead(200, { "content-type": OCI_MANIFEST, ...headers }).end(MANIFEST);
}

describe("a manifest", () => {
  test("is verified against the digest asked for and the one announced", async () => {
    const wrong = `sha256:${"1".repeat(64)}`;
    const honest = await serve((_, response) => sendManifest(response));
    expect(await client(honest.host).manifest("v1")).toMatchObject({
      digest: digestOf(MANIFEST),
      bytes: MANIFEST,
    });
    await expect(client(honest.host).manifest(wrong)).rejects.toThrow(
      "manifest verification failed for digest",
    );
    const lying = await serve((_, response) => sendManifest(response, { "docker-content-digest": wrong }));
    await expect(client(lying.host).manifest("v1")).rejects.toThrow(
      `verification failed for digest ${wrong}`,
    );
    expect((await client(lying.host).manifest(digestOf(MANIFEST))).digest).toBe(digestOf(MANIFEST));
  });

  test("of another kind, of no kind and without an end is refused", async () => {
    const types = ["text/html", "application/vnd.oci.image.config.v1+json", ""];
    for (const type of types) {
      const { host } = await serve((_, response) => sendManifest(response, { "content-type": type }));
      await expect(client(host).manifest("v1")).rejects.toMatchObject({ code: "unsupported" });
    }
    const endless = await serve((request, response) => {
      if (isPing(request)) return void response.end();
      response.writeHead(200, { "content-type": OCI_MANIFEST });
      const more = () => {
        while (response.write(Buffer.alloc(1 << 16)));
      };
      response.on("drain", more);
      more();
    });
    await expect(client(endless.host).manifest("v1")).rejects.toThrow("is larger than 4194304 bytes");
  });

  test("is not decompressed: a bomb stays small, and has another digest", async () => {
    const bomb = gzipSync(Buffer.alloc(1 << 24));
    const { host } = await serve((_, response) =>
      response.writeHead(200, { "content-type": OCI_MANIFEST, "content-encoding": "gzip" }).end(bomb),
    );
    expect((await client(host).manifest("v1")).digest).toBe(digestOf(bomb));
  });
});

describe("credentials", () => {
  test("go to the origin that asks for them, not along with a redirect", async () => {
    const storage = await serve((_, response) => response.end(BLOB));
    const registry = await serve((request, response) => {
      if (request.headers.authorization !== BASIC)
        response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      else response.writeHead(307, { location: `http://${storage.host}/blob?key=1` }).end();
    });
    expect((await blobOf(client(registry.host))).equals(BLOB)).toBe(true);
    expect(storage.log).toEqual(["GET /blob?key=1 -"]);
    expect(registry.log.at(-1)).toEndWith(BASIC);
  });

  test("are not given to a host that a redirect leads to, even if it asks", async () => {
    const evil = await serve((_, response) =>
      response.writeHead(401, { "www-authenticate": 'Basic realm="give me"' }).end(),
    );
    const registry = await serve((request, response) =>
      isPing(request) ? response.end() : response.writeHead(302, { location: `http://${evil.host}/x` }).end(),
    );
    await expect(blobOf(client(registry.host))).rejects.toMatchObject({ code: "denied" });
    expect(evil.log.filter((line) => !line.endsWith(" -"))).toEqual([]);
  });

  test.each(["http://tokens.example.com/token", "ftp://127.0.0.1/", "not a url", "http://u:p@127.0.0.1/"])(
    "are not sent to the token server %s",
    async (realm) => {
      const { host } = await serve((request, response) =>
        isPing(request)
          ? response.end()
          : response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}"` }).end(),
      );
      await expect(client(host).manifest("v1")).rejects.toThrow(/token server/);
    },
  );

  test("one token serves all requests, and one new one when it has expired", async () => {
    let valid = 0;
    const tokens = await serve((_, response) => response.end(JSON.stringify({ token: `t${++valid}` })));
    const registry = await serve((request, response) => {
      if (isPing(request)) response.end();
      else if (request.headers.authorization !== `Bearer t${valid}` || valid === 0)
        response
          .writeHead(401, { "www-authenticate": `Bearer realm="http://${tokens.host}/t?x=1",service="s"` })
          .end();
      else response.end(BLOB);
    });
    const source = client(registry.host);
    await Promise.all([1, 2, 3].map(() => blobOf(source)));
    expect(tokens.log).toEqual([
      `GET /t?x=1&service=s&scope=repository%3Aa%2Fb%3Apull&account=alice ${BASIC}`,
    ]);
    valid = 7;
    await Promise.all([1, 2, 3].map(() => blobOf(source)));
    expect(tokens.log.length).toBe(2);
  });

  test("a registry that is never content is left alone", async () => {
    const { host, log } = await serve((_, response) =>
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end(),
    );
    await expect(client(host).manifest("v1")).rejects.toMatchObject({ code: "denied" });
    expect(log.length).toBeLessThan(5);
  });
});

describe("failures", () => {
  test.each([
    [429, "toomanyrequests", 3],
    [503, "status 503", 3],
    [403, "pull access denied", 1],
    [404, "not found", 1],
  ])("status %d", async (status, message, requests) => {
    const { host, log } = await serve((request, response) =>
      isPing(request) ? response.end() : response.writeHead(status, { "retry-after": "1000000000" }).end(),
    );
    await expect(client(host).manifest("v1")).rejects.toThrow(message);
    expect(log.filter((line) => !line.includes("/v2/ ")).length).toBe(requests);
  });

  test("the registry's own words are shown, and cut", async () => {
    const fault = { code: "MANIFEST_UNKNOWN", message: "x".repeat(5000) };
    const { host } = await serve((_, response) =>
      response.writeHead(404).end(JSON.stringify({ errors: [fault] })),
    );
    const error = await client(host)
      .manifest("v1")
      .catch((thrown: Error) => thrown);
    expect((error as Error).message).toStartWith(`manifest for ${host}/a/b not found: manifest unknown: xxx`);
    expect((error as Error).message.length).toBeLessThan(1200);
  });

  test("redirects in circles, into files and to nowhere end", async () => {
    for (const location of ["/v2/again", "file:///etc/passwd", "http://"]) {
      const { host, log } = await serve((request, response) =>
        isPing(request) ? response.end() : response.writeHead(302, { location }).end(),
      );
      await expect(client(host).manifest("v1")).rejects.toThrow(/redirect/);
      expect(log.length).toBeLessThan(14);
    }
  });

  test("a transfer that breaks off is continued, also where the server knows no ranges", async () => {
    for (const ranges of [true, false]) {
      let count = 0;
      const { host } = await serve((request, response) => {
        if (isPing(request)) return void response.end();
        const start = ranges ? Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0) : 0;
        const headers = { "content-range": `bytes ${start}-${BLOB.length - 1}/${BLOB.length}` };
        const rest = BLOB.subarray(start);
        response.writeHead(start > 0 ? 206 : 200, {
          ...(start > 0 ? headers : {}),
          "content-length": rest.length,
        });
        if (++count > 2) response.end(rest);
        else response.write(rest.subarray(0, 4000), () => setTimeout(() => response.destroy(), 20));
      });
      expect((await blobOf(client(host))).equals(BLOB)).toBe(true);
      expect(count).toBe(3);
    }
  });

  test("another part than the one asked for is not taken", async () => {
    const { host } = await serve((request, response) => {
      if (isPing(request)) return void response.end();
      if (request.headers.range !== undefined)
        return void response.writeHead(206, { "content-range": "bytes 0-1/10000" }).end("xx");
      response.writeHead(200, { "content-length": BLOB.length });
      response.write(BLOB.subarray(0, 4000), () => setTimeout(() => response.destroy(), 20));
    });
    await expect(blobOf(client(host))).rejects.toThrow("sent another part");
  });

  test("an interrupt ends a request that nobody answers, and a body that does not go on", async () => {
    for (const start of [false, true]) {
      const controller = new AbortController();
      const { host } = await serve((request, response) => {
        if (isPing(request)) return void response.end();
        if (start) response.writeHead(200, { "content-length": BLOB.length }).write("x");
        setTimeout(() => controller.abort(), 50);
      });
      await expect(blobOf(client(host, controller.signal))).rejects.toMatchObject({ code: "interrupted" });
    }
  });
});

describe("referrers", () => {
  const subject = digestOf(MANIFEST);
  const entry = (letter: string) => ({
    mediaType: OCI_MANIFEST,
    digest: `sha256:${letter.repeat(64)}`,
    size: 7,
    artifactType: "text/signature",
  });
  const index = (...letters: string[]) =>
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: letters.map(entry) });

  test("page after page", async () => {
    const { host, log } = await serve((request, response) => {
      if (isPing(request)) return void response.end();
      response.setHeader("content-type", OCI_INDEX);
      if (request.url?.endsWith("?more") === true) return void response.end(index("2"));
      response.setHeader("link", `<${request.url}?more>; rel="next"`).end(index("1"));
    });
    expect((await client(host).referrers(subject)).map(({ digest }) => digest[7])).toEqual(["1", "2"]);
    expect(log.at(-1)).toBe(`GET /v2/a/b/referrers/${subject}?more -`);
  });
  test("by the tag schema where the registry knows of no others, and none where there is no such tag", async () => {
    const answering = (isThere: boolean) =>
      serve((request, response) => {
        const isTag = request.url === `/v2/a/b/manifests/${subject.replace(":", "-")}`;
        if (isTag && isThere) response.writeHead(200, { "content-type": OCI_INDEX }).end(index("3"));
        else response.writeHead(isPing(request) ? 200 : 404).end("{}");
      });
    expect(await client((await answering(true)).host).referrers(subject)).toMatchObject([entry("3")]);
    expect(await client((await answering(false)).host).referrers(subject)).toEqual([]);
  });
  test("something else is refused", async () => {
    const { host } = await serve((_, response) =>
      response.writeHead(200, { "content-type": OCI_INDEX }).end('{"manifests": 1}'),
    );
    await expect(client(host).referrers(subject)).rejects.toMatchObject({ code: "corrupt" });
  });
});
