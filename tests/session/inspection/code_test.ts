// Instructions in a VM's memory, and what lies between them.

import assert from "node:assert/strict";
import { codeRow } from "../../../src/session/inspection/readers/guest/read-symbols.ts";
import { demoSystem, rows, runUntil } from "./system.ts";

Deno.test("pc-5 begins five instructions before the PC, of which what is not mapped is left out", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  const at = rows(system, "code", { at: "ping/0:pc", size: 1 })[0];
  const around = rows(system, "code", { at: "ping/0:pc-5", size: 8 });
  assert.equal(around.length, 8);
  assert.deepEqual(around.map(({ pc }) => pc), [false, false, false, false, false, true, false, false]);
  assert.equal(around[5].address, at.address);
  // The guest's memory begins a few hundred instructions before it.
  const mapped = rows(system, "code", { at: "ping/0:pc-1000", size: 4 })[0];
  const distance = Number(BigInt(at.address) - BigInt(mapped.address)) / 4;
  assert.ok(distance > 5 && distance <= 1000, String(distance));
});

Deno.test("what the assembler has marked as data is not an instruction, unless it is executed next", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  const at = (place: string, size: number) => rows(system, "code", { at: place, size });
  // The header of the image, behind the branch over it.
  const [over, ...header] = at("hello:_start", 16);
  assert.deepEqual([over.mnemonic, over.leaves], ["b", true]);
  assert.deepEqual(new Set(header.map(({ mnemonic, leaves, target }) => `${mnemonic} ${leaves} ${target}`)), new Set([".word false null"]));
  // Texts follow the last function.
  const rest = at("hello:guest_main", 200), first = rest.findIndex(({ mnemonic }) => mnemonic === ".word");
  assert.ok(first > 10 && rest.slice(first).every(({ mnemonic }) => mnemonic === ".word"), String(first));
  assert.equal(rest[first - 1].mnemonic, "bl");
  const texts = rest.slice(first).map(({ operands }) => /; "(.*)"$/.exec(operands)?.[1] ?? "").join("");
  assert.match(texts, /^qcom,label.*no %s with label %d in the devicetre/);
  assert.equal(rest[first].text, `.word ${rest[first].word} ; "qcom"`);
  const data = { vm: "hello", tables: system.symbols.all("hello"), pc: BigInt(header[0].address) };
  assert.equal(codeRow(data, BigInt(header[0].address), 0xd503201f).text, "nop");
  assert.equal(codeRow({ ...data, pc: undefined }, BigInt(header[0].address), 0xd503201f).text, ".word 0xd503201f");
});
