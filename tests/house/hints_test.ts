// Hints hold a command and its arguments (src/kit/support/text/hint.ts): each names a command of
// the program, so that nobody searches for texts when one gets another name; and no text has a
// command line beside them.

import assert from "node:assert/strict";
import { type Source, sourcesBelow } from "../../scripts/structure/sources.ts";
import { stringLiterals } from "../../scripts/structure/source-texts.ts";
import { firstWords, noCommands } from "../app/cli/command-names.ts";
import { ROOT } from "../support/files.ts";
import { commandLines } from "./command-lines.ts";

const SOURCES = sourcesBelow(new URL("src", ROOT).pathname);

Deno.test("each hint names a command of the program", () => {
  const named = SOURCES.flatMap((source) =>
    source.literals.filter(({ from }) => /\bhint\(\s*$/.test(source.before(from))).map(({ text }) => text)
  );
  assert.ok(named.length > 0);
  assert.deepEqual(noCommands(named), []);
});

/** Texts with command lines that are left in a file: a number may fall and not rise. */
const LEFT: Readonly<Record<string, number>> = {
  "app/cli/commands/clients/gdb.ts": 2,
  "app/cli/commands/machines/guests.ts": 2,
  "app/cli/commands/machines/ls.ts": 2,
  "app/cli/commands/machines/up.ts": 2,
  "app/cli/commands/reference/doctor.ts": 3,
  "app/cli/commands/runs/compare-runs.ts": 1,
  "app/cli/commands/runs/diff.ts": 1,
  "app/cli/commands/runs/record.ts": 2,
  "app/cli/commands/runs/trace-export.ts": 4,
  "app/cli/commands/runs/trace.ts": 1,
  "app/cli/commands/scenarios/test-merge.ts": 1,
  "app/cli/commands/scenarios/test-results.ts": 1,
  "app/cli/commands/scenarios/test.ts": 1,
  "app/cli/commands/screens/attach.ts": 1,
  "app/cli/commands/screens/tour.ts": 1,
  "app/cli/common/requirements.ts": 2,
  "app/cli/common/session.ts": 3,
  "app/cli/mcp/jobs.ts": 2,
  "app/cli/mcp/server.ts": 2,
  "app/cli/mcp/tool.ts": 1,
  "app/cli/options/behavior.ts": 2,
  "app/cli/options/boot-table.ts": 1,
  "app/cli/start/debuggers/dap-link.ts": 1,
  "app/cli/start/debuggers/gdb-link.ts": 4,
  "app/cli/start/look/user-look.ts": 2,
  "app/cli/start/plans/instant.ts": 1,
  "app/cli/start/screens/screens.ts": 5,
  "app/cli/start/screens/stage.ts": 1,
  "app/cli/start/screens/start-offers.ts": 1,
  "app/cli/start/screens/start-session.ts": 1,
  "app/tui/app/app.ts": 1,
  "app/tui/app/guide/guide-chapters.ts": 2,
  "app/tui/look/themes.ts": 1,
};

Deno.test("no text has a command line, but in prose of help", () => {
  const found = SOURCES.map((source) => ({ path: source.path, texts: commandLines(source, firstWords) })).filter(({ texts }) =>
    texts.length
  );
  const more = found.filter(({ path, texts }) => texts.length > (LEFT[path] ?? 0));
  assert.deepEqual(more, [], "write a hint");
  const counts = new Map(found.map(({ path, texts }) => [path, texts.length]));
  assert.deepEqual(
    Object.entries(LEFT).filter(([path, most]) => (counts.get(path) ?? 0) < most),
    [],
    "no longer needed: write the lower number",
  );
});

/** A source of this text. */
const source = (text: string): Pick<Source, "text" | "literals"> => ({ text, literals: stringLiterals(text) });

Deno.test("a command line in a text is found in each form, and what is none, or prose of help, is not", () => {
  for (
    const text of [
      'const next = "el2 irq show irq:ping/27";',
      "next: `el2 irq show ${id}`,",
      "const wayOut = `list them: \\`el2 irq ls\\``;",
      'throw new QueryError("no queue", "list them with el2 queue ls");',
      "throw failed(`no VM (el2 vm ls)`);",
    ]
  ) assert.equal(commandLines(source(text), firstWords).length, 1, text);
  for (
    const text of [
      'const wayOut = way`list them with ${hint("queue ls")}`;',
      'throw new Error("not an el2 snapshot");',
      'const title = "what el2 does by default";',
      'id: { kind: "text", doc: "the verdict of el2 diagnose" },',
      'program.command("irq").description("as el2 vm ls lists them");',
      'examples: ["pause && el2 vcpu ls", "el2 resume"],',
      "// el2 irq ls",
    ]
  ) assert.deepEqual(commandLines(source(text), firstWords), [], text);
});
