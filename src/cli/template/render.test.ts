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
  // Templates by name: what they are given is . and $, and all they see.
  [
    '{{define "x"}}[{{.}} {{$}}]{{end}}{{template "x" .Id}}{{template "x"}}',
    "[abc abc][<no value> <no value>]",
  ],
  ["{{template `x` .State}}{{define `x`}}{{with .Pid}}{{.}}/{{$.Pid}}{{end}}{{end}}", "7/7"],
  ['{{range .Names}}{{block "x" .}}<{{.}}>{{end}}{{end}}{{template "x" 4}}', "</a></b><4>"],
  [
    '{{define "x"}}{{if .}}{{index . 0}} {{template "x" (slice . 1)}}{{end}}{{end}}{{template "x" .Names}}',
    "/a /b ",
  ],
  ['{{template "x" $y := 2}}{{$y}}{{define "x"}}{{.}}{{end}}', "22"],
  ['{{define "x"}} {{end}}{{define "x"}}a{{end}}{{define "x"}}{{end}}{{template "x"}}', "a"],
  ['{{range .Names}}{{template "x"}}{{end}}{{define "x"}}{{range 3}}{{break}}{{end}}b{{end}}', "bb"],
  ["{{/* it's \"a}} */}}{{- /* }} */ -}} b", "b"],
  ["{{if and .Nothing .Nothing.Status}}x{{else}}no{{end}}{{or .Id (eq 1 `a`)}}", "noabc"],
  // Numbers and characters.
  [
    "{{0x1F}} {{0X_ff}} {{0b101}} {{0o17}} {{017}} {{1_000}} {{+1}} {{-3}} {{-0x10}} {{0}} {{-0}}",
    "31 255 5 15 15 1000 1 -3 -16 0 0",
  ],
  [
    "{{1.0}} {{.5}} {{+.5e1}} {{1e3}} {{1e6}} {{123456789.0}} {{0x1p4}} {{0x.8p1}} {{1_0.5}}",
    "1 0.5 5 1000 1e+06 1.23456789e+08 16 1 10.5",
  ],
  [
    "{{0.0001}} {{0.00001}} {{1.5e-7}} {{1e21}} {{-0.0}} {{1234567.5}}",
    "0.0001 1e-05 1.5e-07 1e+21 -0 1.2345675e+06",
  ],
  [
    `{{'a'}} {{'\\''}} {{'"'}} {{'\\n'}} {{'\\x41'}} {{'\\101'}} {{'\\u00e9'}} {{'😀'}} {{'}'}}`,
    "97 39 34 10 65 65 233 128512 125",
  ],
  [
    `{{printf "%c%q %T %T %T %.2f %d %v" 'a' 'b' 'c' 1e3 1.5 1.0 1.0 1.0}}`,
    "a'b' int float64 float64 1.00 %!d(float64=1) 1",
  ],
  ["{{json 1.0}} {{json 1e20}} {{if 0.0}}x{{else}}zero{{end}}", "1 100000000000000000000 zero"],
  // Comparisons.
  [
    "{{eq .State.Pid 7}} {{eq .State.Pid 0x7}} {{eq 1.0 1.0}} {{eq 1 2 3 1}} {{ne 1.5 1.5}} {{eq 1 1 1.5}}",
    "true true true true false true",
  ],
  [
    "{{lt 1 2}} {{le 2 2}} {{gt 2.5 1.0}} {{ge `b` `a`}} {{gt `a` `b`}} {{eq true true}}",
    "true true true true false true",
  ],
  [
    "{{eq nil nil}} {{eq .Nothing nil}} {{eq .Names nil}} {{ne .Names nil}} {{eq .Nothing 1}} {{eq `a` nil}}",
    "true true false true false false",
  ],
  ["{{lt `\uffee` `😀`}}", "true"],
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
  ["{{slice .State 1}}", "can't slice item of type map"],
  ["{{index .Id 9}}", "index out of range: 9"],
  ["{{eq .Id 1}}", "<eq>: error calling eq: incompatible types for comparison"],
  ["{{eq 1 1.0}}", "incompatible types for comparison"],
  ["{{eq 1 2 1.5}}", "incompatible types for comparison"],
  ["{{eq true 1}}", "incompatible types for comparison"],
  ["{{lt 1 1.5}}", "<lt>: error calling lt: incompatible types for comparison"],
  ["{{lt true false}}", "<lt>: error calling lt: invalid type for comparison"],
  ["{{ge nil 1}}", "<ge>: error calling ge: invalid type for comparison"],
  ["{{lt .Names 1}}", "invalid type for comparison"],
  ["{{eq .Names .Names}}", "non-comparable type [/a /b]: []interface {}"],
  ["{{eq .Names .State}}", "non-comparable types [/a /b]: []interface {}, map["],
  ["{{eq 1}}", "missing argument for comparison"],
  ["{{lt 1}}", "wrong number of args for lt: want 2 got 1"],
  ["{{not}}", "wrong number of args for not: want 1 got 0"],
  ["{{len 1.0}}", "len of type float64"],
  ["{{range 1.0}}{{end}}", "range can't iterate over 1"],
  ["{{index .Names 1.0}}", "cannot index slice/array with type float64"],
  ["{{1i}}", "imaginary numbers are not supported"],
  ["{{1x}}", 'bad number syntax: "1x"'],
  ["{{0b2}}", 'bad number syntax: "0b2"'],
  ["{{0x}}", 'illegal number syntax: "0x"'],
  ["{{1_}}", 'illegal number syntax: "1_"'],
  ["{{1__0}}", 'illegal number syntax: "1__0"'],
  ["{{0x1.8}}", 'illegal number syntax: "0x1.8"'],
  ["{{1e}}", 'illegal number syntax: "1e"'],
  ["{{1e309}}", 'illegal number syntax: "1e309"'],
  ["{{08}}", 'integer overflow: "08"'],
  ["{{99999999999999999999}}", 'integer overflow: "99999999999999999999"'],
  ["{{'ab'}}", "malformed character constant: 'ab'"],
  ["{{''}}", "malformed character constant: ''"],
  ["{{'\\q'}}", "invalid syntax"],
  ["{{'\\\"'}}", "invalid syntax"],
  ["{{'}}", "unterminated character constant"],
  ['{{"a}}', "unterminated quoted string"],
  ["{{/* }}", "unclosed comment"],
  ["{{if}}{{end}}", "missing value for if"],
  ['{{template "x"}}', '<{{template "x"}}>: template "x" not defined'],
  ['{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', "exceeded maximum template depth (5000)"],
  ['{{template ""}}', "exceeded maximum template depth (5000)"],
  ["{{template}}", 'unexpected "}}" in template clause'],
  ["{{template .x}}", 'unexpected ".x" in template clause'],
  ["{{define x}}{{end}}", 'unexpected "x" in define clause'],
  ['{{define "x" 1}}{{end}}', 'unexpected "1" in define clause'],
  ['{{define "x"}}', "unexpected EOF"],
  ['{{define "x"}}{{else}}{{end}}', "unexpected {{else}} in define clause"],
  ['{{if .}}{{define "x"}}{{end}}{{end}}', "unexpected <define> in command"],
  ['{{define "x"}}a{{end}}{{define "x"}}b{{end}}', 'template: multiple definition of template "x"'],
  ['{{define ""}}a{{end}}b', 'template: multiple definition of template ""'],
  ['{{block "x"}}{{end}}', "missing value for block clause"],
  ['{{block "x" .}}a{{else}}b{{end}}', "unexpected {{else}} in block clause"],
  ['{{range .Names}}{{block "x" .}}{{break}}{{end}}{{end}}', "{{break}} outside {{range}}"],
  ['{{$a := 1}}{{define "x"}}{{$a}}{{end}}{{template "x"}}', 'undefined variable "$a"'],
  // All of these were errors of JavaScript's once.
  ['{{"\\q"}}', "invalid syntax"],
  ["{{upper .Names}}", "wrong type for value; expected string"],
  ["{{upper}}", "wrong number of args for upper: want 1 got 0"],
  ['{{pad "a" 99999999999 1}}', "are no widths"],
])("%s is refused", (template, message) => {
  expect(() => compileTemplate(template)(DATA)).toThrow(message);
});

const LOOP = '{{define "x"}}BEGIN{{template "x" .}}END{{end}}{{template "x" .}}';
test.each([
  ["unclosed groups", `{{${"(".repeat(100_000)}`, "unclosed action"],
  ["groups", `{{${"(".repeat(100_000)}}}`, "max expression depth exceeded"],
  ["digits", `{{${"1".repeat(200_000)}e}}`, "illegal number syntax"],
  ["digits", `{{0x${"1".repeat(200_000)}.}}`, "illegal number syntax"],
  ["blocks", "{{if 1}}".repeat(100_000), "max block depth exceeded"],
  ["else if", `{{if 1}}x${"{{else if 1}}x".repeat(100_000)}{{end}}`, "max block depth exceeded"],
  ["templates", LOOP.replace(/BEGIN|END/g, ""), "exceeded maximum template depth"],
  [
    "templates in blocks",
    LOOP.replace("BEGIN", "{{range 1}}{{with 1}}{{if 1}}".repeat(300)).replace("END", "{{end}}".repeat(900)),
    "exceeded maximum template depth",
  ],
])("no %s are too much", (_, template, message) => {
  expect(() => compileTemplate(template)(DATA)).toThrow(message);
});
