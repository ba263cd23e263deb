import assert from "node:assert/strict";
import { buildProgram } from "../../../../session/debug/programs.ts";
import { eventually } from "../../../../support/eventually.ts";
import { Place } from "../../place.ts";

Deno.test("print shows values of a program by its debug information, as text and as JSON", async () => {
  await using place = new Place();
  await place.up("one");
  const file = `${place.folder}/grid.elf`;
  await buildProgram("grid", file);
  assert.equal((await place.el2("symbols", "ping", "--add", file)).code, 0);
  const { code, stdout, stderr } = await place.el2("print", "ping:sizeof(grid) / sizeof(int32_t)");
  assert.deepEqual([code, stdout], [0, "6\n"], stderr);
  const [row] = (await place.json("print", "ping:&grid[1]")).data;
  assert.deepEqual([row.id, row.type, row.vm, row.size], ["val:ping/&grid[1]", "volatile int32_t[3] *", "vm:ping", 8]);
  assert.equal((await place.el2("print", "ping/0:$sp % 16")).stdout, "0\n");
});

Deno.test("print --at shows the value at an earlier place of the run, and leaves the session where it is", async () => {
  await using place = new Place();
  await place.up("one");
  const shown = async () => (await place.json("back", "--list")).data.filter(({ kind }) => kind === "shown");
  const [write] = (await place.json("who", "reg:ping/0/x0")).data;
  const number = async (...words: string[]) => (await place.json("print", "ping/0:$x0", ...words)).data[0].number;
  assert.equal(await number("--at", String(write.id)), String(BigInt(write.before as string)));
  assert.equal(await number("--at", String(Number(String(write.id).split(/[:/]/)[1]) + 1)), String(BigInt(write.after as string)));
  assert.deepEqual(await shown(), []);
  const late = await place.el2("print", "ping/0:$x0", "--at", "999999999999");
  assert.deepEqual([late.code, late.stdout], [1, ""]);
  assert.match(late.stderr, /instruction 999999999999 is later than the present.*el2 resume|el2 on/);
  const none = await place.el2("print", "ping/0:nothing", "--at", String(write.id));
  assert.match(none.stderr, /no variable, symbol or register called "nothing"/);
});

Deno.test("who print names what changed a value last, as text and as a list, and print --at has the value before", async () => {
  await using place = new Place();
  await place.up("one");
  const count = "ping:*ticks", history = async () => (await place.json("who", "print", count, "--all", "--limit", "2")).data;
  const changes = await eventually(history, (all) => all.length === 2 && all.every(({ by }) => by === "vcpu:ping/0"));
  const { code, stdout, stderr } = await place.el2("who", "print", count);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^change: vcpu:ping\/0 at .*\n {2}st[rp] .*\n {2}0x[0-9a-f]+ -> 0x[0-9a-f]+\n/);
  for (const { id, before } of changes) {
    const [row] = (await place.json("print", count, "--at", String(id))).data;
    assert.equal(row.value, before);
  }
  const wrong = await place.el2("who", "print", "ping:nothing");
  assert.deepEqual([wrong.code, wrong.stdout], [1, ""]);
  assert.match(wrong.stderr, /no variable, symbol or register called "nothing"/);
});

Deno.test("print says what it does not find, and how to name a VM", async () => {
  await using place = new Place();
  await place.up("one");
  for (
    const [expression, error] of [
      ["ping:nothing", /^el2: no variable, symbol or register called "nothing"\n$/],
      ["nobody:1", /^el2: no vm:nobody; there are /],
      ["ping:1 +", /"1 \+": it ends too early/],
      ["jiffies", /jiffies may be of several VMs; name one: .*ping:jiffies/],
      ["ping:list(0, struct page, lru)", /list is for Linux/],
    ] as const
  ) {
    const { code, stdout, stderr } = await place.el2("print", expression);
    assert.deepEqual([code, stdout], [1, ""], expression);
    assert.match(stderr, error);
  }
});
