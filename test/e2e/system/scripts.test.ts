/** What scripts do that were written for docker: empty variables, templates of whatever may be there, exit codes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { busyboxSandbox } from "../busybox.ts";
import type { Sandbox } from "../sandbox.ts";

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = busyboxSandbox();
  sandbox.ok(["create", "--name", "plain", "busybox", "true"]);
  sandbox.ok(["create", "--name", "labelled", "-l", "a=b", "busybox", "true"]);
  sandbox.ok(["volume", "create", "--label", "c=d", "data"]);
  sandbox.ok(["volume", "create", "bare"]);
});
afterAll(() => sandbox.remove());

const formatted = (format: string, ...words: string[]) => sandbox.ok([...words, "-f", format]);

test("an image has every field of its configuration, said or not", () => {
  const image = (format: string) => formatted(format, "image", "inspect", "busybox");
  expect(image("{{.Config.User}}|{{.Config.WorkingDir}}|{{.Config.StopSignal}}|{{.Variant}}")).toBe("|||");
  expect(image("{{.Config.Labels}} {{.Config.Entrypoint}} {{.Config.Healthcheck}}")).toBe("map[] [] <nil>");
  expect(image("{{json .Config.Entrypoint}} {{len .Config.Env}}")).toBe("null 0");
  expect(image('{{index .Config.Labels "x"}}|{{if .Config.Labels}}yes{{else}}no{{end}}')).toBe("|no");
  expect(
    image("{{range .Config.Env}}{{.}}{{end}}{{range $k, $v := .Config.ExposedPorts}}{{$k}}{{end}}"),
  ).toBe("");
  // But what is not there is not shown as if it were.
  expect(JSON.parse(image("{{json .Config}}"))).toEqual(
    JSON.parse(sandbox.ok(["image", "inspect", "busybox"]))[0].Config,
  );
  expect(sandbox.bocker(["image", "inspect", "-f", "{{.Config.Nope}}", "busybox"]).code).toBe(1);
});

test("containers and volumes, too", () => {
  const health = "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}";
  expect(formatted(health, "inspect", "plain")).toBe("none");
  expect(formatted("{{.Labels}} {{.Options}}", "volume", "inspect", "bare")).toBe("map[] map[]");
  const nil =
    "{{json .Labels}} {{len .Labels}} {{range .Labels}}x{{else}}none{{end}} {{index .Labels `toJSON`}}|";
  expect(formatted(nil, "volume", "inspect", "bare")).toBe("null 0 none |");
  expect(formatted("{{.}}", "volume", "inspect", "bare")).toContain("Labels:map[] ");
  expect(formatted("{{.Labels.c}} {{.Labels.zzz}}", "volume", "inspect", "data")).toBe("d <no value>");
  expect(formatted("{{.Name}}", "inspect", "--type", "volume", "data")).toBe("data");
  expect(formatted("{{.Name}}", "inspect", "plain", "data")).toBe("/plain\ndata");
  expect(formatted("{{.CreatedAt}}", "volume", "inspect", "data")).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  );
  expect(sandbox.bocker(["inspect", "--type", "nope", "plain"]).stderr).toContain(
    'unknown type: "nope": must be one of "container", "image", "volume"',
  );
});

test("version and info: by Go's names and by JSON's", () => {
  const version = (format: string) => formatted(format, "version");
  const api = version("{{.Client.APIVersion}}");
  expect(api).toMatch(/^1\.\d+$/);
  const names =
    "{{.Client.ApiVersion}} {{.Client.DefaultAPIVersion}} {{.Server.APIVersion}} {{.Server.ApiVersion}}";
  expect(version(names)).toBe(Array(4).fill(api).join(" "));
  expect(version("{{.Client.Platform}} {{.Client.GitCommit}}|{{.Client.Context}}")).toBe("<nil> |default");
  expect(version("{{(index .Server.Components 0).Name}} {{.Server.Experimental}}")).toBe("Engine false");
  expect(Object.keys(JSON.parse(version("json")).Client)).not.toContain("APIVersion");
  const info = (format: string) => formatted(format, "info");
  expect(info("{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Nodes}}")).toBe(
    "inactive false 0",
  );
  expect(
    info("{{.ClientInfo.Debug}} {{.ClientInfo.Context}} {{.ClientInfo.Plugins}}{{.ClientInfo.Warnings}}"),
  ).toBe("false default [][]");
  expect(info("{{.CPUCfsQuota}} {{.SwapLimit}} {{.HTTPProxy}}|{{len .Warnings}}")).toMatch(
    /^(true|false) false \|0$/,
  );
  expect(JSON.parse(info("{{json .Swarm}}"))).toEqual(JSON.parse(info("json")).Swarm);
  expect(JSON.parse(info("{{json .ClientInfo}}"))).toEqual(JSON.parse(info("json")).ClientInfo);
  expect(JSON.parse(info("json"))).toMatchObject({ Swarm: { RemoteManagers: null }, Warnings: null });
  const inspected = formatted("{{.ID}} {{.Id}} {{.HostConfig.NanoCPUs}}", "inspect", "plain").split(" ");
  expect(inspected).toEqual([inspected[1]!, expect.stringMatching(/^[0-9a-f]{64}$/), "0"]);
});

test("commit --change: HEALTHCHECK and ONBUILD are in the image", () => {
  const changes = ["HEALTHCHECK --interval=5m CMD true", "ONBUILD RUN a", "ONBUILD COPY . /b"];
  sandbox.ok(["commit", ...changes.flatMap((change) => ["--change", change]), "plain", "watched"]);
  const image = (format: string) => formatted(format, "image", "inspect", "watched");
  expect(image("{{json .Config.Healthcheck}} {{.Config.Healthcheck.Retries}} {{.Config.OnBuild}}")).toBe(
    '{"Test":["CMD-SHELL","true"],"Interval":300000000000} 0 [RUN a COPY . /b]',
  );
});

test('{{.Label "key"}} of what is listed', () => {
  const ps = (format: string) => sandbox.ok(["ps", "-a", "--format", format]);
  expect(ps('{{.Names}}={{.Label "a"}}')).toBe("labelled=b\nplain=");
  expect(
    ps('table {{.Names}}\t{{.Label "a"}}')
      .split("\n")
      .map((line) => line.split(/ +/)),
  ).toEqual([
    ["NAMES", "a"],
    ["labelled", "b"],
    ["plain", ""],
  ]);
  expect(sandbox.ok(["volume", "ls", "--format", '{{.Name}}={{.Label "c"}}'])).toBe("bare=\ndata=d");
  // It is a method, no field: it wants its argument, and is not shown with the rest.
  for (const format of ["{{.Label}}", '{{printf "%v" .Label}}', '{{.Label "a" "b"}}'])
    expect(sandbox.bocker(["ps", "-a", "--format", format])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("wrong number of args: want 1"),
    });
  expect(ps("{{.}}{{range $k, $v := .}}{{$k}}{{end}}")).not.toMatch(/Label[^s]/);
});

test("an empty variable is none: formats, filters, outputs, names", () => {
  for (const words of [
    ["inspect", "plain"],
    ["image", "inspect", "busybox"],
    ["volume", "inspect", "data"],
    ["version"],
    ["info"],
  ])
    expect(formatted("", ...words)).toBe(sandbox.ok(words));
  for (const command of [["ps"], ["images"], ["volume", "ls"]])
    expect(sandbox.bocker([...command, "--filter", ""])).toMatchObject({ code: 0, stderr: "" });
  const size = (words: string[]) => {
    const script = 'cd "$1"; shift; "$@" | wc -c';
    return Number(
      sandbox.execute(["sh", "-c", script, "sh", sandbox.directory, sandbox.binary, ...words]).stdout,
    );
  };
  expect(size(["save", "-o", "", "busybox"])).toBeGreaterThan(1_000_000);
  expect(size(["export", "-o", "", "plain"])).toBeGreaterThan(1_000_000);
  const name = sandbox.ok(["volume", "create", ""]);
  expect(name).toMatch(/^[0-9a-f]{64}$/);
  sandbox.ok(["volume", "rm", name]);
  expect(sandbox.bocker(["login", "-u", "", "-p", "x", "127.0.0.1:1"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("username is empty"),
  });
});

test("what is wrong has docker's exit code", () => {
  const refused = (words: string[], code: number, message: string) => {
    const result = sandbox.bocker(words);
    expect([words, result.code]).toEqual([words, code]);
    expect(result.stderr).toContain(message);
  };
  refused(["run"], 1, "'bocker run' requires at least 1 argument");
  refused(["tag", "x"], 1, "'bocker tag' requires 2 arguments");
  refused(["ps", "x"], 1, "'bocker ps' accepts no arguments");
  refused(["images", "a", "b"], 1, "'bocker images' requires at most 1 argument");
  refused(["ps", "--nope"], 125, "unknown flag: --nope");
  refused(["ps", "-f", "x"], 125, 'invalid argument "x" for "--filter" flag');
  refused(["volume", "create", "--label", "=x"], 125, "invalid label '=x': empty name");
  refused(["volume", "create", "a"], 1, "volume name is too short");
  refused(["push", "-a", "busybox:1"], 1, "tag can't be used with --all-tags/-a");
  refused(["push", "busybox:9"], 1, "tag does not exist: busybox:9");
  refused(["save", "-o", join(sandbox.directory, "none/x.tar"), "busybox"], 1, "does not exist");
  refused(["volume", "rm", "nope"], 1, "no such volume");
  expect(sandbox.bocker(["volume", "rm", "-f", "nope"])).toEqual({ code: 0, stdout: "nope\n", stderr: "" });
  expect(sandbox.ok(["volume", "list", "-q"])).toBe("bare\ndata");
  expect(sandbox.ok(["volume", "remove", "bare"])).toBe("bare");
});

test("a directory with bocker's own data in it is no image", () => {
  const inner = join(sandbox.directory, "inner");
  mkdirSync(inner);
  for (const path of [sandbox.directory, sandbox.data, "/"])
    expect(sandbox.bocker(["import", path]).stderr).toContain(`${path} has bocker's own data in it`);
  sandbox.ok(["import", inner, "empty"]);
  expect(sandbox.bocker(["system", "check"]).stdout).toBe("Nothing found.\n");
});

test("what is committed of a container runs as it does, volumes included, and says no more than that", () => {
  sandbox.ok(["commit", "plain", "bare:1"]);
  expect(JSON.parse(formatted("{{json .Config}}", "image", "inspect", "bare:1"))).toEqual({ Cmd: ["true"] });
  sandbox.ok(["commit", "-c", "VOLUME /declared", "-c", "STOPSIGNAL SIGINT", "plain", "declared:1"]);
  sandbox.ok(["create", "--name", "of-it", "-v", "/own", "-v", "data:/named", "declared:1"]);
  sandbox.ok(["commit", "-c", "ENV A=1", "-c", `ENV A=\${A}2`, "of-it", "declared:2"]);
  expect(JSON.parse(formatted("{{json .Config}}", "image", "inspect", "declared:2"))).toEqual({
    Env: ["A=12"],
    Cmd: ["true"],
    Volumes: { "/declared": {}, "/own": {} },
    StopSignal: "SIGINT",
  });
});
