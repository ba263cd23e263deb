import assert from "node:assert/strict";
import { Rig } from "./rig.ts";

Deno.test("W31: the why screen shows who asked, chain, rule, values, shared errno and way out", async () => {
  const rig = new Rig();
  await rig.type("0");
  const shown = await rig.text();
  for (
    const part of [
      /asked by H host\/0 {2}at 12\.481 102 s/,
      /ioctl VM_START fd=7 +-22 EINVAL/,
      /` +o rpc MEM_RECLAIM handle=18 +11 MEM_INUSE/,
    ]
  ) {
    assert.match(shown, part);
  }
  for (const part of [/resource-manager 5\.4 {2}a parcel/, /holder +vm:rt/, /Way out[^]*vm:rt releases/]) assert.match(shown, part);
});

Deno.test("W34: a refusal by the resource manager says that no hypercall was made", async () => {
  const rig = new Rig();
  await rig.type("0");
  assert.match(await rig.text(), /` +\. no hypercall: refused before one was made/);
});

Deno.test("W35: an errno with several causes says how many", async () => {
  const rig = new Rig();
  await rig.type("0");
  assert.match(await rig.text(), /the driver returns EINVAL for 13 different causes/);
});
