import assert from "node:assert/strict";
import { hintForTable } from "../../../src/model/commands/all.ts";
import { phoneAnswer } from "./phone.ts";
import { Rig, SCREENS } from "./rig.ts";

Deno.test("W6: a resize keeps the selected id", async () => {
  const rig = new Rig();
  await rig.type("gjjj");
  for (const [width, height] of [[80, 24], [61, 17], [200, 60], [80, 24]]) {
    const shown = await rig.lines(width, height);
    assert.ok(shown.some((line) => /^\|?> *D +debian/.test(line)), `${width}x${height}`);
  }
});

Deno.test("W22: a bad filter marks the character, rows stay", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("/\x1b[200~vm=debian statt=run\x1b[201~");
  const shown = await rig.lines();
  assert.match(shown.at(-1)!, /\/vm=debian >statt=run {3}no field "statt"/);
  assert.match(shown.join("\n"), /D debian\/1/);
});

Deno.test("W23: the title shows filter and how many rows it lets through", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("/vm=debian\r");
  const shown = await rig.text();
  assert.match(shown, /= vCPUs 2 =+ \/vm=debian +2 of 3/);
  assert.doesNotMatch(shown, /T rt\/0/);
});

Deno.test("W24: Esc clears the filter, the selected id stays", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("/vm=debian\r");
  await rig.lines();
  await rig.type("j");
  await rig.press("esc");
  const shown = await rig.inside();
  assert.ok(shown.some((line) => line.startsWith("> D debian/1")), shown.join("\n"));
  assert.ok(shown.some((line) => line.startsWith("  T rt/0")));
});

Deno.test("a bad filter that is accepted says once more what is wrong with it", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("/bad=1\r");
  assert.match(await rig.text(), /^ ! ERROR {2}\/bad=1: no field "bad"; use one of id,/m);
});

Deno.test("m marks, = compares two rows", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("mjm=");
  const shown = await rig.text();
  assert.match(shown, /= vcpu:debian\/0 \| vcpu:debian\/1 {2}differences/);
  assert.match(shown, /^\| state +run +\| vmmio +\|$/m);
  assert.doesNotMatch(shown, /^ vm +vm:debian/m, "what is equal is left out");
  await rig.press("esc");
  assert.match(await rig.text(), /= vCPUs/);
});

Deno.test("s sorts by a column, S turns the order round, the selected id stays", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("sS");
  const shown = await rig.inside();
  assert.match(shown.join("\n"), /vCPUs.* by id, reversed/);
  assert.deepEqual(shown.filter((line) => /^.. [A-Z] |^[> ] [A-Z] \S+\/\d/.test(line)).map((line) => line.slice(4, 12)), [
    "rt/0    ",
    "debian/1",
    "debian/0",
  ]);
  assert.ok(shown.some((line) => line.startsWith("> D debian/0")));
});

Deno.test("W61: each screen's rows are those of its command at the same instant", async () => {
  const rig = new Rig(200, 60);
  for (const key of SCREENS) {
    await rig.type(key);
    await rig.lines();
    const asked = rig.requests.flatMap((request) => request.kind === "query" ? [request.query] : []);
    const tables = new Set(asked.map(({ table }) => table));
    const shown = await rig.text();
    for (const table of tables) {
      const command = hintForTable(table);
      assert.ok(command, table);
    }
    const list = { "2": "vcpu.ls", "3": "irq.ls", "5": "caps.ls", "6": "queue.ls", "7": "rpc.ls", "9": "events", "0": "why" }[key];
    if (list) {
      for (const { id, t } of phoneAnswer({ table: list as "vcpu.ls", args: {} }).rows) {
        // Events are identified by their time.
        if (list === "events") {
          assert.ok(shown.includes((Number(t) / 1e9).toFixed(6)), id);
          continue;
        }
        const name = /^(?:vcpu|irq|cap):(.*)/.exec(id)?.[1] ?? id;
        assert.ok(shown.includes(name), `${id} on screen ${key}`);
      }
    }
  }
});

Deno.test("e writes the rows of a list to a file, and what is too long for a clipboard goes to one", async () => {
  const rig = new Rig();
  await rig.keys("2e");
  assert.equal(rig.saved.length, 0);
  assert.match(await rig.text(), /write the rows to: el2-vcpus\.ndjson/);
  await rig.press("enter");
  const [[name, text]] = rig.saved;
  assert.equal(name, "el2-vcpus.ndjson");
  assert.deepEqual(text.trimEnd().split("\n").map((line) => JSON.parse(line).id), ["vcpu:debian/0", "vcpu:debian/1", "vcpu:rt/0"]);
  assert.match(await rig.text(), /3 rows in el2-vcpus\.ndjson/);
  const long = "x".repeat(70_000);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return query.table === "events" ? { ...answer, rows: answer.rows.map((row) => ({ ...row, text: long })) } : answer;
  };
  await rig.keys("9gyj");
  assert.match(await rig.text(), /too long for the clipboard; write it to: el2-copy\.txt/);
  await rig.press("enter");
  assert.deepEqual([rig.copied, rig.saved.length, rig.saved[1][0]], [[], 2, "el2-copy.txt"]);
  assert.ok(rig.saved[1][1].length > 70_000);
  await rig.keys("yj");
  await rig.type("\x15");
  await rig.press("enter");
  assert.match(await rig.text(), /no file name was typed; nothing is written/);
  assert.equal(rig.saved.length, 2);
});
