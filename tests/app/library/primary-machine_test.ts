import assert from "node:assert/strict";
import { disassemble, PrimaryMachine } from "../../../mod.ts";

const HELLO = new URL("../../../assets/guests/hello.bin", import.meta.url);
const MEMORY = 64 << 20;

Deno.test("a guest runs in the caller's thread until it switches the machine off", async () => {
  const machine = new PrimaryMachine({ image: await Deno.readFile(HELLO), append: "ticks=3 ms=100", memory: MEMORY });
  const states = new Set<string>();
  let state = machine.run(1e6);
  for (; state === "running"; state = machine.run(machine.time + 1e8)) states.add(state);
  assert.equal(state, "off", machine.message);
  assert.ok(states.has("running"), "three ticks of 100 ms take longer than a step");
  assert.match(machine.takeOutput(), /hello from EL1/);
  assert.ok(machine.instructions > 1000);
});

Deno.test("the same options give the same run", async () => {
  const image = await Deno.readFile(HELLO);
  const run = () => {
    const machine = new PrimaryMachine({ image, append: "ticks=2 ms=50", memory: MEMORY });
    while (machine.run(machine.time + 1e9) === "running");
    return { time: machine.time, instructions: machine.instructions, output: machine.takeOutput() };
  };
  assert.deepEqual(run(), run());
});

Deno.test("options that make no machine are refused by name", () => {
  assert.throws(() => new PrimaryMachine({ image: new Uint8Array(100), memory: MEMORY }), /image of the primary VM/);
  assert.throws(() => new PrimaryMachine({ image: new Uint8Array(100), memory: 12345 }), /memory/);
});

Deno.test("disassemble() gives the text of a word at an address", () => {
  assert.equal(disassemble(0x94000002, 0x4000_0000n), "bl\t0x40000008");
});
