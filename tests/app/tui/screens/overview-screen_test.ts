import assert from "node:assert/strict";
import { Rig } from "../rig.ts";

Deno.test("W3: at 120x36 tree, console and events are all visible", async () => {
  assert.match(await new Rig(120, 36).text(), /Virtual machines[\s\S]*Console D debian[\s\S]*Debian GNU\/Linux[\s\S]*Events/);
});

Deno.test("v adds a VM's virtio devices to the tree with their counters, Enter shows all of them, and v takes them away", async () => {
  const rig = new Rig(140, 48);
  assert.doesNotMatch(await rig.text(), /virtio-block/);
  await rig.type("gv");
  assert.match(await rig.text(), /blk0 +virtio-block +reads 812 +read_bytes 3.3M/);
  assert.match(await rig.text(), /net1 +virtio-net +-/);
  await rig.type("jjjjjj");
  await rig.press("enter");
  assert.match(await rig.text(), /= dev:debian\/blk0 =[^]*metrics reads 812 [^]*writes 0 [^]*read_bytes 3325952 /);
  await rig.press("esc");
  await rig.type("v");
  assert.doesNotMatch(await rig.text(), /virtio-block/);
});
