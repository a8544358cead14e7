import { expect, test } from "bun:test";
import { applyChanges } from "./changes.ts";

const BASE = { Env: ["PATH=/bin", "Q=1", "EMPTY="], WorkingDir: "/srv" };
const env = (change: string) => applyChanges(BASE, [change]).Env?.slice(3);

test.each([
  ["ENV A=b", ["A=b"]],
  ["ENV A=b C=d", ["A=b", "C=d"]],
  ["ENV A b c", ["A=b c"]],
  ["ENV A=/x:$PATH", ["A=/x:/bin"]],
  [`ENV A=\${Q}z`, ["A=1z"]],
  ["ENV A=$Q$NONE-", ["A=1-"]],
  [`ENV A=\${NONE:-x} B=\${Q:-x} C=\${EMPTY:-x}`, ["A=x", "B=1", "C=x"]],
  [`ENV A=\${NONE:+x} B=\${Q:+x}`, ["A=", "B=x"]],
  ["ENV A=\"$Q b\" B='$Q b' C=\\$Q", ["A=1 b", "B=$Q b", "C=$Q"]],
  ['ENV A="say \\"$Q\\" \\n"', ['A=say "1" \\n']],
  // All values of one instruction are those before it.
  ["ENV Z=2 A=$Z", ["Z=2", "A="]],
  ["ENV A $PATH:/y", ["A=/bin:/y"]],
])("%s", (change, added) => {
  expect(env(change)).toEqual(added);
});

test("one instruction after the other", () => {
  expect(applyChanges(BASE, ["ENV PATH=/x:$PATH", "ENV P=$PATH"]).Env).toEqual([
    "PATH=/x:/bin",
    "Q=1",
    "EMPTY=",
    "P=/x:/bin",
  ]);
});

test("the others know variables, too; commands leave them to the shell", () => {
  const changes = [
    "WORKDIR sub$Q",
    "USER u$Q",
    "EXPOSE 8$Q",
    "VOLUME /v$Q",
    'LABEL "a b"="c d" e=$Q',
    "STOPSIGNAL $Q",
    "CMD echo $Q",
  ];
  expect(applyChanges(BASE, changes)).toMatchObject({
    WorkingDir: "/srv/sub1",
    User: "u1",
    ExposedPorts: { "81/tcp": {} },
    Volumes: { "/v1": {} },
    Labels: { "a b": "c d", e: "1" },
    StopSignal: "1",
    Cmd: ["/bin/sh", "-c", "echo $Q"],
  });
});

test.each([
  ["RUN x", "run is not a valid change command"],
  ["", '"" is not a valid change command'],
  ["constructor x", "constructor is not a valid change command"],
  ["USER", "USER requires an argument"],
  ["ENV A", "ENV must have the form KEY=VALUE: A"],
  ["EXPOSE x", "Invalid containerPort: x"],
])("%j is refused", (change, message) => {
  expect(() => applyChanges(BASE, [change])).toThrow(message);
});
