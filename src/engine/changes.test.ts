import { expect, test } from "bun:test";
import type { HealthcheckConfig } from "../spec/image-config.ts";
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

test.each<[string, HealthcheckConfig]>([
  ["HEALTHCHECK CMD curl -f $URL || exit 1", { Test: ["CMD-SHELL", "curl -f $URL || exit 1"] }],
  ['healthcheck cmd ["/check", "-x"]', { Test: ["CMD", "/check", "-x"] }],
  ["HEALTHCHECK none", { Test: ["NONE"] }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period="2s" --start-interval=1ms --retries=3 CMD x --y',
    {
      Test: ["CMD-SHELL", "x --y"],
      Interval: 90e9,
      Timeout: 15e8,
      StartPeriod: 2e9,
      StartInterval: 1e6,
      Retries: 3,
    },
  ],
  ["HEALTHCHECK --interval=0 --timeout=0s --retries=0 -- CMD x", { Test: ["CMD-SHELL", "x"] }],
])("%s", (change, healthcheck) => {
  expect(applyChanges({ Healthcheck: { Test: ["CMD", "old"], Retries: 9 } }, [change]).Healthcheck).toEqual(
    healthcheck,
  );
});

test("ONBUILD adds to what is there; commands are for the image's shell", () => {
  const base = { OnBuild: ["RUN a"], Shell: ["/bin/bash", "-ec"] };
  expect(
    applyChanges(base, ["ONBUILD COPY . /app", "onbuild  run  x  $y", "CMD x", 'ENTRYPOINT ["y"]']),
  ).toMatchObject({
    OnBuild: ["RUN a", "COPY . /app", "run  x  $y"],
    Entrypoint: ["y"],
  });
  expect(applyChanges(base, ["CMD x"]).Cmd).toEqual(["/bin/bash", "-ec", "x"]);
});

test.each([
  ["RUN x", "run is not a valid change command"],
  ["", '"" is not a valid change command'],
  ["constructor x", "constructor is not a valid change command"],
  ["USER", "USER requires exactly one argument"],
  ["HEALTHCHECK", "HEALTHCHECK requires at least one argument"],
  ["HEALTHCHECK --interval=1s", "HEALTHCHECK requires at least one argument"],
  ["HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"],
  ["HEALTHCHECK RUN x", 'Unknown type "RUN" in HEALTHCHECK (try CMD)'],
  ["HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"],
  ["HEALTHCHECK CMD []", "Missing command after HEALTHCHECK CMD"],
  ["HEALTHCHECK --interval=1us CMD x", 'Interval "interval" cannot be less than 1ms'],
  ["HEALTHCHECK --timeout=-5s CMD x", 'Interval "timeout" cannot be less than 1ms'],
  ["HEALTHCHECK --timeout=5 CMD x", 'time: missing unit in duration "5"'],
  ["HEALTHCHECK --start-period=soon CMD x", 'time: invalid duration "soon"'],
  ["HEALTHCHECK --start-interval=9999999h CMD x", 'time: invalid duration "9999999h"'],
  ["HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)"],
  ["HEALTHCHECK --retries=x CMD x", 'strconv.ParseInt: parsing "x": invalid syntax'],
  ["HEALTHCHECK --retries=3000000000 CMD x", "value out of range"],
  ["HEALTHCHECK --retry=1 CMD x", "unknown flag: retry"],
  ["HEALTHCHECK --retries CMD x", "missing a value on flag: retries"],
  ["HEALTHCHECK --retries=1 --retries=2 CMD x", "duplicate flag specified: retries"],
  ["ONBUILD", "ONBUILD requires at least one argument"],
  ["ONBUILD onbuild RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ["ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger"],
  ["onbuild MAINTAINER x", "MAINTAINER isn't allowed as an ONBUILD trigger"],
  ["ENV A", "ENV must have the form KEY=VALUE: A"],
  ["EXPOSE x", "Invalid containerPort: x"],
])("%j is refused", (change, message) => {
  expect(() => applyChanges(BASE, [change])).toThrow(message);
});
