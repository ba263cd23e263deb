// Screen L: the Linux of VMs.

import assert from "node:assert/strict";
import { PHONE_SAMPLE, phoneAnswer } from "../phone.ts";
import { Rig } from "../rig.ts";

const textOf = async (rig: Rig) => (await rig.lines()).join("\n");

Deno.test("screen L lists processes with what each waits in, the log, and the frames of the selected process", async () => {
  const rig = new Rig();
  await rig.type("L");
  const text = await textOf(rig);
  assert.match(text, / 518 +dd +\. blocked +2\.2 s ======== +1M =-+ +folio_wait_bit/);
  assert.match(text, /12\.480100 {2}I\/O error, dev vda/);
  assert.match(text, /kernel +folio_wait_bit_common\+0x15c/);
  assert.match(text, /user +\/usr\/bin\/dd\+0x1c44/);
});

Deno.test("Enter goes to the frames of a process, v to its files and mappings, w says what it waits for, and a asks about it", async () => {
  const rig = new Rig();
  await rig.type("L");
  await rig.lines();
  await rig.type("jj");
  await rig.type("w");
  assert.match(await textOf(rig), /task:debian\/518 waits for folio_wait_bit/);
  await rig.type("\r");
  await rig.lines();
  assert.match(await textOf(rig), /= Call frames 4 =/);
  await rig.type("v");
  assert.match(await textOf(rig), /= Open files 2 =+[^]*\/dev\/vda/);
  await rig.type("v");
  assert.match(await textOf(rig), /= Mappings 2 =+[^]*\/usr\/bin\/dd/);
  const menu = new Rig();
  await menu.type("L");
  await menu.lines();
  await menu.type("a");
  assert.match(await textOf(menu), /call frames in the kernel and its program/);
});

Deno.test("kernel threads are folded until v, which has the views below take their turn then; a filter and a link find them", async () => {
  const rig = new Rig();
  await rig.type("L");
  let text = await textOf(rig);
  assert.match(text, /2 kernel threads folded/);
  assert.doesNotMatch(text, /kworker/);
  await rig.type("v");
  text = await textOf(rig);
  assert.match(text, /kworker\/0:1-\S+ +\. idle/);
  assert.doesNotMatch(text, /folded/);
  await rig.type("v");
  text = await textOf(rig);
  assert.doesNotMatch(text, /kworker/);
  assert.match(text, /- Open files 2/);
  await rig.keys("/kernel=yes\r");
  assert.match(await textOf(rig), /kworker/);
  await rig.press("esc");
  await rig.type(":task:debian/31\r");
  assert.match(await textOf(rig), />\s+31 +kworker/);
});

Deno.test("each process has its command at every width, and states are words", async () => {
  for (const width of [80, 120, 200]) {
    const rig = new Rig(width, 40);
    await rig.type("L");
    const text = await textOf(rig);
    assert.match(text, /dd if=\/dev\/vda/, `${width}`);
    for (const word of ["o runs", ". sleeps", ". blocked"]) assert.ok(text.includes(word), `${width}: ${word}`);
  }
});

Deno.test("at 80 columns commands have the room that nothing else needs, and what processes wait in stays where it is", async () => {
  const rig = new Rig(80, 24);
  let waits = "folio_wait_bit";
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return query.table !== "linux.ps" ? answer : { ...answer, rows: answer.rows.map((row) => row.pid === 518 ? { ...row, waits } : row) };
  };
  await rig.type("L");
  assert.match(await textOf(rig), / 518 \. blocked +2\.2 s +1M folio_wait_bit dd if=\/dev\/vda of=\/dev\/null\n/);
  waits = "do_wait";
  rig.time += 2000;
  rig.sample();
  assert.match(await textOf(rig), /1M do_wait {8}dd if=/);
  waits = "a_function_of_the_kernel_with_a_long_name";
  rig.time += 2000;
  rig.sample();
  assert.match(await textOf(rig), /1M a_function_of_the_k\S dd if=\/dev\/vda \S+\n/);
});

Deno.test("the screen of Linux has a tab where a VM has a kernel, which a click shows", async () => {
  for (const width of [80, 100, 120]) {
    const rig = new Rig(width, 36);
    assert.doesNotMatch((await rig.lines())[1], /L/);
    rig.sample({ vms: PHONE_SAMPLE.vms.map((vm) => vm.name === "debian" ? { ...vm, linux: true } : vm) });
    const [, tabs] = await rig.lines(), at = tabs.indexOf("L");
    assert.ok(at > 0 && tabs.length <= width, `${width}: ${tabs}`);
    await rig.type(`\x1b[<0;${at + 1};2M`);
    assert.equal(rig.shown, "L", `${width}`);
  }
});
