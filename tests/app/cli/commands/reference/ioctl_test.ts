// Pages `ioctl` and `personas` of `el2 reference`: their text follows from the declared layouts.

import assert from "node:assert/strict";
import { decodedAsJson, decodedAsText } from "../../../../../src/app/cli/commands/reference/ioctl.ts";
import { personaAsJson, personasAsText } from "../../../../../src/app/cli/commands/reference/personas.ts";
import { PERSONA_NAMES, PERSONAS } from "../../../../../src/machine/abi/ioctl/personas.ts";
import { el2 } from "../../program.ts";

Deno.test("the vendor driver's CREATE_VM is decoded and named", () => {
  assert.equal(
    decodedAsText(0xb201),
    "0x0000b201: none, 0 bytes, magic 0xb2, number 0x01\nGH_CREATE_VM (legacy) (0xb201) on the device descriptor: /dev/gunyah of legacy",
  );
});

Deno.test("a memory region is decoded with its structure's offsets", () => {
  const text = decodedAsText(0x4020_4701);
  assert.match(text, /write, 32 bytes, magic 0x47 'G', number 0x01/);
  assert.match(text, /\/dev\/gunyah of v9, v14, ack-6\.1, ack-6\.6, ack-6\.12, union/);
  for (const line of ["  0  u32      label", "  4  u32      flags", "  8  u64      guest_phys_addr", " 24  u64      userspace_addr"]) {
    assert.ok(text.includes(line), line);
  }
});

Deno.test("el2's own request is one of the generations with functions", () => {
  assert.match(decodedAsText(0x4010_e200), /^EL2_VM_SIGNAL_MSI .*: \/dev\/gunyah of v14, ack-6\.1, v17, ack-6\.6, ack-6\.12, union$/m);
});

Deno.test("a code with another size is compared with the request that it nearly is", () => {
  const text = decodedAsText(0x4018_4701);
  assert.match(text, /not a request; its magic and number match\nGH_VM_SET_USER_MEM_REGION \(0x40204701\)/);
});

Deno.test("GenieZone's requests are found, and codes that nobody has are said to be unknown", () => {
  assert.match(decodedAsText(0x9201), /GZVM_CREATE_VM .*: \/dev\/gzvm/);
  assert.match(decodedAsText(0x5401), /no driver that el2 knows has this request/);
  assert.deepEqual(decodedAsJson(0x5401).near, []);
});

Deno.test("personas are printed side by side, and as JSON with every request", () => {
  const text = personasAsText();
  const [head, create] = text.split("\n");
  assert.deepEqual(head.trim().split(/\s+/), [...PERSONA_NAMES]);
  assert.deepEqual(create.trim().split(/\s+/), [
    ...["CREATE_VM", "0xb201", "0x4740", "0x4700", "0x4700", "0x4700", "0x4700", "0x4700", "0x4700", "0x4700", "-"],
  ]);
  const { requests, unknown_request, memory } = personaAsJson(PERSONAS.v9);
  assert.deepEqual((requests as { code: string }[]).map(({ code }) => code), ["0x00004700", "0x40204701", "0x40104702", "0x00004703"]);
  assert.deepEqual([unknown_request, (memory as { unique_labels: boolean }).unique_labels], [
    PERSONAS.v9.unknownRequest,
    PERSONAS.v9.memory.uniqueLabels,
  ]);
});

Deno.test("W48: ioctl decode needs no session", async () => {
  const { code, stdout } = await el2("reference", "ioctl", "0xB201");
  assert.equal(code, 0);
  assert.match(stdout, /GH_CREATE_VM \(legacy\).*\/dev\/gunyah of legacy/);
});
