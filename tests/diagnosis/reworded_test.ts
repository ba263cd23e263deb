// A reworded fact about a broken guest, or a wrong configuration, changes its words wherever they
// are shown: lines of commands, JSON, tools for agents and screens; and no fact, place or color.

import assert from "node:assert/strict";
import { rowsText } from "../../src/app/cli/mcp/answers.ts";
import { toolsOf } from "../../src/app/cli/mcp/tools.ts";
import { commandTree } from "../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../src/app/cli/main.ts";
import type { RunProgram } from "../../src/app/cli/mcp/program.ts";
import { answerJson } from "../../src/app/cli/common/print.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { reasonLines } from "../../src/model/queries/texts/reason-text.ts";
import { whoText } from "../../src/model/queries/texts/who-text.ts";
import type { Answer } from "../../src/model/queries/query.ts";
import type { Row, Table } from "../../src/model/queries/table.ts";
import { DIAGNOSES, REASONS, WHO } from "../../src/model/queries/tables.ts";
import { WHO_FACTS } from "../../src/model/queries/facts/who.ts";
import { problemText } from "../../src/kit/support/problem.ts";
import { ConfigErrorScreen } from "../../src/app/tui/app/frame/config-errors.ts";
import { plainLook } from "../../src/app/tui/look/theme.ts";
import { Screen } from "../../src/app/tui/terminal/cells.ts";
import { inProcess } from "../app/cli/in-process.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { reworded } from "../model/queries/reworded.ts";
import { planErrors } from "../support/planned.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { ClassGuests, verdictOn } from "./class-guests.ts";

/** Rows as `--json` and as the tools of `el2 mcp` write them. */
function forPrograms(table: Table, rows: readonly Row[]): string[] {
  const answer = { table: table.name as Answer["table"], at: { ns: "0", insn: "0" }, rows, dropped: 0 };
  return [JSON.stringify(answerJson("s", answer)), rowsText("s", answer, { limit: rows.length })];
}

/** Texts of a thing, as they are and in other words, which are the same words in capitals. */
async function assertReworded(texts: () => Promise<readonly string[]>): Promise<void> {
  const before = await texts(), after = await reworded(texts);
  assert.equal(before.length, after.length);
  before.forEach((text, index) => {
    assert.notEqual(after[index], text);
    assert.equal(after[index].toLowerCase(), text.toLowerCase());
  });
}

Deno.test("the state of a source in other words: verdict and lines", async () => {
  const guests = await ClassGuests.build("sources");
  const system = await guests.system(guests.vm("NOT_READY", { keys: 'devices = [{ kind = "pl011" }, { kind = "rng" }]' }));
  runUntil(system, 115e6);
  const { fact } = verdictOn(system, "x");
  await assertReworded(() => {
    const row = verdictOn(system, "x");
    assert.deepEqual(row.fact, fact);
    assert.equal(fact.code, "source-idle");
    return Promise.resolve([row.text, row.way_out!, ...diagnosisLines(row).slice(0, 2), ...forPrograms(DIAGNOSES, [row])]);
  });
});

Deno.test("the cause of an exception in other words: verdict, evidence, way out and lines", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-reworded-" });
  try {
    await assembleGuest(folder, "x", "no_vectors\nbrk #7\n1: b 1b");
    const texts = async () => {
      const system = await demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n', undefined, folder);
      runUntil(system, 1e8);
      const row = verdictOn(system, "x"), [reason] = rows(system, "why", { filter: "ended=vm:x" });
      assert.ok(row.because.some((one) => one.code === "cause" && one.cause.code === "trap-instruction"));
      const lines = reasonLines(reason).map(({ text }) => text).join("\n");
      return [
        row.text,
        row.evidence.join("\n"),
        reason.way_out!,
        lines,
        ...forPrograms(DIAGNOSES, [row]),
        ...forPrograms(REASONS, [reason]),
      ];
    };
    await assertReworded(texts);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("errors of a configuration in other words: lines, values for programs, the screen, and a tool's answer", async () => {
  const text = 'el2 = 1\n[machine]\ncpus = 99\n[vm.a]\nimage = "x"\nkernle = 1\nstart = "soon"\n';
  const place = { file: "a.toml", text };
  const folder = await Deno.makeTempDir({ prefix: "el2-reworded-" });
  await using _removed = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
  const file = `${folder}/${place.file}`;
  await Deno.writeTextFile(file, text);
  // The tool runs the command, here in this process.
  const el2: RunProgram = async (args) => {
    const { code, stderr } = await inProcess(args, { NO_COLOR: "1" });
    assert.equal(code, 2, stderr);
    return { text: stderr, failed: true };
  };
  const shown = async () => {
    const result = await planText(text, place.file, "/");
    assert.ok(!result.ok);
    const screen = new Screen(140, 30, "direct");
    new ConfigErrorScreen(place.file, place.text, result.problems).draw(screen, plainLook("dark", "direct", "full"));
    const drawn = screen.toLines().filter((line) => line.includes("^ "));
    assert.equal(drawn.length, result.problems.length);
    const tool = toolsOf(commandTree(makeProgram(new URL(import.meta.url), () => {})), true).find(({ name }) => name === "run")!;
    const answer = await tool.call({ what: file }, { el2, host: [folder], signal: new AbortController().signal });
    assert.ok(result.problems.every(({ what }) => answer.text.includes(what)), answer.text);
    return [...planErrors(result), ...result.problems.map(({ what, wayOut }) => problemText({ what, wayOut })), ...drawn, answer.text];
  };
  await assertReworded(shown);
});

Deno.test("the author of an access in other words: el2 who, and its way out", async () => {
  const who = { code: "never", did: "written", since: "the start of the run", at: 5 } as const;
  const none = { by: null, vm: null, pc: null, symbol: null, source: null, instruction: null, stack: null, of: null };
  const row = { id: "insn:5", t: "0", kind: "never", who, before: "0x1", after: "0x1", ...none };
  await assertReworded(() => {
    const said = { ...row, text: WHO_FACTS.text(who) };
    return Promise.resolve([whoText(said), ...forPrograms(WHO, [said])]);
  });
});
