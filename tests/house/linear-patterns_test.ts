// Regular expressions on texts of strangers take time by the text's length alone: no two repeats
// without an end that follow each other can share characters.

import assert from "node:assert/strict";
import { parseRegex, type RegexNode } from "../../src/kit/support/text/regex-syntax.ts";
import { ROOT } from "../support/files.ts";

/** Folders whose patterns read files, memory and packets of strangers. */
const FOLDERS = ["src/app/explain", "src/kit/formats", "src/inside"];
const LITERAL = /(?:[=(,:?!&|;[]|=>|\breturn)\s*\/(?![*/])((?:[^\\/[\n]|\\.|\[(?:[^\\\]\n]|\\.)*\])+)\/([dgimsuvy]*)/g;
const CODES = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

/** The characters of a repeat. */
type Characters = ReadonlySet<string>;

interface Ends {
  /** Repeats without an end that can begin a match, and those that can be its last part. */
  readonly heads: readonly Characters[];
  readonly tails: readonly Characters[];
  readonly nullable: boolean;
  readonly adjacent: boolean;
}

function charactersOf(node: RegexNode): string[] {
  switch (node.kind) {
    case "one": {
      const one = new RegExp(`^(?:${node.source})$`, node.flags);
      return CODES.filter((code) => one.test(code));
    }
    case "assertion":
      return [];
    case "repeat":
      return charactersOf(node.part);
    default:
      return node.parts.flatMap(charactersOf);
  }
}

/** The characters that can begin a match. */
function firstOf(node: RegexNode): string[] {
  if (node.kind === "sequence") {
    const until = node.parts.findIndex((part) => !endsOf(part).nullable);
    return node.parts.slice(0, until < 0 ? undefined : until + 1).flatMap(firstOf);
  }
  return node.kind === "alternatives" ? node.parts.flatMap(firstOf) : node.kind === "repeat" ? firstOf(node.part) : charactersOf(node);
}

const share = (a: readonly Characters[], b: readonly Characters[]) =>
  a.some((one) => b.some((other) => [...one].some((code) => other.has(code))));

function endsOf(node: RegexNode): Ends {
  switch (node.kind) {
    case "one":
      return { heads: [], tails: [], nullable: false, adjacent: false };
    case "assertion":
      return { heads: [], tails: [], nullable: true, adjacent: false };
    case "repeat": {
      const part = endsOf(node.part), isEndless = node.max > 100;
      const first = isEndless ? [new Set(firstOf(node.part))] : [], all = isEndless ? [new Set(charactersOf(node.part))] : [];
      const adjacent = part.adjacent || node.max > 1 && share(part.tails, part.heads);
      return { heads: [...part.heads, ...first], tails: [...part.tails, ...all], nullable: part.nullable || node.min === 0, adjacent };
    }
    case "alternatives": {
      const all = node.parts.map(endsOf);
      return {
        heads: all.flatMap(({ heads }) => heads),
        tails: all.flatMap(({ tails }) => tails),
        nullable: all.some(({ nullable }) => nullable),
        adjacent: all.some(({ adjacent }) => adjacent),
      };
    }
    case "sequence": {
      let before: Ends = { heads: [], tails: [], nullable: true, adjacent: false };
      for (const part of node.parts.map(endsOf)) {
        before = {
          heads: before.nullable ? [...before.heads, ...part.heads] : before.heads,
          tails: part.nullable ? [...before.tails, ...part.tails] : part.tails,
          nullable: before.nullable && part.nullable,
          adjacent: before.adjacent || part.adjacent || share(before.tails, part.heads),
        };
      }
      return before;
    }
  }
}

const isAdjacent = (source: string, flags = "") => endsOf(parseRegex(source, flags.includes("i") ? "i" : "")).adjacent;

Deno.test("patterns with repeats that follow each other are found", () => {
  for (const source of ["1 *(?:ns)? +X", "a .*?[0-9a-f]+ b", "(a+)+", "(?:\\w+ ?)*x", ": *(.*)$", "[ab]*b?[bc]+"]) {
    assert.ok(isAdjacent(source), source);
  }
  for (const source of ["1(?: *(?:ns))? +X", "\\d+ +[a-z]+", "(?:,a+)*", "a+(?:,a+)*(?: .*)?$", "a*b+c*", "\\w+: .*$", "[ab]{1,9}[bc]+"]) {
    assert.ok(!isAdjacent(source), source);
  }
});

Deno.test("patterns on texts of strangers have no repeats that follow each other and share characters", () => {
  const names = new TextDecoder().decode(new Deno.Command("git", { args: ["ls-files", ...FOLDERS], cwd: ROOT }).outputSync().stdout).trim()
    .split("\n");
  const found: string[] = [];
  let count = 0;
  for (const name of names.filter((name) => name.endsWith(".ts"))) {
    for (const [, source, flags] of Deno.readTextFileSync(new URL(name, ROOT)).matchAll(LITERAL)) {
      count++;
      // Those that look around are not read: each is short.
      if (!/\(\?[=!<]/.test(source.replaceAll(/\(\?<\w+>/g, "(")) && isAdjacent(source, flags)) found.push(`${name}: /${source}/`);
    }
  }
  assert.ok(count > 20, `${count}`);
  assert.deepEqual(found, []);
});
