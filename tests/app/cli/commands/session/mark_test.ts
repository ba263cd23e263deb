import assert from "node:assert/strict";
import { rowsOf } from "../../../../../src/model/queries/query.ts";
import { PLACES } from "../../../../../src/model/queries/tables.ts";
import { readRecording } from "../../../../../src/session/recordings/file/recording-reader.ts";
import { demoPlan } from "../../../../session/snapshots/systems.ts";
import { Session } from "../../../../session/engine/session-in-thread.ts";
import { Place } from "../../place.ts";

Deno.test("el2 mark names places, el2 back --mark goes there, and a recording and its replay have the names", async () => {
  await using place = new Place();
  await place.up("one");
  const marks = async () => Object.fromEntries((await place.json("mark")).data.map(({ name, insn }) => [name, Number(insn)]));
  assert.deepEqual(await marks(), {});
  await place.json("pause");
  await place.json("mark", "late");
  const { late } = await marks();
  await place.json("back", "--by", "5000");
  const { stderr } = await place.el2("mark", "a.b-c_1");
  assert.equal(stderr, "el2: marked; el2 back --mark a.b-c_1 goes there\n");
  assert.deepEqual(await marks(), { "a.b-c_1": late - 5000, late });
  await place.json("back", "--to", "1000");
  await place.json("back", "--mark", "a.b-c_1");
  const shown = (await place.json("back", "--list")).data.find(({ kind }) => kind === "shown");
  assert.equal(Number(shown?.insn), late - 5000);
  // A name moves with its mark.
  await place.json("back", "--by", "7");
  await place.json("mark", "a.b-c_1");
  assert.deepEqual(await marks(), { "a.b-c_1": late - 5007, late });
  const fails = async (...words: string[]) => {
    const { code, stderr } = await place.el2(...words);
    return [code, stderr];
  };
  assert.deepEqual(await fails("back", "--mark", "lat"), [
    1,
    'el2: there is no mark "lat"; did you mean "late"? Use one of a.b-c_1, late\n',
  ]);
  assert.deepEqual(await fails("mark", "two\nlines"), [
    2,
    'el2: mark: "two\\nlines" cannot be the text of a mark; use one line of up to 200 characters\n',
  ]);
  assert.deepEqual(await fails("mark", "--by", "ann"), [2, "el2: mark: --by needs name\n"]);
  const [said] = (await place.json("mark", "Here it is lost!", "--by", "Ann")).data;
  assert.deepEqual([said.name, said.text, said.by], ["here-it-is-lost", "Here it is lost!", "Ann"]);
  const { stdout: listed } = await place.el2("mark");
  assert.match(listed, /here-it-is-lost +Here it is lost! +Ann/);
  assert.deepEqual(await fails("back", "--mark", "lat", "--now"), [
    2,
    "el2: back: --by, --to, --event, --at, --mark, --now and --list are mutually exclusive; give one\n",
  ]);
  assert.equal((await fails("mark", "x", "--read-only"))[0], 5);

  const file = `${place.folder}/a.rec`;
  await place.json("back", "--now");
  const saved = await place.el2("record", file);
  assert.equal(saved.code, 0, saved.stderr);
  const recording = await readRecording(file);
  assert.deepEqual(Object.fromEntries(recording.marks?.map(({ name, instructions }) => [name, instructions]) ?? []), await marks());
  const session = new Session({ ...await demoPlan(), replay: { recording, verify: false, to: undefined } });
  const places = rowsOf(PLACES, await session.ask({ table: "time.ls", args: { filter: "kind=mark" } }));
  assert.deepEqual(places.map(({ name }) => name), ["a.b-c_1", "here-it-is-lost", "late"]);
  session.engine.stop();
  const replayed = await place.el2("replay", file, "--to", "late"), count = (await marks()).late;
  assert.match(replayed.stderr, new RegExp(`^el2: replayed up to instruction ${count}$`, "m"));
  assert.equal(replayed.code, 0);
  assert.deepEqual(await fails("replay", file, "--to", "lat"), [
    2,
    'el2: there is no mark "lat"; did you mean "late"? Use one of a.b-c_1, here-it-is-lost, late\n',
  ]);

  // A filter takes the first for a range, and makes no difference between the second and "late".
  for (const name of ["1..2", "LATE"]) assert.deepEqual((await place.json("mark", name)).data.map((row) => row.name), [name]);
});

Deno.test("an expression in braces in a mark's text becomes its value at the place that is shown", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const value = async () => (await place.el2("print", "ping:*ticks")).stdout.trim();
  const late = await value();
  const [marked] = (await place.json("mark", "ticks {ping:*ticks}, sp {ping/0:$sp % 16}")).data;
  assert.deepEqual([marked.name, marked.text], ["ticks-ping-ticks-sp-ping-0-sp-16", `ticks ${late}, sp 0`]);
  await place.json("back", "--to", "1000");
  const [early] = (await place.json("mark", "early {ping:*ticks}")).data;
  assert.notEqual(await value(), late);
  assert.equal(early.text, `early ${await value()}`);
  const { code, stderr } = await place.el2("mark", "of {ping:nothing}");
  assert.deepEqual([code, stderr], [1, 'el2: {ping:nothing}: no variable, symbol or register called "nothing"\n']);
});
