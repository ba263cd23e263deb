// Screen L: the Linux of VMs.

import assert from "node:assert/strict";
import { Rig } from "../rig.ts";

const textOf = async (rig: Rig) => (await rig.lines()).join("\n");

Deno.test("screen L lists processes with what each waits in, the log, and the frames of the selected process", async () => {
  const rig = new Rig();
  await rig.type("L");
  const text = await textOf(rig);
  assert.match(text, / 518 +412 dd +D +2\.2 s +1M folio_wait_bit/);
  assert.match(text, /12\.480100 {2}I\/O error, dev vda/);
  assert.match(text, /kernel +folio_wait_bit_common\+0x15c/);
  assert.match(text, /user +\/usr\/bin\/dd\+0x1c44/);
});

Deno.test("Enter goes to the frames of a process, v to its files and mappings, w says what it waits for, and a asks about it", async () => {
  const rig = new Rig();
  await rig.type("L");
  await rig.lines();
  await rig.type("jjjj");
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
