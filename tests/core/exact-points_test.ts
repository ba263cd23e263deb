// Interrupts, breakpoints and the ends of budgets at random instruction counts of `mark`
// (bench/suites/mark), whose kernels are loops, calls, indirect branches, exclusives, floats and
// vectors with the MMU on: every tier is in the same state after the same count.

import assert from "node:assert/strict";
import { buildMark } from "../../bench/suites/bare-metal.ts";
import { WasmCore } from "../../src/core/core.ts";
import { ExceptionClass, exceptionClass, Pstate } from "../../src/core/architecture/exceptions.ts";
import { ExitReason, Stage2Flags } from "../../src/core/interface.ts";
import { CORE_SIZE } from "../../src/core/state/layout.ts";
import type { Hotness } from "../../src/core/translator/heat.ts";
import { type Tier, TIERS } from "../../src/core/tiers.ts";
import type { VcpuContext } from "../../src/core/registers/vcpu-context.ts";
import { readElf } from "../../src/formats/elf.ts";
import { Random } from "../support/random.ts";
import { assemble } from "./program.ts";

const LONG = Deno.env.get("EL2_LONG") !== undefined;
const POINTS = LONG ? 1000 : 60;
/** Between two points, so that all points are inside of the program's 370 M instructions. */
const MOST_INSTRUCTIONS = LONG ? 300_000 : 1_000_000;

const RAM_BASE = 0x4000_0000;
const RAM_SIZE = 0x100_0000;
const UART = 0x0900_0000;
/** Vectors of ours: the program has none for interrupts. */
const VECTORS = RAM_BASE + 0xf0_0000;
/** IRQ with SP_ELx. */
const IRQ_VECTOR = 0x280;
/** Memory of the handler's counter and of the registers that it saves. */
const COUNTER = VECTORS + 0x1000;

/** Counts, with the time at which it does so. Its stack is the program's. */
const HANDLER = assemble([
  ["stp x0, x1, [sp, #-16]!", 0xa9bf07e0],
  ["mrs x1, cntvct_el0", 0xd53be041],
  ["mrs x0, vbar_el1", 0xd538c000],
  ["add x0, x0, #0x1, lsl #12", 0x91400400],
  ["str x1, [x0, #8]", 0xf9000401],
  ["ldr x1, [x0]", 0xf9400001],
  ["add x1, x1, #0x1", 0x91000421],
  ["str x1, [x0]", 0xf9000001],
  ["ldp x0, x1, [sp], #16", 0xa8c107e0],
  ["eret", 0xd69f03e0],
]);

/** One machine that runs the program in a tier. */
class Subject {
  readonly core: WasmCore;
  readonly vcpu: VcpuContext;
  readonly #memory: Uint32Array;
  now = 0;
  ended = false;

  constructor(elf: Uint8Array, tier: Tier, hotness?: Hotness & { slice: number }) {
    const pages = (CORE_SIZE + RAM_SIZE) / 0x1_0000;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.core = new WasmCore(memory, { base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE }, { tier, hotness });
    const bytes = new Uint8Array(memory.buffer, CORE_SIZE);
    const { entry, segments } = readElf(elf);
    for (const { address, bytes: contents } of segments) bytes.set(contents, address - RAM_BASE);
    this.#memory = new Uint32Array(memory.buffer, CORE_SIZE, RAM_SIZE / 4);
    this.#memory.set(HANDLER, (VECTORS + IRQ_VECTOR - RAM_BASE) / 4);
    const stage2 = this.core.stage2Pool.create();
    assert.ok(stage2);
    stage2.map(RAM_BASE, RAM_BASE, RAM_SIZE, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0);
    stage2.map(UART, UART, 4096, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.Device);
    this.vcpu = this.core.createVcpu();
    this.vcpu.stage2 = stage2.id;
    this.vcpu.pc = BigInt(entry);
  }

  /** Runs for `count` instructions, or up to a breakpoint; its output goes nowhere. */
  run(count: number): void {
    for (const end = this.now + count; this.now < end && !this.ended;) {
      const exit = this.core.run(this.vcpu, this.now, end - this.now, this.now);
      this.now += exit.retired;
      if (exit.reason === ExitReason.Breakpoint) return;
      if (exit.reason === ExitReason.Bus) {
        const isLoad = (exit.esr & 1 << 6) === 0;
        if (isLoad) this.core.completeRead(this.vcpu, exit.esr, 0n);
        else this.core.skip(this.vcpu);
      } else if (exit.reason === ExitReason.Trap) {
        assert.equal(exceptionClass(exit.esr), ExceptionClass.Hvc);
        this.ended = true;
      } else assert.ok(exit.reason === ExitReason.Budget || exit.reason === ExitReason.Yield, `exit ${exit.reason}`);
    }
  }

  get interrupts(): number {
    return this.#memory[(COUNTER - RAM_BASE) / 4];
  }

  /** All registers; with all of RAM where that is asked for. */
  state(withMemory: boolean): string {
    const { vcpu } = this, parts = [this.now, vcpu.pc, vcpu.pstate, ...Array.from({ length: 31 }, (_, i) => vcpu.getX(i))];
    for (let i = 0; i < 32; i++) parts.push(...vcpu.getV(i));
    for (const name of vcpu.names) parts.push(vcpu.getRegister(name));
    if (withMemory) {
      let hash = 0;
      for (const word of this.#memory) hash = Math.imul(hash ^ word, 0x9e3779b1) + (hash >>> 15) | 0;
      parts.push(hash);
    }
    return parts.map((part) => part.toString(16)).join(" ");
  }
}

Deno.test(`interrupts and breakpoints at ${POINTS} random counts leave every tier in the same state`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-points-" });
  try {
    const elf = await Deno.readFile(await buildMark(folder, 1));
    const eager = { samples: 1, landings: 2, slice: 1000 };
    const subjects = [...TIERS.map((tier) => new Subject(elf, tier)), new Subject(elf, "jit", eager)];
    const random = new Random(5);
    const all = (action: (subject: Subject) => void) => subjects.forEach(action);
    const compare = (what: string, withMemory = false) => {
      const [expected, ...others] = subjects.map((subject) => subject.state(withMemory));
      for (const state of others) assert.equal(state, expected, what);
    };
    // Past the start code, which sets up the MMU and masks interrupts.
    all((subject) => subject.run(100_000));
    compare("the start");
    all(({ vcpu }) => {
      vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
      vcpu.pstate = vcpu.pstate & ~Pstate.Daif;
    });
    const seen: bigint[] = [];
    let interrupts = 0, breakpoints = 0;
    for (let point = 0; point < POINTS; point++) {
      const count = 1 + random.below(random.below(2) ? MOST_INSTRUCTIONS : 200);
      all((subject) => subject.run(count));
      const what = `point ${point}`;
      compare(what);
      seen.push(subjects[0].vcpu.pc);
      if (point % 2 === 0) {
        // The level stays up for as long as the handler takes, more or less: it may come twice.
        const level = 1 + random.below(14);
        all(({ vcpu }) => vcpu.irq = true);
        all((subject) => subject.run(level));
        compare(`${what}, interrupted`);
        all(({ vcpu }) => vcpu.irq = false);
        interrupts++;
      } else {
        const place = random.pick(seen);
        all(({ core, vcpu }) => core.insertBreakpoint(vcpu.stage2, place));
        all((subject) => subject.run(MOST_INSTRUCTIONS));
        compare(`${what}, breakpoint at ${place.toString(16)}`);
        if (subjects[0].vcpu.pc === place) breakpoints++;
        all(({ core, vcpu }) => core.removeBreakpoint(vcpu.stage2, place));
      }
      if (point % 50 === 49) compare(what, true);
    }
    compare("the end", true);
    assert.ok(!subjects[0].ended, "the program has ended before the last point");
    assert.ok(subjects[0].interrupts >= interrupts, `${subjects[0].interrupts} interrupts of ${interrupts} were handled`);
    assert.ok(breakpoints > POINTS / 20, `only ${breakpoints} breakpoints were reached`);
    for (const { core } of subjects.slice(1)) assert.ok(core.translatorCounters!.regions > 0, "nothing was translated");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
