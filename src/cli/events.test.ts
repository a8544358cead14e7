import { expect, test } from "bun:test";
import type { EventMessage } from "../engine/events.ts";
import { EVENT_FILTERS, matchesEvent } from "./event-filter.ts";
import { eventText, localTime, templateData } from "./events.ts";
import { parseFilters } from "./filters.ts";
import { compileTemplate } from "./template/render.ts";

const ID = "0123456789ab".padEnd(64, "f");
const TIME = 1_790_000_000_000_000_001n;
const start: EventMessage = {
  type: "container",
  action: "start",
  id: ID,
  attributes: { name: "web", image: "localhost:5000/a/b:1", "com.example": "x=y" },
  time: TIME,
};
const exec = { ...start, action: "exec_start: sh -c ls" };
const tag: EventMessage = {
  type: "image",
  action: "tag",
  id: `sha256:${ID}`,
  attributes: { name: "nginx:1.2" },
  time: TIME,
};
const connect: EventMessage = {
  type: "network",
  action: "connect",
  id: "bridge",
  attributes: { container: ID, name: "bridge", type: "bridge" },
  time: TIME,
};
const mount: EventMessage = {
  type: "volume",
  action: "mount",
  id: "data",
  attributes: { container: ID },
  time: TIME,
};
const NAMES = new Map([
  [start, "start"],
  [exec, "exec"],
  [tag, "tag"],
  [connect, "connect"],
  [mount, "mount"],
]);

const CASES: [filters: string[], passed: string][] = [
  [[], "start exec tag connect mount"],
  [["type=container"], "start exec"],
  [["type=container", "type=volume"], "start exec mount"],
  [["event=start"], "start"],
  [["event=sta"], ""],
  [["event=exec_start"], "exec"],
  [["event=exec_start: sh -c ls"], "exec"],
  [["event=exec_start", "event=tag"], "exec tag"],
  [["container=web"], "start exec"],
  [["container=0123"], "start exec"],
  [["container=we", "container=other"], "start exec"],
  [["container=eb"], ""],
  [["volume=data"], "mount"],
  [["network=bridge"], "connect"],
  [["image=localhost:5000/a/b:1"], "start exec"],
  [["image=localhost:5000/a/b"], "start exec"],
  [["image=nginx"], "tag"],
  [["image=nginx:1.2"], "tag"],
  [["image=ngin"], ""],
  [[`image=sha256:${ID}`], "tag"],
  [["label=com.example"], "start exec"],
  [["label=com.example=x=y"], "start exec"],
  [["label=com.example=x"], ""],
  [["label=com.example", "label=name=web"], "start exec"],
  [["label=com.example", "label=other"], ""],
  [["scope=local"], "start exec tag connect mount"],
  [["scope=swarm"], ""],
  [["daemon=x"], ""],
  [["type=container", "event=tag"], ""],
];

test.each(CASES)("--filter %j", (filters, passed) => {
  const parsed = parseFilters(filters, EVENT_FILTERS);
  const found = [...NAMES].flatMap(([message, name]) => (matchesEvent(parsed, message) ? [name] : []));
  expect(found.join(" ")).toBe(passed);
});

test("an unknown filter is refused", () => {
  expect(() => parseFilters(["node=x"], EVENT_FILTERS)).toThrow("invalid filter 'node'");
});

test("Docker's line", () => {
  const time = localTime(TIME);
  expect(eventText(start)).toBe(
    `${time} container start ${ID} (com.example=x=y, image=localhost:5000/a/b:1, name=web)`,
  );
  expect(eventText({ ...mount, id: "", attributes: {} })).toBe(`${time} volume mount `);
  expect(Date.parse(time)).toBe(1_790_000_000_000);
  expect(time).toMatch(/^2026-09-\d\dT\d\d:\d\d:\d\d\.000000001(Z|[+-]\d\d:\d\d)$/);
});

test("json as the API has it", () => {
  const json = compileTemplate("{{json .}}");
  expect(json(templateData(start))).toBe(
    `{"status":"start","id":"${ID}","from":"localhost:5000/a/b:1","Type":"container","Action":"start","Actor":{"ID":"${ID}","Attributes":{"com.example":"x=y","image":"localhost:5000/a/b:1","name":"web"}},"scope":"local","time":1790000000,"timeNano":1790000000000000001}`,
  );
  expect(json(templateData(connect))).toStartWith(
    '{"Type":"network","Action":"connect","Actor":{"ID":"bridge"',
  );
  expect(json(templateData(tag))).toStartWith(`{"status":"tag","id":"sha256:${ID}","Type":"image"`);
});

test("templates by Go's names", () => {
  const render = (template: string) => compileTemplate(template)(templateData(start));
  expect(render("{{.Type}} {{.Action}} {{.Actor.ID}} {{.Scope}} {{.Time}} {{.TimeNano}}")).toBe(
    `container start ${ID} local 1790000000 1790000000000000001`,
  );
  expect(render('{{.ID}} {{.Status}} {{.From}} {{index .Actor.Attributes "name"}}')).toBe(
    `${ID} start localhost:5000/a/b:1 web`,
  );
  expect(render("{{.Actor.Attributes.name}} {{.Actor.Attributes.other}}")).toBe("web <no value>");
  expect(() => render("{{.Nothing}}")).toThrow("Nothing");
});
