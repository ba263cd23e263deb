// Ids are built and cut in one place (src/model/queries/ids.ts; src/machine/abi/ids.ts for what the
// machine names): a template, a text or a pattern with the kind of an id is nowhere else in src/.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";
import { regexLiterals, stringLiterals } from "../../scripts/structure/source-texts.ts";
import { ID_KINDS } from "../../src/model/queries/ids.ts";

const PLACES: ReadonlySet<string> = new Set(["src/model/queries/ids.ts", "src/machine/abi/ids.ts"]);

const KINDS = ID_KINDS.join("|");
/** `vm:${name}` anywhere in a template, its value written as `…`. */
const TEMPLATE = new RegExp(`(?:^|[^\\w-])(?:${KINDS}):(?:0x)?…`);
/** `"vm:"`, `"vm:host"`; `"vm:NAME"` is help. */
const TEXT = new RegExp(`^(?:${KINDS}):[^A-Z\\s]*$`);
/** `/^vm:/`, `/^(vm|con):/`, `/^(?:vm:)?/`. */
const PATTERN = new RegExp(`(?:^|[^\\w-])(?:${KINDS})(?:\\|\\w+)*\\)?\\??:`);
/** `/^[a-z]+:/`, `/^\D+/`, `/^.*\//`, `/@.*$/`: by any kind, or by the text around a part. */
const WITHOUT_KIND = /^\^?\(?(?:\[a-z[\w-]*\]|\\w)\+\)?:|^\^\\D\+$|^\^\.\*\\\/$|^@\.\*\$?$/;
/** `name.split("/")[0]`, `id.slice(id.indexOf(":") + 1)`: by the separators. */
const CUT = /\.split\("\/"\)\[0\]|\b(?:\w+\.)?id\.(?:indexOf|split)\("[:/]"\)/;

/** The lines of a source that build or cut an id, as `LINE: TEXT`. */
function idsIn(source: string): string[] {
  const texts = stringLiterals(source).filter(({ text }) => TEMPLATE.test(text) || TEXT.test(text));
  const patterns = regexLiterals(source).filter(({ text }) => PATTERN.test(text) || WITHOUT_KIND.test(text));
  const cuts = source.split("\n").flatMap((text, index) => CUT.test(text) ? [{ text: text.trim(), line: index + 1 }] : []);
  return [...texts, ...patterns, ...cuts].map(({ text, line }) => `${line}: ${text}`);
}

/** Words with a colon that are of another language than ids. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  // Names of function breakpoints, and spaces of addresses in references of memory.
  "src/session/debug/dap/breakpoints.ts": ["rpc:"],
  "src/session/debug/dap/threads.ts": ["^(?:([^:]+):)??(?:(va|el1|el2|ipa|pa):)?([^:]+)$"],
  // A line of a Linux kernel, and its name of a socket.
  "src/inside/linux/structures/reports.ts": ["^task:(.{1,15}?) +state:R .*\\bpid:(\\d+)"],
  "src/inside/linux/waits/other-ends.ts": ["socket:[…]"],
};

Deno.test("ids are built and cut by src/model/queries/ids.ts alone", () => {
  const all = [...repositoryFiles("src/", ".ts")].flatMap((path) =>
    idsIn(Deno.readTextFileSync(new URL(path, ROOT))).map((line) => ({ path, line }))
  );
  const isOther = (path: string, other: string, one: { path: string; line: string }) =>
    one.path === path && one.line.endsWith(`: ${other}`);
  const found = all.filter((one) => !PLACES.has(one.path) && !OTHERS[one.path]?.some((other) => isOther(one.path, other, one)));
  assert.deepEqual(found, []);
  const others = Object.entries(OTHERS).flatMap(([path, texts]) => texts.map((text) => ({ path, text })));
  const unneeded = others.filter(({ path, text }) => !all.some((one) => isOther(path, text, one)));
  assert.deepEqual(unneeded, [], "no longer needed");
  assert.deepEqual([...PLACES].filter((place) => !all.some(({ path }) => path === place)), [], "no ids there");
});

Deno.test("an id that is built or cut is found in each form, and help and comments are not", () => {
  for (
    const line of [
      "const id = `vm:${name}`;",
      "say(`no vcpu:${vm}/${index}; there are ${all}`);",
      "const at = `pa:0x${address.toString(16)}`;",
      'const name = id.slice("vm:".length);',
      'if (vm === "vm:host") return;',
      'const name = id.replace(/^vm:/, "");',
      "const [, vm] = /^(?:vm|vcpu):([^/]+)/.exec(id)!;",
      "const found = /^(?:irq:)?(\\d+)$/.exec(id);",
      'const vm = name.split("/")[0];',
      'const kind = id.slice(0, id.indexOf(":"));',
      'const name = `${row.id.replace(/^[a-z]+:/, "")}  `;',
      "if (/^[a-z]+:\\S+$/.test(text)) return link;",
      'const number = Number(pcpu.replace(/^\\D+/, ""));',
      'const name = irq.replace(/^.*\\//, "");',
      'const name = irq.replace(/@.*$/, "");',
    ]
  ) assert.equal(idsIn(line).length, 1, line);
  for (
    const line of [
      "// `vm:rt`, and `irq:${vm}/34`",
      'const help = { help: "vm:NAME or NAME" };',
      "say(`next: el2 why --about vm:ping`);",
      "say(`the page: ${page}; of the line:${line}`);",
      'const file = path.split("/").at(-1);',
      "const ok = /^vmm:/.test(text);",
    ]
  ) assert.deepEqual(idsIn(line), [], line);
});
