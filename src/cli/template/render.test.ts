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
  ['{{"\\x41\\u00e9\\a\\101"}}', "A\u00e9\x07A"],
  ['{{printf "%99999999999s" "a"}}', "%!(BADWIDTH)a"],
  ["{{slice .Id 1}} {{slice .Id 0 2}} {{slice .Names 1}} {{slice .Empty}}", "bc ab [/b] []"],
  ['{{$x := "a"}}{{if .Id}}{{$x = "b"}}{{end}}{{$x}}', "b"],
  ['{{$x := "a"}}{{range .Names}}{{$x = .}}{{end}}{{$x}}', "/b"],
  ['{{$x := "a"}}{{if .Id}}{{$x := "b"}}{{$x}}{{end}}{{$x}}', "ba"],
  ["{{$n := 0}}{{range $n = .Names}}{{$n}}{{end}}{{$n}}", "/a/b/b"],
  ["{{range 3}}{{.}}{{end}}{{range 0}}x{{else}}none{{end}}", "012none"],
  ['{{range $i, $n := .Names}}{{if eq $n "/b"}}{{break}}{{end}}{{$i}}{{$n}}{{end}}.', "0/a."],
  ['{{range .Names}}{{if eq . "/a"}}{{continue}}{{end}}{{.}}{{end}}', "/b"],
  ["{{range .Names}}{{range 5}}{{if .}}{{break}}{{end}}{{.}}{{end}}{{.}} {{end}}", "0/a 0/b "],
  ["{{range .Nothing}}x{{end}}", ""],
  ["{{index .Id 0}}", "97"],
  ["{{html `<a href='x'>&`}}", "&lt;a href=&#39;x&#39;&gt;&amp;"],
  ["{{js `it's <b>`}}", "it\\'s \\u003Cb\\u003E"],
  ["{{urlquery `a b/c&d~e'`}}", "a+b%2Fc%26d~e%27"],
];

test.each(CASES)("%s", (template, text) => {
  expect(compileTemplate(template)(DATA)).toBe(text);
});

test.each([
  ["%x|%X|%o|%b|%t|%c|%U", "255 255 8 5 true 65 65", "ff|FF|10|101|true|A|U+0041"],
  ["%x|%q|%v", '`az` `a"b` `c`', '617a|"a\\"b"|c'],
  ["%+d|%5d|%-5d|%05d|%05d|%#x", "5 5 5 5 -5 255", "+5|    5|5    |00005|-0005|0xff"],
  ["%5s|%-5s|%.2s|%05s", "`ab` `ab` `abc` `ab`", "   ab|ab   |ab|   ab"],
  ["%f|%.2f|%8.3f|%e|%g", "1.5 1.255 3.14159 1234.5 0.5", "1.500000|1.25|   3.142|1.234500e+03|0.5"],
  ["%q|%s|%d|%v", ".Names .Names .Numbers .Names", '["/a" "/b"]|[/a /b]|[1 2]|[/a /b]'],
  ["%T %T %T %T %T", "`a` 1 1.5 true .Names", "string int float64 bool []interface {}"],
  ["%#v|%+v|%v", "`a` .State .Nothing", '"a"|map[Error: Pid:7 Running:true]|<nil>'],
  ["100%%|%", "", "100%|%!(NOVERB)"],
  ["%d|%s|%t|%z", "`linux` 5 1 1", "%!d(string=linux)|%!s(int=5)|%!t(int=1)|%!z(int=1)"],
  ["%d %s", "1", "1 %!s(MISSING)"],
  ["x", "1 `a`", "x%!(EXTRA int=1, string=a)"],
])("printf %j of %s", (format, values, text) => {
  const data = { ...DATA, Numbers: [1, 2] };
  expect(compileTemplate(`{{printf ${JSON.stringify(format)} ${values}}}`)(data)).toBe(text);
});

test.each([
  ["{{.Missing}}", "can't evaluate field Missing"],
  ["{{nope .Id}}", 'template parsing error: template: :1: function "nope" not defined'],
  ["{{if false}}{{nope}}{{end}}", 'function "nope" not defined'],
  ["{{break}}", "{{break}} outside {{range}}"],
  ["{{$x = 1}}", 'undefined variable "$x"'],
  ["{{range .Id}}{{end}}", "range can't iterate over abc"],
  ["{{range 1000000000}}{{end}}", "range can't iterate over 1000000000"],
  ["{{slice .Id 2 1}}", "invalid slice index: 2 > 1"],
  ["{{slice .Id 9}}", "index out of range: 9"],
  ["{{slice .State 1}}", "can't slice item of type object"],
  ["{{index .Id 9}}", "index out of range: 9"],
  ["{{eq .Id 1}}", "incompatible types"],
  ["{{.Id", "unclosed action"],
  ["{{if .Id}}x", "unexpected EOF"],
  ["{{end}}", "unexpected {{end}}"],
  ["{{.__proto__}}", "can't evaluate field __proto__"],
  ["{{constructor}}", 'function "constructor" not defined'],
  ["{{index .Names 9}}", "out of range"],
  ['{{template "x"}}', "not supported yet"],
  // All of these were errors of JavaScript's once.
  ['{{"\\q"}}', "invalid syntax"],
  ["{{upper .Names}}", "wrong type for value; expected string"],
  ["{{upper}}", "wrong number of args for upper: want 1 got 0"],
  ['{{pad "a" 99999999999 1}}', "are no widths"],
  ["{{eq .Names .Names}}", "incompatible types"],
])("%s is refused", (template, message) => {
  expect(() => compileTemplate(template)(DATA)).toThrow(message);
});
