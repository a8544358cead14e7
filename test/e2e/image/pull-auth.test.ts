/** `bocker pull` from registries that want to know who asks, and that prove who they are. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY, type Result, Sandbox } from "../sandbox.ts";
import { type Image, imageOf, layerOf, tarOf } from "./layout.ts";
import { Registry, Service } from "./registry.ts";

/** An address that is not loopback's, so that plain http is out of the question. */
const ADDRESS = "10.99.0.1";

let sandbox: Sandbox;
let directory: string;
const services: { stop(): Promise<void> }[] = [];

beforeAll(() => {
  sandbox = new Sandbox();
  execFileSync("ip", ["-n", sandbox.netns, "addr", "add", `${ADDRESS}/32`, "dev", "lo"]);
  directory = mkdtempSync(join(sandbox.directory, "auth-"));
});
afterAll(async () => {
  for (const service of services) await service.stop();
  sandbox.remove();
});

function openssl(...words: string[]): void {
  execFileSync("openssl", words, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
}

function image(content: string): Image {
  return imageOf([layerOf(tarOf((at) => writeFileSync(join(at, "a"), content)))]);
}

/** A pull into an empty store, with these variables. */
function pull(reference: string, environment: Record<string, string> = {}): Result {
  const data = mkdtempSync(join(sandbox.directory, "data-"));
  const all = {
    BOCKER_DATA: data,
    BOCKER_CERTS_DIR: "/nonexistent",
    DOCKER_CONFIG: "/nonexistent",
    ...environment,
  };
  const settings = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  return sandbox.execute(["env", ...settings, BINARY, "pull", "-q", reference]);
}

/** A DOCKER_CONFIG directory with this entry for `host`. */
function dockerConfig(host: string, entry: object): string {
  const config = mkdtempSync(join(directory, "docker-"));
  writeFileSync(join(config, "config.json"), JSON.stringify({ auths: { [host]: entry } }));
  return config;
}

const auth = (credentials: string) => ({ auth: Buffer.from(credentials).toString("base64") });

describe("with Basic authentication", () => {
  let registry: Registry;
  beforeAll(async () => {
    const htpasswd = join(directory, "htpasswd");
    execFileSync("htpasswd", ["-Bbc", htpasswd, "alice", "secret"], { stdio: "ignore" });
    registry = await Registry.start(sandbox, "localhost:5001", {
      auth: { htpasswd: { realm: "test", path: htpasswd } },
    });
    services.push(registry);
    registry.push("a", image("basic"), "alice:secret");
  });

  test("the right password gets the image", () => {
    const config = dockerConfig(registry.host, auth("alice:secret"));
    expect(pull("localhost:5001/a", { DOCKER_CONFIG: config })).toMatchObject({
      code: 0,
      stdout: "localhost:5001/a:latest\n",
    });
  });

  test("none, a wrong one and one for another registry are denied", () => {
    const configs = [
      "/nonexistent",
      dockerConfig(registry.host, auth("alice:wrong")),
      dockerConfig("localhost:50010", auth("alice:secret")),
      dockerConfig("localhost", auth("alice:secret")),
    ];
    for (const config of configs) {
      const { code, stderr } = pull("localhost:5001/a", { DOCKER_CONFIG: config });
      expect(code).toBe(1);
      expect(stderr).toContain(
        "pull access denied for localhost:5001/a, repository does not exist or may require 'docker login': unauthorized: authentication required",
      );
    }
  });
});

describe("with tokens", () => {
  let registry: Registry;
  let tokens: Service;
  beforeAll(async () => {
    const certificate = join(directory, "token.crt");
    const key = join(directory, "token.key");
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      key,
      "-out",
      certificate,
      "-subj",
      "/CN=t",
    );
    const words = [process.execPath, join(import.meta.dirname, "token-server.ts"), "5010", key, certificate];
    tokens = await Service.start(sandbox, words, "token server is up");
    registry = await Registry.start(sandbox, "localhost:5002", {
      auth: {
        token: {
          realm: "http://127.0.0.1:5010/token",
          service: "test registry",
          issuer: "bocker-test",
          rootcertbundle: certificate,
        },
      },
    });
    services.push(tokens, registry);
    const config = dockerConfig(registry.host, auth("alice:secret"));
    const source = join(sandbox.directory, "skopeo");
    execFileSync("umoci", ["init", "--layout", source]);
    execFileSync("umoci", ["new", "--image", `${source}:latest`]);
    for (const name of ["public/a", "private/a"]) {
      const target = `docker://${registry.host}/${name}`;
      const copy = [
        "skopeo",
        "copy",
        "--insecure-policy",
        "--dest-tls-verify=false",
        `oci:${source}:latest`,
        target,
      ];
      const { code, stderr } = sandbox.execute(["env", `REGISTRY_AUTH_FILE=${config}/config.json`, ...copy]);
      if (code !== 0) throw new Error(stderr);
    }
  });

  test("an anonymous token is enough for what is public", () => {
    expect(pull("localhost:5002/public/a").code).toBe(0);
    expect(tokens.output).toContain("GET scope=repository:public/a:pull authorization=\n");
  });

  test("the token is fetched once for all requests", () => {
    const before = tokens.output.length;
    const config = dockerConfig(registry.host, auth("alice:secret"));
    expect(pull("localhost:5002/private/a", { DOCKER_CONFIG: config }).code).toBe(0);
    expect(tokens.output.slice(before)).toBe("GET scope=repository:private/a:pull authorization=Basic\n");
  });

  test("an identity token is exchanged for one", () => {
    const config = dockerConfig(registry.host, { ...auth("<token>:"), identitytoken: "refresh-alice" });
    expect(pull("localhost:5002/private/a", { DOCKER_CONFIG: config }).code).toBe(0);
    expect(tokens.output).toContain("POST scope=repository:private/a:pull");
  });

  test("what is not allowed is denied", () => {
    const denied =
      "Error: pull access denied for localhost:5002/private/a, repository does not exist or may require 'docker login'";
    expect(pull("localhost:5002/private/a").stderr).toStartWith(denied);
    const wrong = pull("localhost:5002/private/a", {
      DOCKER_CONFIG: dockerConfig(registry.host, auth("alice:wrong")),
    });
    expect(wrong.stderr).toBe(
      `${denied}: the token server 127.0.0.1:5010 refused: unauthorized: wrong password\n`,
    );
  });
});

describe("with TLS", () => {
  const host = `${ADDRESS}:5003`;
  beforeAll(async () => {
    openssl(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "ca.key",
      "-out",
      "ca.crt",
      "-subj",
      "/CN=ca",
    );
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "tls.key",
      "-out",
      "tls.csr",
      "-subj",
      "/CN=r",
    );
    writeFileSync(join(directory, "extensions"), `subjectAltName=IP:${ADDRESS}`);
    const files = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"];
    openssl("x509", "-req", "-in", "tls.csr", ...files, "-out", "tls.crt");
    const certificate = join(directory, "tls.crt");
    const secure = await Registry.start(sandbox, host, {
      tls: { certificate, key: join(directory, "tls.key") },
    });
    const plain = await Registry.start(sandbox, `${ADDRESS}:5004`);
    services.push(secure, plain);
    plain.push("a", image("plain"));
    const layout = join(sandbox.directory, "skopeo-tls");
    execFileSync("umoci", ["init", "--layout", layout]);
    execFileSync("umoci", ["new", "--image", `${layout}:latest`]);
    const copy = ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", `oci:${layout}:latest`];
    const { code, stderr } = sandbox.execute([...copy, `docker://${host}/a`]);
    if (code !== 0) throw new Error(stderr);
  });

  test("the CA of certs.d is trusted, for this registry", () => {
    const certificates = mkdtempSync(join(directory, "certs-"));
    for (const name of [host, "other:5003"]) mkdirSync(join(certificates, name));
    copyFileSync(join(directory, "ca.crt"), join(certificates, "other:5003", "ca.crt"));
    const before = pull(`${host}/a`, { BOCKER_CERTS_DIR: certificates });
    expect(before.code).toBe(1);
    expect(before.stderr).toStartWith(`Error: the certificate of ${host} is not trusted: `);
    expect(before.stderr).toContain(`/etc/docker/certs.d/${host}/ca.crt`);
    copyFileSync(join(directory, "ca.crt"), join(certificates, host, "ca.crt"));
    expect(pull(`${host}/a`, { BOCKER_CERTS_DIR: certificates })).toMatchObject({ code: 0, stderr: "" });
  });

  test("so are the CAs of SSL_CERT_FILE and NODE_EXTRA_CA_CERTS", () => {
    for (const variable of ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
      expect(pull(`${host}/a`, { [variable]: join(directory, "ca.crt") })).toMatchObject({
        code: 0,
        stderr: "",
      });
  });

  test("plain http is not spoken to another machine", () => {
    const { code, stderr } = pull(`${ADDRESS}:5004/a`);
    expect(code).toBe(1);
    expect(stderr).toContain(`${ADDRESS}:5004 does not answer in HTTPS`);
  });
});
