/**
 * bocker's defaults, held to docker's without docker: the probe of scripts/compare-defaults says what a container
 * gets, docker.json what it got from docker on the machine where the two were compared.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { filledText } from "../../bench/report/document.ts";
import { describeDifference, explain } from "../../scripts/compare-defaults/compare.ts";
import { COMMAND, DOCUMENT, documentText } from "../../scripts/compare-defaults/document.ts";
import { changes, expectedOf, readKept } from "../../scripts/compare-defaults/kept.ts";
import { isPortable, machineOfFacts } from "../../scripts/compare-defaults/machine.ts";
import {
  collect,
  compileProbe,
  fillRoot,
  IMAGE,
  scenarios,
} from "../../scripts/compare-defaults/scenarios.ts";
import { Sandbox } from "../e2e/sandbox.ts";

const kept = readKept();
/** Elsewhere only what no machine decides is compared, and of no container that is given all that the machine has. */
const isSameMachine = Bun.deepEquals(machineOfFacts(), kept.machine);
const isGivenAll = (name: string) => /privileged|--cap-add ALL/.test(name.replace("no-new-privileges", ""));
if (!isSameMachine) console.log("not the machine of docker.json: compared is what does not depend on it");

describe("what is kept", () => {
  test("every difference has a reason, and every reason a difference", () => {
    const { unexplained, idle } = explain(kept.differences);
    expect(unexplained.map(describeDifference)).toEqual([]);
    expect(idle.map(({ facts }) => facts)).toEqual([]);
  });

  test("docs/security.md shows it", () => {
    expect(filledText(DOCUMENT, COMMAND)).toBe(documentText(kept));
  });

  test("all containers that are compared now are there", () => {
    expect([...kept.docker.keys()]).toEqual(scenarios("").map(({ name }) => name));
  });
});

describe.skipIf(process.arch !== "x64")("a container's facts are docker's, but for the differences", () => {
  let sandbox: Sandbox;
  let probe: string;
  let given: string;
  beforeAll(() => {
    sandbox = new Sandbox();
    probe = join(sandbox.directory, "probe");
    given = join(sandbox.directory, "given");
    const image = join(sandbox.directory, "image");
    for (const path of [image, given]) mkdirSync(path);
    compileProbe(probe);
    fillRoot(image, probe);
    sandbox.ok(["import", image, IMAGE]);
  });
  afterAll(() => sandbox.remove());

  test.each(scenarios("").map(({ name }) => name))("%s", (name) => {
    const scenario = scenarios(given).find((each) => each.name === name)!;
    const side = {
      run: (words: string[]) => sandbox.ok(words),
      bytesOf: ([program = "", ...rest]: string[]) => execFileSync(program, rest),
    };
    const facts = collect(side, scenario, probe, sandbox.directory);
    const isCompared = (fact: string) => isSameMachine || (isPortable(fact) && !isGivenAll(name));
    const differences = [...changes(expectedOf(kept, name), facts)]
      .filter(([fact]) => isCompared(fact))
      .map(([fact, value]) => `${fact.replace("\t", " ")}: ${value ?? "(none)"}`);
    expect(differences).toEqual([]);
    expect([...facts.keys()].filter(isPortable).length).toBeGreaterThan(100);
  });
});
