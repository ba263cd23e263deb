// The recorded cases of the real android14-6.1 driver on the real hypervisor (README.md), against
// persona v14.

import assert from "node:assert/strict";
import { HostStack } from "../../machine/host/host-stack.ts";
import type { Case, CaseFile } from "./ghioctl.ts";
import { DIFFERENT_NOTIFICATIONS, DIFFERENT_STEPS } from "./differences.ts";
import { byVm, canonical, inOnePiece, Names, runCase } from "./run.ts";

const FOLDER = new URL("cases/", import.meta.url).pathname;

function check(stack: HostStack, each: Case): void {
  const { steps, rpc, notifications } = runCase(stack, each);
  const excepted = [...each.unstable ?? [], ...DIFFERENT_STEPS[each.name]?.steps ?? []];
  each.steps.forEach(({ op, want }, index) => {
    if (excepted.includes(index + 1)) {
      if (!each.unstable?.includes(index + 1)) {
        assert.notDeepEqual(steps[index], want, `step ${index + 1} is the same now: not a difference`);
      }
      return;
    }
    assert.deepEqual(steps[index], want, `step ${index + 1}: ${op}`);
  });
  const recordings = [each.rpc ?? [], ...each.rpc2 ? [each.rpc2] : []];
  const whole = recordings.every(inOnePiece);
  const names = new Names(), recordedNames = recordings.map(() => new Names());
  const calls = byVm(canonical(rpc, whole, names));
  const wanted = recordings.map((lines, index) => byVm(canonical(lines, whole, recordedNames[index])));
  if (!wanted.some((lines) => JSON.stringify(lines) === JSON.stringify(calls))) assert.deepEqual(calls, wanted[0], "calls to the RM");
  if (DIFFERENT_NOTIFICATIONS[each.name] === undefined) {
    const recorded = byVm(canonical(each.notifications ?? [], true, recordedNames[0]));
    assert.deepEqual(byVm(canonical(notifications, true, names)), recorded, "notifications");
  }
}

for (const theme of ["device", "memory", "dtb", "functions", "start", "dtbrun", "run", "exits", "faults"]) {
  Deno.test(`the recorded ioctl cases about ${theme} give what the real driver gave`, async (t) => {
    const file: CaseFile = JSON.parse(await Deno.readTextFile(`${FOLDER}${theme}.json`));
    const stack = new HostStack({ device: "v14" });
    for (const each of file.cases) await t.step(each.name, () => check(stack, each));
    assert.deepEqual(stack.problems, []);
    // Nothing of what has ended is left.
    stack.visit(({ kernel, gunyah }) => {
      assert.deepEqual([kernel.state.processes, kernel.state.files, kernel.state.tasks, kernel.state.eventfds], [{}, {}, {}, {}]);
      assert.deepEqual([gunyah.state.vms, gunyah.state.vcpus], [{}, {}]);
      assert.deepEqual([kernel.memory.state.objects, kernel.memory.state.spaces], [{}, {}]);
      const zeroPage = kernel.memory.state.zeroPage === undefined ? 0 : 1;
      assert.equal(kernel.memory.pages.available + zeroPage, 32 * 2 ** 20 / 4096);
    });
  });
}
