// `el2 who`, and `el2 find` in the same session. Wrong arguments of find: find_test.ts.

import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("el2 who and el2 find search the run of a session", async (t) => {
  await using place = new Place();
  await place.up("one");
  await t.step("el2 who names the writer of memory and of a register, and what was there before and after", () => names(place));
  await t.step("el2 find lists executions, values and events page by page", () => finds(place));
  await t.step("both answer clearly where there is nothing to search", () => refuses(place));
});

async function names(place: Place): Promise<void> {
  const who = async (...words: string[]) => (await place.json("who", ...words)).data;
  const text = async (...words: string[]) => (await place.el2("who", ...words)).stdout;

  // A guest's own instructions write its stack, in time the same place again.
  let address: string, all: Record<string, unknown>[];
  do {
    const [frame] = (await place.json("vcpu", "regs", "ping/0", "--filter", "name=x29")).data;
    address = `ipa:ping/${frame.value}`;
    all = await who(address, "--size", "8", "--all", "--limit", "2");
  } while (all.some(({ by }) => by !== "vcpu:ping/0") || all.length < 2);
  const [write] = await who(address, "--size", "8");
  assert.deepEqual([write.kind, write.by], ["write", "vcpu:ping/0"]);
  assert.match(String(write.instruction), /^st[pru]/);
  assert.ok((write.stack as string[]).length > 0);
  const lines = await text(address, "--size", "8");
  assert.match(lines, /^write: vcpu:ping\/0 at \S+\n {2}st\S+ .*\n {2}[0-9a-f ]+ -> [0-9a-f ]+\n[\s\S]*next: el2 back --to \d+\n$/);

  // Asked from just before that write, the one before it is the last.
  const number = String(write.id).slice("insn:".length);
  const [earlier] = await who(address, "--size", "8", "--at", number);
  assert.ok(Number(String(earlier.id).slice("insn:".length)) < Number(number));
  assert.equal(earlier.after, write.before);

  // The place is just before: the register of the last change is as it was then. No exit is
  // before a call or a return here: at its place, the VMM may not have emulated it yet.
  await place.json("pause");
  const [change] = await who("reg:ping/0/x30");
  await place.json("back", "--to", String(change.id).slice("insn:".length));
  const [then] = (await place.json("vcpu", "regs", "ping/0", "--filter", "name=x30")).data;
  const [at] = (await place.json("vcpu", "ls", "--filter", "id=vcpu:ping/0")).data;
  assert.deepEqual([then.value, at.pc], [change.before, change.pc]);
  await place.json("back", "--now");
  await place.json("resume");

  // The host's VMM has loaded the guest; the hypervisor zeroes what it gives away.
  assert.deepEqual((await who("ipa:ping/0x80000000", "--size", "4")).map(({ who }) => who), [{ code: "program", vcpu: "vcpu:host/0" }]);
  assert.match(await text("ipa:ping/0x40000000"), /^write: the (hypervisor|program of vcpu:rm\/0)/);
  const loaded = await who("ipa:ping/0x80000000", "--size", "4", "--all");
  assert.deepEqual(loaded.map(({ id, kind }) => [id, kind]), [["insn:0", "never"], ["insn:0/2", "write"]]);
  const [run] = await who("ipa:ping/0x80000000", "exec");
  assert.deepEqual([run.kind, run.by, run.vm], ["exec", "vcpu:ping/0", "vm:ping"]);
  assert.match(await text("ipa:ping/0x80000000", "read"), /^never read since the start\n/);

  // A symbol is as long as it is, 8 bytes at most, for both commands; an address is one byte.
  await place.json("pause");
  const [ticks] = await who("ping:ticks"), bytes = String(ticks.after).split(" ");
  assert.equal(bytes.length, 8);
  assert.equal(String((await who("ping:bell"))[0].after).split(" ").length, 8);
  const value = `0x${bytes.toReversed().join("")}`, [found] = (await place.json("find", "ping:ticks", "--value", value)).data;
  assert.deepEqual([found.id, found.after], [ticks.id, ticks.after]);
  const symbol = (await place.json("symbols", "ping")).data.find(({ name }) => name === "ticks") ?? assert.fail();
  assert.match(String((await who(`va:ping/${symbol.address}`))[0].after), /^[0-9a-f]{2}$/);
  await place.json("resume");
}

async function finds(place: Place): Promise<void> {
  await place.json("pause");
  const find = async (...words: string[]) => (await place.json("find", ...words)).data;

  // The first instruction of a VM is executed once, and nothing is before that.
  const [first, ...more] = await find("ping:0x80000000");
  assert.deepEqual([first.kind, first.by, more.length], ["exec", "vcpu:ping/0", 0]);
  const absent = ["ipa:ping/0x80000000", "--value", "0x123456789abcdef0"];
  assert.deepEqual(await find(...absent), []);
  for (const words of [absent, ["--event", "kind=rpc refused=yes"]]) {
    const { code, stdout } = await place.el2("find", ...words);
    assert.deepEqual([code, stdout], [0, "nothing found\n"], words.join(" "));
  }

  const filter = "kind=hvc name=msgqueue_send vm=ping",
    ids = (rows: readonly Record<string, unknown>[]) => rows.map(({ id }) => String(id));
  const latest = await find("--event", filter, "--limit", "4");
  assert.equal(latest.length, 4);
  for (const { kind, by, text } of latest) {
    assert.deepEqual([kind, by, /^msgqueue_send /.test(String(text))], ["event", "vcpu:ping/0", true]);
  }
  const [later, earlier] = [
    await find("--event", filter, "--limit", "2"),
    await find("--event", filter, "--limit", "2", "--at", ids(latest)[2]),
  ];
  assert.deepEqual([...ids(earlier), ...ids(later)], ids(latest));

  const [change] = (await place.json("who", "reg:ping/0/x0")).data, value = String(change.after);
  const [found] = await find("reg:ping/0/x0", "--value", value, "--limit", "1");
  assert.deepEqual([found.id, found.after], [change.id, value]);
  await place.json("resume");
}

async function refuses(place: Place): Promise<void> {
  const refused = async (command: string, ...words: string[]) => {
    const { code, stdout, stderr } = await place.el2(command, ...words);
    assert.deepEqual([code, stdout], [1, ""], words.join(" "));
    return stderr;
  };
  const says = (...words: string[]) => refused("who", ...words);
  assert.match(
    await refused("find", "ipa:ping/0x80001000", "--size", "1", "--value", "256"),
    /1 byte cannot have the value 0x100; give a size/,
  );
  assert.match(await refused("find", "irq:ping/27", "--value", "1"), /only memory and registers have values/);
  assert.equal(await says("ipa:ping/0x12345"), "el2: ipa:ping/0x12345 is not mapped in stage 2\n");
  assert.match(await says("ipa:nobody/0"), /no vm:nobody; there are /);
  assert.match(await says("pa:0x8000000"), /is not RAM/);
  assert.match(await says("nonsense"), /"nonsense" is not memory; use pa:/);
  assert.match(await says("ipa:ping/0x80000ffc", "--size", "8"), /in two pages/);
  assert.match(await says("reg:ping/0/pc"), /changes with every instruction/);
  assert.match(await says("reg:ping/0/nope"), /no register "nope"; el2 vcpu regs vcpu:ping\/0 lists them/);
  assert.match(await says("reg:host/0/x0"), /it has no registers/);
  assert.match(
    await says("ipa:ping/0x80000000", "--at", "999999999999"),
    /instruction 999999999999 is later than the present, instruction \d+; el2 on --by \d+ lets the machine run up to there/,
  );
  assert.equal((await place.el2("vm", "kill", "ping")).code, 0);
  const ended = /vm:ping has ended; ask from before that: --at (\d+)/;
  const count = ended.exec(await says("ipa:ping/0x80000000"))![1];
  assert.match(await says("reg:ping/0/x0"), ended);
  for (const target of ["ipa:ping/0x80000000", "reg:ping/0/x0"]) {
    assert.equal((await place.json("who", target, "--at", count)).data.length, 1, target);
  }
}
