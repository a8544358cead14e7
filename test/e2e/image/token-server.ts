/**
 * A token server for docker-registry's `auth.token` (distribution spec, "Token Authentication"). Prints a line
 * for each request. Users: alice with the password "secret" or the refresh token "refresh-alice" may pull
 * and push everything; others may pull what begins with "public/".
 *   token-server.ts PORT KEY CERTIFICATE
 */
import { sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";

const [port, keyPath, certificatePath] = process.argv.slice(2) as [string, string, string];
const key = readFileSync(keyPath);
const certificate = new X509Certificate(readFileSync(certificatePath));

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function token(access: object[], service: string): string {
  const now = Math.floor(Date.now() / 1000);
  const header = { typ: "JWT", alg: "RS256", x5c: [certificate.raw.toString("base64")] };
  const claims = {
    iss: "bocker-test",
    sub: "",
    aud: service,
    exp: now + 60,
    nbf: now - 10,
    iat: now,
    jti: `${Math.random()}`,
    access,
  };
  const payload = `${encoded(header)}.${encoded(claims)}`;
  return `${payload}.${sign("sha256", Buffer.from(payload), key).toString("base64url")}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const part of request) body += part;
  return body;
}

createServer(async (request, response) => {
  const url = new URL(request.url ?? "/", "http://token");
  const fields = request.method === "POST" ? new URLSearchParams(await bodyOf(request)) : url.searchParams;
  const authorization = request.headers.authorization ?? "";
  console.log(`${request.method} scope=${fields.get("scope")} authorization=${authorization.split(" ")[0]}`);
  const isAlice =
    authorization === `Basic ${Buffer.from("alice:secret").toString("base64")}` ||
    fields.get("refresh_token") === "refresh-alice";
  if ((authorization !== "" || fields.has("refresh_token")) && !isAlice) {
    response
      .writeHead(401)
      .end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: "wrong password" }] }));
    return;
  }
  const [type, name = "", actions = ""] = (fields.get("scope") ?? "").split(":");
  const mayPull = isAlice || name.startsWith("public/");
  const access = mayPull ? [{ type, name, actions: isAlice ? actions.split(",") : ["pull"] }] : [];
  const made = token(access, fields.get("service") ?? "");
  response.end(JSON.stringify(fields.has("refresh_token") ? { access_token: made } : { token: made }));
}).listen(Number(port), "127.0.0.1", () => console.log("token server is up"));
