// Memory copy and set (FEAT_MOPS): their results beside those of a copy by bytes, how they continue
// after faults and interrupts, and what they refuse.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { Pstate, Sctlr, SCTLR_MSCEN_SHIFT } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { disassemble } from "../../../../src/cpu/isa/disassemble.ts";
import { Random } from "../../../support/random.ts";
import { Machine, RAM_BASE } from "../program.ts";
import { checkNoted } from "../written-words.ts";

const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x2000, DATA = RAM_BASE + 0x10_0000, DATA_SIZE = 0x6000;
const TO = 1, FROM = 2, SIZE = 3, VALUE = 4;
const COPY = 0x1d00_0400, COPY_FORWARD = 0x1900_0400, SET = 0x19c0_0400;
const registers = (source: number) => source << 16 | SIZE << 5 | TO;
const copyParts = (base: number, options = 0) => [0, 1, 2].map((part) => base | part << 22 | options << 12 | registers(FROM));
const setParts = (options = 0, source = VALUE) => [0, 1, 2].map((part) => SET | part << 14 | options << 12 | registers(source));

function machineWith(words: readonly number[], tier: "interp" | "jit" = "interp") {
  const machine = new Machine({ cpu: parseCpu("max"), ...(tier === "jit" && { tier, hotness: { samples: 1, landings: 1, slice: 40 } }) });
  words.forEach((word, i) => machine.view.setUint32(CODE - RAM_BASE + 4 * i, word, true));
  machine.vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  machine.vcpu.defaultCacheable = true;
  return machine;
}

const memory = (machine: Machine) => new Uint8Array(machine.view.buffer, machine.view.byteOffset + DATA - RAM_BASE, DATA_SIZE);
const values = ({ vcpu }: Machine) => [TO, FROM, SIZE].map((register) => vcpu.getX(register));
const set = ({ vcpu }: Machine, to: bigint | number, from: bigint | number, size: bigint | number) => {
  [[TO, to], [FROM, from], [SIZE, size]].forEach(([register, value]) => vcpu.setX(Number(register), BigInt.asUintN(64, BigInt(value))));
};
/** Bytes whose neighbors differ, other ones each time. */
function fill(bytes: Uint8Array, random: Random): void {
  const factor = 2 * random.below(128) + 1, added = random.below(256);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * factor + (i >> 8) + added;
}
/** Runs until PC is behind the parts. */
function finish(machine: Machine, budget = 200, parts = 3): number {
  const end = BigInt(CODE + 4 * parts);
  for (let count = 0; count < budget; count++) {
    if (machine.vcpu.pc === end) return count;
    machine.run(1);
  }
  throw new Error(`PC is ${machine.vcpu.pc.toString(16)}`);
}

Deno.test("a copy is that of its bytes in the order that overlapping ones need, whatever its size and options", () => {
  const random = new Random(88);
  for (const base of [COPY, COPY_FORWARD]) {
    for (const options of [0, 3, 12, 15]) {
      const machine = machineWith(copyParts(base, options));
      for (let round = 0; round < 60; round++) {
        const bytes = memory(machine), largest = [20, 300, 9000][round % 3], size = random.below(largest);
        fill(bytes, random);
        let from = random.below(DATA_SIZE - size), to = random.below(DATA_SIZE - size);
        // A forward copy is correct for an overlap only if it moves downward.
        if (base === COPY_FORWARD && from < to && from + size > to) [from, to] = [to, from];
        const before = bytes.slice(), expected = bytes.slice();
        expected.copyWithin(to, from, from + size);
        machine.core.forgetWritten(true);
        set(machine, DATA + to, DATA + from, size);
        machine.vcpu.pstate = Pstate.EL1h | Pstate.Daif | Pstate.Nzcv >>> 0;
        machine.vcpu.pc = BigInt(CODE);
        const executed = finish(machine);
        assert.ok(executed <= 3 + 2 * (size / 4096 + 1), `${executed} for ${size} bytes`);
        assert.deepEqual(memory(machine), expected, `${round}: ${size} from ${from} to ${to}`);
        checkNoted(machine.core, DATA, before, expected, `${round}`);
        const ahead = base === COPY && from < to && from + size > to ? 0 : size;
        assert.deepEqual(values(machine), [DATA + to + ahead, DATA + from + ahead, 0].map(BigInt));
        assert.equal(machine.vcpu.pstate & Pstate.Nzcv, 0);
      }
    }
  }
});

Deno.test("a set fills its bytes with the lowest byte of a register, which may be XZR", () => {
  const random = new Random(89);
  for (const source of [VALUE, 31]) {
    const machine = machineWith(setParts(0, source));
    for (let round = 0; round < 60; round++) {
      const bytes = memory(machine), size = random.below([20, 300, 9000][round % 3]), to = random.below(DATA_SIZE - size);
      fill(bytes, random);
      const before = bytes.slice(), expected = bytes.slice(), value = random.wide();
      machine.core.forgetWritten(true);
      expected.fill(source === 31 ? 0 : Number(value & 0xffn), to, to + size);
      set(machine, DATA + to, 0, size);
      machine.vcpu.setX(VALUE, value);
      machine.vcpu.pc = BigInt(CODE);
      finish(machine);
      assert.deepEqual(memory(machine), expected);
      checkNoted(machine.core, DATA, before, expected, `${round}`);
      assert.deepEqual(values(machine), [DATA + to + size, 0, 0].map(BigInt));
    }
  }
});

Deno.test("a prologue limits the size, and copies nothing", () => {
  const cases = [
    [COPY, -1n, (1n << 55n) - 1n],
    [COPY, 1n << 55n, (1n << 55n) - 1n],
    [COPY_FORWARD, -1n, (1n << 63n) - 1n],
    [COPY_FORWARD, 1n << 55n, 1n << 55n],
  ] as const;
  for (const [base, asked, size] of cases) {
    const machine = machineWith(copyParts(base));
    set(machine, DATA, DATA + 64, asked);
    machine.run(1, CODE);
    assert.deepEqual(values(machine), [BigInt(DATA) + size, BigInt(DATA + 64) + size, BigInt.asUintN(64, -size)]);
  }
  const machine = machineWith(setParts());
  set(machine, DATA, 0, -1n);
  machine.run(1, CODE);
  assert.equal(machine.vcpu.getX(SIZE), BigInt.asUintN(64, -((1n << 63n) - 1n)));
});

Deno.test("both tiers copy and set equally at every budget, with a page per execution of the main part", () => {
  for (const words of [copyParts(COPY), copyParts(COPY_FORWARD), setParts()]) {
    // b .-12, so that a region is made of the loop around them.
    const loop = [0xd503201f, ...words, 0x17ff_fffc];
    const states = (["interp", "jit"] as const).map((tier) => {
      const machine = machineWith(loop, tier), list: string[] = [];
      memory(machine).forEach((_, i, bytes) => bytes[i] = i * 7);
      machine.vcpu.setX(VALUE, 0x5an);
      machine.vcpu.pc = BigInt(CODE);
      for (const budget of [1, 2, 3, 5, 1, 8, 4, 60, 7, 90, 33]) {
        set(machine, DATA + 0x2345, DATA + 0x111, 0x2fff);
        machine.vcpu.pc = BigInt(CODE);
        machine.run(budget);
        list.push(machine.registers());
      }
      return [list, memory(machine).slice()];
    });
    assert.deepEqual(states[0], states[1]);
  }
});

Deno.test("flags of option B, and an epilogue with bytes left, are refused with what a kernel repairs them by", () => {
  const EC = 0x27,
    cases: [words: number[], part: number, carry: boolean, size: bigint, iss: number][] = [
      [copyParts(COPY, 5), 1, true, -8n, 1 << 16 | 1 << 17 | 5 << 19],
      [copyParts(COPY_FORWARD), 2, true, 0n, 1 << 16 | 1 << 17 | 1 << 18],
      [copyParts(COPY), 2, false, -8n, 1 << 16 | 1 << 18],
      [setParts(1), 1, true, -8n, 1 << 16 | 1 << 17 | 1 << 24 | 1 << 19],
      [setParts(), 2, false, -1n, 1 << 16 | 1 << 18 | 1 << 24],
    ];
  for (const [words, part, carry, size, iss] of cases) {
    const machine = machineWith(words), { vcpu } = machine, isSet = words[0] >>> 22 === SET >>> 22;
    set(machine, DATA + 8, DATA + 108, size);
    vcpu.pstate = Pstate.EL1h | Pstate.Daif | (carry ? Pstate.C : 0);
    machine.run(1, CODE + 4 * part);
    const fields = TO << 10 | (isSet ? VALUE : FROM) << 5 | SIZE;
    assert.equal(vcpu.getRegister("ESR_EL1"), BigInt(EC * 2 ** 26 + (1 << 25 | iss | fields)));
    assert.equal(vcpu.getRegister("ELR_EL1"), BigInt(CODE + 4 * part));
    assert.equal(vcpu.getX(SIZE), BigInt.asUintN(64, size));
  }
});

Deno.test("at EL0, they are UNDEFINED until SCTLR_EL1.MSCEn permits them", () => {
  for (const words of [copyParts(COPY), setParts()]) {
    for (const [part, word] of words.entries()) {
      for (const enabled of [false, true]) {
        const machine = machineWith([word]), { vcpu } = machine;
        set(machine, DATA, DATA + 64, 0);
        vcpu.pstate = Pstate.EL0t;
        vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset) | (enabled ? 1n << BigInt(SCTLR_MSCEN_SHIFT) : 0n));
        machine.run(1, CODE);
        assert.equal(vcpu.getRegister("ESR_EL1"), enabled ? 0n : 0x200_0000n, `${part}`);
      }
    }
  }
});

Deno.test("a fault in the middle leaves the registers at the page that it is of", () => {
  const END = RAM_BASE + 0x40_0000;
  for (const [words, isWrite] of [[copyParts(COPY), true], [copyParts(COPY), false], [setParts(), true]] as const) {
    const machine = machineWith(words), size = 5000, near = END - 3000;
    set(machine, isWrite ? near : DATA, isWrite ? DATA : near, size);
    machine.vcpu.pc = BigInt(CODE);
    let exit = machine.run(1);
    for (let count = 0; exit.reason === ExitReason.Budget && count < 10; count++) exit = machine.run(1);
    assert.equal(exit.reason, ExitReason.Trap, "nothing is mapped there");
    assert.equal(exit.esr >>> 6 & 1, isWrite ? 1 : 0, "WnR");
    assert.deepEqual([exit.esr >>> 24 & 1, exit.far, machine.vcpu.pc], [0, BigInt(END), BigInt(CODE + 4)]);
    assert.equal(BigInt.asIntN(64, machine.vcpu.getX(SIZE)), -2000n);
  }
});

Deno.test("a copy over decoded instructions drops them, and a watchpoint stops before the part with the byte that it watches", () => {
  const words = copyParts(COPY), machine = machineWith(words), target = CODE + 0x100;
  // mov x9, #1; b .: executed, then replaced.
  [0xd280_0029, 0x1400_0000].forEach((word, i) => machine.view.setUint32(target + 4 * i - RAM_BASE, word, true));
  machine.run(4, target);
  assert.equal(machine.vcpu.getX(9), 1n);
  machine.view.setUint32(DATA - RAM_BASE + 96, 0xd280_0049, true);
  set(machine, target - 96, DATA, 100);
  machine.vcpu.pc = BigInt(CODE);
  finish(machine);
  machine.run(1, target);
  assert.equal(machine.vcpu.getX(9), 2n);

  const watched = BigInt(DATA + 0x1234), { core, vcpu } = machine;
  core.stops.insertWatchpoint(vcpu.stage2, watched, 1, "write");
  set(machine, DATA + 0x1230, DATA, 10);
  assert.deepEqual([machine.run(100, CODE).reason, vcpu.pc, BigInt.asIntN(64, vcpu.getX(SIZE))], [
    ExitReason.Watchpoint,
    BigInt(CODE + 4),
    -10n,
  ]);
  assert.deepEqual(core.stops.hit, { kind: "write", address: watched });
  assert.equal(core.step(vcpu, machine.now, machine.now).retired, 1);
  assert.equal(vcpu.getX(SIZE), 0n, "a step is that of a copy that nobody watches");
});

Deno.test("a copy or a set that is watched executes as many instructions as one that is not, in both tiers", () => {
  const random = new Random(90);
  for (const tier of ["interp", "jit"] as const) {
    for (let round = 0; round < 40; round++) {
      const isSet = random.below(3) === 0, parts = isSet ? setParts() : copyParts(random.below(2) ? COPY : COPY_FORWARD);
      const size = random.below([20, 300, 9000][round % 3]) + 1, from = random.below(DATA_SIZE - size), to = random.below(DATA_SIZE - size);
      // In a loop: b to the prologue, after the registers are set again.
      const again = [0xaa0a_03e0 | TO, 0xaa0b_03e0 | FROM, 0xaa0c_03e0 | SIZE, ...parts, 0x1400_0000 | -6 & 0x03ff_ffff];
      const kind = (["write", "read", "access"] as const)[random.below(3)],
        at = (isSet || kind === "write" ? to : from) + random.below(size);
      const [plain, watched] = [false, true].map((isWatched) => {
        const machine = machineWith(again, tier), { core, vcpu } = machine;
        fill(memory(machine), new Random(round));
        [[10, DATA + to], [11, DATA + from], [12, size]].forEach(([register, value]) => vcpu.setX(register, BigInt(value)));
        vcpu.pc = BigInt(CODE);
        let left = 400, stops = 0;
        machine.run(left / 2);
        if (isWatched) core.stops.watchMemory({ pa: DATA + at, length: 1, kind });
        for (left /= 2; left > 0;) {
          const exit = machine.run(left);
          left -= exit.retired;
          if (exit.reason !== ExitReason.Watchpoint) continue;
          stops++;
          left -= core.step(vcpu, machine.now, machine.now).retired;
        }
        return { state: [vcpu.pc, ...values(machine), memory(machine).slice()], stops };
      });
      assert.deepEqual(watched.state, plain.state, `${tier} ${round}`);
      assert.ok(watched.stops > 0 || isSet && kind === "read", `${tier} ${round}: ${kind}`);
    }
  }
});

Deno.test("a copy over a whole page replaces its code, in both tiers", () => {
  const PAGE = RAM_BASE + 0x4000, COUNT = 1023;
  // add x9, x9, #step, to the end of the page; b PAGE.
  const page = (step: number) => [...Array<number>(COUNT).fill(0x9100_0129 | step << 10), 0x1400_0000 | -COUNT & 0x03ff_ffff];
  for (const tier of ["interp", "jit"] as const) {
    const machine = machineWith(copyParts(COPY), tier), { core, vcpu, view } = machine;
    const put = (address: number, words: readonly number[]) =>
      words.forEach((word, i) => view.setUint32(address + 4 * i - RAM_BASE, word, true));
    put(PAGE, page(1));
    put(DATA, page(2));
    machine.run(20_000, PAGE);
    if (tier === "jit") assert.ok(core.counters.translator!.regions > 0);
    set(machine, PAGE, DATA, 4096);
    vcpu.pc = BigInt(CODE);
    finish(machine);
    vcpu.setX(9, 0n);
    machine.run(3 * (COUNT + 1), PAGE);
    assert.equal(vcpu.getX(9), BigInt(3 * 2 * COUNT), tier);
  }
});

Deno.test("registers that are the same, or XZR where a size or an address is wanted, are UNDEFINED", () => {
  for (
    const [word, isDefined] of [
      [COPY | 2 << 16 | 3 << 5 | 1, true],
      ...[[1, 3, 1], [2, 1, 1], [3, 3, 1], [31, 3, 1], [2, 31, 1], [2, 3, 31]].map(([s, n, d]) => [COPY | s << 16 | n << 5 | d, false]),
      [SET | 31 << 16 | 3 << 5 | 1, true],
      ...[[1, 3, 1], [2, 1, 1], [3, 3, 1], [2, 31, 1], [2, 3, 31]].map(([s, n, d]) => [SET | s << 16 | n << 5 | d, false]),
    ] as const
  ) {
    assert.equal(/^(cpy|set)/.test(disassemble(Number(word), 0n)), isDefined, Number(word).toString(16));
  }
});
