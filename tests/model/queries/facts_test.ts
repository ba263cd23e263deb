// Facts: their words are in one place. A fact that is reworded there changes on screens, in lines
// of commands and in JSON alike, and nothing else changes: no mark, color, order or value.

import assert from "node:assert/strict";
import { IRQ_FINDINGS, STOPPED_STEP } from "../../../src/model/queries/facts/irq-finding.ts";
import { inQuery } from "../../../src/model/queries/facts/problem.ts";
import { problemText } from "../../../src/kit/support/problem.ts";
import { VERDICT_FACTS, wordOf } from "../../../src/model/queries/facts/verdict.ts";
import { isHealthy, VERDICTS } from "../../../src/model/queries/facts/verdict-words.ts";
import { diagnosisLines } from "../../../src/model/queries/texts/diagnosis-text.ts";
import { listQuery, listTables, rowsOf } from "../../../src/model/queries/query.ts";
import type { Row, Table } from "../../../src/model/queries/table.ts";
import { DIAGNOSES, TABLES } from "../../../src/model/queries/tables.ts";
import { SCREENS } from "../../../src/app/tui/actions/screen-table.ts";
import { demoSystem, runUntil } from "../../session/inspection/system.ts";
import { realMachine } from "../../app/tui/real-machine.ts";
import { Rig } from "../../app/tui/rig.ts";
import { repositoryFiles, ROOT } from "../../support/files.ts";
import { KINDS, reworded } from "./reworded.ts";

/** Each screen's cells: texts, and how they look. */
async function screens(): Promise<{ texts: string[]; looks: string[] }> {
  const texts: string[] = [], looks: string[] = [];
  for (const shown of [await realMachine(), undefined]) {
    for (const { key } of SCREENS) {
      const rig = new Rig(160, 48, { ascii: false }, "direct", shown);
      await rig.type(key);
      await rig.lines();
      for (let y = 0; y < 48; y++) {
        const cells = rig.screen.cells(y);
        texts.push(`${key} ${cells.map(({ text }) => text).join("")}`);
        looks.push(
          `${key} ${cells.map(({ foreground, background, attributes }) => `${foreground},${background},${attributes}`).join(" ")}`,
        );
      }
    }
  }
  return { texts, looks };
}

Deno.test("a reworded fact changes its words on every screen, and no mark, color or place", async () => {
  const before = await screens(), after = await reworded(screens);
  assert.deepEqual(after.looks, before.looks);
  assert.deepEqual(after.texts.map((line) => line.toLowerCase()), before.texts.map((line) => line.toLowerCase()));
  const changed = new Set(after.texts.filter((line, index) => line !== before.texts[index]).map((line) => line[0]));
  for (const key of ["1", "2", "3", "8"]) assert.ok(changed.has(key), `screen ${key} shows a fact`);
});

/** The rows of every list about the demo. */
async function lists(): Promise<Map<string, readonly Row[]>> {
  const system = await demoSystem(undefined, ["virq vm=ping nth=5 -> lose"]);
  system.inspector.watch(["sched"]);
  runUntil(system, 3e8);
  return new Map(
    listTables().filter((name) => name !== "hash").map((name) => {
      const { error, rows } = system.inspector.answer(listQuery(name, { limit: 200 }));
      return [name, error === undefined ? rows : []];
    }),
  );
}

Deno.test("a reworded fact changes the texts of rows, and of the lines that commands print, and no fact or value", async () => {
  const before = await lists(), after = await reworded(lists);
  const changed = new Set<string>();
  for (const [name, rows] of before) {
    const { columns }: Table = TABLES[name as keyof typeof TABLES];
    rows.forEach((row, index) => {
      for (const [column, value] of Object.entries(row)) {
        const [was, is] = [JSON.stringify(value), JSON.stringify(after.get(name)![index][column])];
        if (was === is) continue;
        assert.ok(["text", "list"].includes(columns[column].kind) || column === "fields", `${name}.${column}: ${was} ${is}`);
        assert.equal(is.toLowerCase(), was.toLowerCase());
        changed.add(`${name}.${column}`);
      }
    });
  }
  for (const column of ["diagnose.text", "diagnose.evidence", "vm.ls.doing", "events.text", "sched.ls.reason"]) {
    assert.ok(changed.has(column), `${column} is a text of facts: ${[...changed].join(", ")}`);
  }
  const linesOf = (all: ReadonlyMap<string, readonly Row[]>) =>
    rowsOf(DIAGNOSES, { table: "diagnose", rows: [...all.get("diagnose")!] }).flatMap(diagnosisLines);
  assert.notDeepEqual(linesOf(after), linesOf(before));
});

Deno.test("every code has one text, every finding the step that it stops, every verdict its word", () => {
  for (const [name, { texts, waysOut }] of Object.entries(KINDS)) {
    assert.ok(Object.keys(texts).length > 0, name);
    for (const code of Object.keys(waysOut)) assert.ok(code in texts, `${name}.${code}`);
  }
  assert.deepEqual(Object.keys(STOPPED_STEP).sort(), Object.keys(IRQ_FINDINGS.texts).sort());
  for (const code of Object.keys(VERDICT_FACTS.texts)) assert.ok(VERDICTS.includes(wordOf({ code } as never)), code);
});

/** Verdicts whose kind has no own way out, and where theirs comes from. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "crashed": "that of the exception's cause, which is evidence",
  "fault-loop": "that of the exception's cause, which is evidence",
  "panicked": "that of its cause, if the kernel's state has one",
  "not-started": "a call that has not returned gives no reason yet; a rule that has lost its answer is evidence",
  "buffer-refused": "that of the refusal",
  "failed": "that of the refusal or of the exception's cause",
  "broken": "an invariant of el2's own: no user can fix it",
};

Deno.test("every verdict that is not healthy has a way out, or a reason why its kind has no own one", () => {
  const sick = Object.keys(VERDICT_FACTS.texts).filter((code) => !isHealthy(wordOf({ code } as never)));
  const none = sick.filter((code) => !(code in VERDICT_FACTS.waysOut));
  assert.deepEqual(none.sort(), Object.keys(ELSEWHERE).sort());
});

Deno.test("no kind of facts is missing among those that are reworded", () => {
  const all = [...repositoryFiles("src/", ".ts")].flatMap((path) =>
    [...Deno.readTextFileSync(new URL(path, ROOT)).matchAll(/^export const (\w+) = new Facts</gm)].map(([, name]) => name)
  );
  assert.deepEqual(all.sort(), Object.keys(KINDS).sort());
});

Deno.test("an error of a query is its text and its way out", () => {
  assert.equal(problemText(inQuery({ code: "query", what: "no vm:x", wayOut: "there are vm:y" })), "no vm:x; there are vm:y");
  assert.equal(problemText(inQuery({ code: "filter", what: "no column x" })), "--filter: no column x");
});
