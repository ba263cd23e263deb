// The program of without-table_test.ts: starts a core from the blueprint in a file, or generates it
// and writes the file, and runs a loop, after a rare instruction if there is a second argument.
// Prints the loop's counter and how many instructions of the table were made.

import { deserialize, serialize } from "node:v8";
import { equipCores } from "../../../src/cpu/core/core-module.ts";
import { declared } from "./counted-insn.ts";
import { Machine, RAM_BASE } from "./program.ts";

/** movz w5, #3000; sub w5, w5, #1; cbnz w5, .-4. */
const LOOP = [0x52817705, 0x510004a5, 0x35ffffe5];
/** crc32b w0, w0, w0: the interpreter has no handler for it. */
const RARE = [0x1ac04000];

const [file, rare] = Deno.args;
equipCores({
  blueprints: {
    load: () => Deno.statSync(file).size ? deserialize(Deno.readFileSync(file)) : undefined,
    keep: (_, blueprint) => Deno.writeFileSync(file, serialize(blueprint)),
  },
});
const machine = new Machine();
[...(rare ? RARE : []), ...LOOP].forEach((word, i) => machine.view.setUint32(4 * i, word, true));
machine.run(2000, RAM_BASE);
console.log(JSON.stringify({ counter: Number(machine.vcpu.getX(5)), declared }));
