// Each call of docs/spec/phones.md §D3, made by a bare-metal guest, as the primary VM and in a VM.
// Checks cite the words of the section that they check, and the section has no call without one.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { CROSVM_GICD, CROSVM_SERIALS, crosvmGicr } from "../../src/machine/host/boards/crosvm/map.ts";
import { bareMetalImage } from "../../src/inside/images/images.ts";
import { GICD_BASE, GICR_BASE, PL011_BASE } from "../../src/machine/hardware/memory-map.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../src/model/plans/plan.ts";
import { HOST_MEMORY, MIB, vmPlan } from "../machine/host/plans.ts";
import { Stack } from "../machine/host/stack.ts";
import { sectionText } from "../support/specification.ts";
import { buildAccesses, Checks, type GuestPlatform, uncovered, withSteps } from "./accesses/accesses.ts";

const CONTROL = 0x8600_0005, STATUS = 0x8600_0006, PING = 0x8600_0007, SET_TIME = 0x8600_0008;
const MS = 1e6, SECOND = 1e9;
const BASE = 0x8000_0000, MEMORY = 8 * MIB;
const FINE = 0, NOT_IMPLEMENTED = -1, INVALID = -2;

const PROGRAM = await buildAccesses();

/** The calls, in the order of the driver: start, pings, other times, an end. */
function calls(): Checks {
  const checks = new Checks().line("SMC");
  const smc = (words: string, x: readonly number[], ...values: readonly number[]) => void checks.call(words, "smc", x, values);
  const status = "0x8600_0006 STATUS (third result = ms since last ping)";
  for (const id of [CONTROL, STATUS, PING, SET_TIME]) checks.call("SMC (not HVC)", "hvc", [id, 3], [NOT_IMPLEMENTED]);
  smc(status, [STATUS], FINE, 0, 0);
  smc("0x8600_0005 CONTROL (bit 1 always set; bit 0 on/off: 3 enables, 2 disables)", [CONTROL, 2], FINE);
  for (const wrong of [0, 1, 4]) smc("CONTROL (bit 1 always set", [CONTROL, wrong], INVALID);
  for (const times of [[0x8001, 1], [1, 0x8001]]) smc("values above 0x8000 reserved", [SET_TIME, ...times], INVALID);
  smc("0x8600_0008 SET_TIME(bark ms, bite ms; 16 bits each, values above 0x8000", [SET_TIME, 0x8000, 0x8000], FINE);
  smc("SET_TIME(t, t)", [SET_TIME, 50, 50], FINE);
  smc("3 enables", [CONTROL, 3], FINE);
  smc(status, [STATUS], FINE, 1, 0);
  for (let turn = 0; turn < 3; turn++) {
    checks.then({ do: "wait", ns: 40.5 * MS });
    smc(status, [STATUS], FINE, 1, 40);
    smc("0x8600_0007 PING", [PING], FINE);
    smc(status, [STATUS], FINE, 1, 0);
  }
  smc("2 disables", [CONTROL, 2], FINE);
  checks.then({ do: "wait", ns: 200 * MS });
  smc(status, [STATUS], FINE, 0, 0);
  // The restart of the driver: nothing follows it.
  checks.then({ do: "flush" });
  for (const x of [[CONTROL, 3], [SET_TIME, 1, 1], [PING]]) smc("Restart = enable, SET_TIME(1,1), PING, 100 ms wait", x, FINE);
  checks.then({ do: "flush" }, { do: "wait", ns: 100 * MS });
  smc("100 ms wait", [STATUS], FINE);
  return checks;
}

/** The call that a restart leaves unanswered. */
const ENDED = ["SMC: 100 ms wait: smc 86000006 gives nothing, not 0x0"];

Deno.test("each call of phones.md §D3 does what the section says in the primary VM", () => {
  const platform: GuestPlatform = { uart: PL011_BASE, gicd: GICD_BASE, gicr: GICR_BASE }, checks = calls();
  const image = withSteps(PROGRAM, platform, checks.steps);
  const machine = { cpus: 1, memory: 64 * MIB, turbo: true, seed: 1, debug: undefined } as const;
  const system = assemble({ ...machine, what: { kind: "boot", image, append: "" } } as unknown as SessionPlan);
  let text = "";
  for (;;) {
    const result = system.machine.run(10 * SECOND, 1_000);
    for (const { console, bytes } of system.consoles.drain()) if (console === PRIMARY_CONSOLE) text += new TextDecoder().decode(bytes);
    if (result.kind === "idle" && result.next !== Infinity) system.machine.skipTo(result.next);
    else if (result.kind !== "turns") break;
  }
  assert.deepEqual(checks.differences(text), ENDED);
  assert.match(system.ended()?.message ?? "", /its watchdog was not pinged for 1 ms/);
});

Deno.test("each call of phones.md §D3 does what the section says in a VM, whose watchdog is its own", () => {
  const platform: GuestPlatform = { uart: CROSVM_SERIALS[0].base, gicd: CROSVM_GICD.base, gicr: crosvmGicr(1).base };
  const checks = calls();
  const vm = (name: string, steps: Checks["steps"]) => {
    const image = bareMetalImage(withSteps(PROGRAM, platform, steps), BASE, MEMORY);
    return vmPlan(name, { platform: "crosvm", image, memory: MEMORY });
  };
  const other = new Checks().then({ do: "wait", ns: SECOND }).call("Every VM has its own", "smc", [STATUS], [FINE, 0, 0]);
  const plan = { memory: HOST_MEMORY, vcpus: 2, vms: [vm("a", checks.steps), vm("b", other.steps)] };
  const stack = new Stack(plan, { cpus: 2, device: "v14" });
  stack.run(10 * SECOND);
  assert.deepEqual(checks.differences(stack.console("a")), ENDED);
  assert.deepEqual(other.differences(stack.console("b")), []);
  const log = stack.log();
  assert.ok(log.includes("a exited watchdog"), log.join("\n"));
  assert.ok(log.includes("b exited system-off"), log.join("\n"));
});

Deno.test("each function of phones.md §D3 has a check that cites it", () => {
  const section = sectionText("phones", "D3").split("\n\n")[1].replaceAll("\n", " ");
  assert.deepEqual(uncovered([section], calls().claims, /0x\w+(?: [A-Z_]+)?|SET_TIME\(\S+ \S+?\)/g), []);
});
