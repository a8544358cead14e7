import { expect, test } from "bun:test";
import { compileTemplate } from "./render.ts";

const DATA = {
  Id: "abc",
  Names: ["/a", "/b"],
  State: { Running: true, Pid: 7, Error: "" },
  Networks: { bridge: { IPAddress: "172.17.0.2" }, other: { IPAddress: "10.0.0.2" } },
  Labels: { "com.example/x": "1" },
  Nothing: null,
  Empty: [],
};

const CASES: [template: string, text: string][] = [
  ["{{.Id}}", "abc"],
  ["{{ .State.Pid }}/{{.State.Running}}", "7/true"],
  ["{{json .Names}}", '["/a","/b"]'],
  ["{{json .}}", JSON.stringify(DATA)],
  ["{{.Names}} {{.State}}", "[/a /b] map[Error: Pid:7 Running:true]"],
  ["{{range .Networks}}{{.IPAddress}} {{end}}", "172.17.0.2 10.0.0.2 "],
  ["{{range $k, $v := .Networks}}{{$k}}={{$v.IPAddress}};{{end}}", "bridge=172.17.0.2;other=10.0.0.2;"],
  ["{{range $i, $n := .Names}}{{$i}}{{$n}}{{$.Id}} {{end}}", "0/aabc 1/babc "],
  ["{{range .Empty}}x{{else}}none{{end}}", "none"],
  ["{{if .State.Running}}up{{else}}down{{end}}", "up"],
  ["{{if .State.Error}}bad{{else if eq .State.Pid 7}}seven{{else}}?{{end}}", "seven"],
  ["{{with .State}}{{.Pid}}{{end}}", "7"],
  ['{{index .Labels "com.example/x"}}', "1"],
  ["{{index .Names 1}}", "/b"],
  ["{{len .Names}} {{len .Id}}", "2 3"],
  ['{{join .Names ","}} {{upper .Id}} {{.Id | upper | lower}}', "/a,/b ABC abc"],
  ['{{printf "%s-%03d-%q" .Id .State.Pid .Id}}', 'abc-007-"abc"'],
  ["{{println .Id}}", "abc\n"],
  ["a {{- .Id -}} b", "aabcb"],
  ["{{/* nothing */}}{{$x := .Id}}{{$x}}", "abc"],
  ['{{(index .Networks "other").IPAddress}}', "10.0.0.2"],
  ["{{if and .State.Running (gt .State.Pid 3)}}yes{{end}}", "yes"],
  ["{{.Nothing}}", "<no value>"],
  ['{{"a}}b"}}', "a}}b"],
];

test.each(CASES)("%s", (template, text) => {
  expect(compileTemplate(template)(DATA)).toBe(text);
});

test.each([
  ["{{.Missing}}", "can't evaluate field Missing"],
  ["{{nope .Id}}", 'function "nope" not defined'],
  ["{{.Id", "unclosed action"],
  ["{{if .Id}}x", "unexpected EOF"],
  ["{{end}}", "unexpected {{end}}"],
  ["{{.__proto__}}", "can't evaluate field __proto__"],
  ["{{constructor}}", 'function "constructor" not defined'],
  ["{{index .Names 9}}", "out of range"],
  ['{{template "x"}}', "not supported yet"],
])("%s is refused", (template, message) => {
  expect(() => compileTemplate(template)(DATA)).toThrow(message);
});
