// Coverage in formats of others, by what their readers want.

import assert from "node:assert/strict";
import { drcov } from "../../../../src/session/export/executed/drcov.ts";
import { lcov } from "../../../../src/session/export/executed/lcov.ts";
import { type ExecutedVm, together } from "../../../../src/session/inspection/execution/executed.ts";

const run = (): ExecutedVm => ({
  vm: "vm-1",
  instructions: 7,
  functions: new Map([[0x8000n, { name: "main\nDA:1,1", address: 0x8000n, file: "<a>.c", line: 3, calls: 1, instructions: 7 }]]),
  unexecuted: BigUint64Array.of(0x8000n, 0x9000n),
  files: new Map([[
    "<a>.c",
    new Map([
      [4, { executions: 2, instructions: 5, branches: new Map([[0x8004n, { taken: 0, passed: 2 }]]) }],
      [9, { executions: 0, instructions: 0, branches: new Map() }],
    ]),
  ]]),
  blocks: [{ address: 0x8000n, size: 0x1_0000 }, { address: 0xffff_8000_0000_0010n, size: 8 }],
});

Deno.test("an lcov record has functions, branches and lines, and no name begins another record", () => {
  assert.equal(
    [...lcov([run()], (file) => file)].join(""),
    `TN:vm_1
SF:<a>.c
FN:3,main DA:1,1
FNDA:1,main DA:1,1
FNF:1
FNH:1
BRDA:4,0,0,0
BRDA:4,0,1,2
BRF:2
BRH:1
DA:4,2
DA:9,0
LF:2
LH:1
end_of_record
`,
  );
});

Deno.test("a drcov log has a module per 4 GiB, and blocks whose sizes fit", () => {
  const bytes = drcov([run()]), text = new TextDecoder("latin1").decode(bytes), start = text.indexOf(" bbs\n") + 5;
  assert.match(text, /Module Table: version 2, count 2\n/);
  assert.match(text, /^0, 0x0000000000008000, 0x0000000000018000, 0x0+, 0x0+, 0x0+, vm-1$/m);
  assert.match(text, /^1, 0xffff800000000000, 0xffff800000000018, /m);
  assert.match(text, /BB Table: 3 bbs\n/);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  const entries = [0, 8, 16].map((at) => [view.getUint32(at, true), view.getUint16(at + 4, true), view.getUint16(at + 6, true)]);
  assert.deepEqual(entries, [[0, 0xfffc, 0], [0xfffc, 4, 0], [0x10, 8, 1]]);
});

Deno.test("runs add up by VM, function, line and branch; blocks that touch are one", () => {
  const [sum] = together([[run()], [{ ...run(), blocks: [{ address: 0x1_8000n, size: 4 }] }]]);
  assert.equal(sum.instructions, 14);
  assert.equal(sum.functions.get(0x8000n)?.calls, 2);
  assert.deepEqual([...sum.unexecuted], [0x9000n]);
  assert.deepEqual(sum.files.get("<a>.c")?.get(4), {
    executions: 4,
    instructions: 10,
    branches: new Map([[0x8004n, { taken: 0, passed: 4 }]]),
  });
  assert.deepEqual(sum.blocks, [{ address: 0x8000n, size: 0x1_0004 }, { address: 0xffff_8000_0000_0010n, size: 8 }]);
});
