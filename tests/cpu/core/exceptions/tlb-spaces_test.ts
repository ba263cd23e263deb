// Translations of cores with EL2: TLBI reaches the CPUs and VMs that it names, and each of two
// guests finds its own again after the other has run.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Hcr } from "../../../../src/cpu/core/architecture/hypervisor-control.ts";
import type { VcpuContext } from "../../../../src/cpu/core/registers/vcpu-context.ts";
import { parseCpu, withEl2 } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { Machine, RAM_BASE } from "../program.ts";

const CPU = withEl2(parseCpu("v8,+FEAT_VHE"));
const LDR_X1_X0 = 0xf9400001;
/** TLBI of the page in X2. */
const Tlbi = { VAE2: 0xd50c8722, VAE2IS: 0xd50c8322, VAE1: 0xd5088722, VAE1IS: 0xd5088322, ALLE1IS: 0xd50c8382 } as const;
const VMALLS12E1IS = 0xd50c83df;

/** Places of the code, of the tables, and of the pages that the data is in, one after the other. */
const CODE = RAM_BASE + 0x1000, STAGE1 = RAM_BASE + 0x1_0000, STAGE2 = RAM_BASE + 0x2_0000, PAGES = RAM_BASE + 0x10_0000;
/** The address of the data: the second 2 MiB are mapped by pages. */
const DATA = RAM_BASE + 0x20_0000;
const TABLE_SIZE = 0x1000, TABLES = 3;
const OFF = 0x30d00800n, ON = OFF | 1n;
/** 39 bits from level 1. */
const TCR = 25n | 0x3500n | 2n << 16n | 1n << 23n | 1n << 31n, TCR_EL1 = 25n | 1n << 23n | 2n << 32n;
const VTCR = 1n << 31n | 1n << 16n | 0x3500n | 1n << 6n | 28n;
const VALID = 3n, BLOCK = 1n, ACCESSED = 1n << 10n, STAGE2_ALL = 0xffn << 2n | ACCESSED;

class Cpus {
  readonly machine = new Machine({ cpu: CPU });
  readonly cpus: readonly VcpuContext[] = [this.machine.vcpu, this.machine.createVcpu()];

  constructor() {
    this.poke(CODE, BigInt(LDR_X1_X0));
    for (let page = 0; page < 8; page++) this.poke(PAGES + page * 4096, BigInt(0x100 + page));
    for (const vcpu of this.cpus) {
      vcpu.setX(0, BigInt(DATA));
      vcpu.setX(2, BigInt(DATA >> 12));
    }
  }

  poke(address: number, value: bigint): void {
    this.machine.view.setBigUint64(address - RAM_BASE, value, true);
    this.machine.core.memoryWritten(address, 8);
  }

  /** Tables at `root` for the RAM, with the data at a page of `PAGES`. */
  map(root: number, page: number, attributes: bigint): void {
    const [middle, last] = [root + TABLE_SIZE, root + 2 * TABLE_SIZE].map(BigInt);
    this.poke(root + 8, middle | VALID);
    this.poke(Number(middle), BigInt(RAM_BASE) | attributes | BLOCK);
    this.poke(Number(middle) + 8, last | VALID);
    this.poke(Number(last), BigInt(PAGES + page * 4096) | attributes | VALID);
  }

  /** The data as a CPU reads it at a level. */
  read(cpu: number, level: number): bigint {
    this.#execute(cpu, level, LDR_X1_X0);
    return this.cpus[cpu].getX(1);
  }

  invalidate(cpu: number, level: number, word: number): void {
    this.#execute(cpu, level, word);
  }

  /** One instruction. */
  #execute(cpu: number, level: number, word: number): void {
    const vcpu = this.cpus[cpu], at = CODE + (word === LDR_X1_X0 ? 0 : 8);
    if (at !== CODE) this.poke(at, BigInt(word >>> 0));
    // As an exception, or a return, would: at EL2 first.
    vcpu.pstate = Pstate.EL2h | Pstate.Daif;
    this.machine.run(0, at, vcpu);
    vcpu.pstate = level | Pstate.Daif;
    const { retired } = this.machine.run(1, at, vcpu);
    assert.deepEqual([retired, vcpu.pc], [1, BigInt(at + 4)]);
  }
}

Deno.test("TLBI of EL2 reaches this CPU, and with IS all", () => {
  const cpus = new Cpus();
  cpus.map(STAGE1, 0, ACCESSED);
  for (const vcpu of cpus.cpus) {
    vcpu.setRegister("TTBR0_EL2", BigInt(STAGE1));
    vcpu.setRegister("TCR_EL2", TCR);
    vcpu.setRegister("MAIR_EL2", 0xffn);
    vcpu.setRegister("SCTLR_EL2", ON);
  }
  const both = () => [0, 1].map((cpu) => cpus.read(cpu, Pstate.EL2h));
  assert.deepEqual(both(), [0x100n, 0x100n]);
  cpus.map(STAGE1, 1, ACCESSED);
  assert.deepEqual(both(), [0x100n, 0x100n], "a TLB may keep what is not invalidated, and this one does");
  cpus.invalidate(0, Pstate.EL2h, Tlbi.VAE1IS);
  assert.deepEqual(both(), [0x100n, 0x100n], "that of EL1 is for another regime");
  cpus.invalidate(0, Pstate.EL2h, Tlbi.VAE2);
  assert.deepEqual(both(), [0x101n, 0x100n]);
  cpus.map(STAGE1, 2, ACCESSED);
  cpus.invalidate(0, Pstate.EL2h, Tlbi.VAE2IS);
  assert.deepEqual(both(), [0x102n, 0x102n]);
});

/** Two VMs with tables of both stages; the first of stage 2 are at STAGE2. */
function machineWithGuests(): { readonly cpus: Cpus; use(cpu: number, vm: number): void } {
  const cpus = new Cpus();
  cpus.map(STAGE1, 0, ACCESSED);
  for (const vm of [0, 1]) {
    const root = STAGE2 + vm * TABLES * TABLE_SIZE;
    cpus.map(root, vm, STAGE2_ALL);
    // The page that stage 1 leads to.
    cpus.poke(root + TABLE_SIZE, BigInt(root + 2 * TABLE_SIZE) | VALID);
    for (let page = 0; page < 512; page++) cpus.poke(root + 2 * TABLE_SIZE + 8 * page, BigInt(RAM_BASE + page * 4096) | STAGE2_ALL | VALID);
    cpus.poke(root + 2 * TABLE_SIZE + 8 * ((PAGES - RAM_BASE) / 4096), BigInt(PAGES + vm * 4096) | STAGE2_ALL | VALID);
  }
  for (const vcpu of cpus.cpus) {
    vcpu.setRegister("TTBR0_EL1", BigInt(STAGE1));
    vcpu.setRegister("TCR_EL1", TCR_EL1);
    vcpu.setRegister("MAIR_EL1", 0xffn);
    vcpu.setRegister("SCTLR_EL1", ON);
    vcpu.setRegister("VTCR_EL2", VTCR);
    vcpu.setRegister("HCR_EL2", Hcr.RW | Hcr.VM);
  }
  // By an instruction of EL2: what is written from outside drops all translations.
  const use = (cpu: number, vm: number) => {
    cpus.cpus[cpu].setX(2, BigInt(STAGE2 + vm * TABLES * TABLE_SIZE) | BigInt(vm + 1) << 48n);
    cpus.invalidate(cpu, Pstate.EL2h, MSR_VTTBR_EL2_X2);
    cpus.cpus[cpu].setX(2, BigInt(DATA >> 12));
  };
  return { cpus, use };
}
const MSR_VTTBR_EL2_X2 = 0xd51c2102, MSR_SCTLR_EL1_X2 = 0xd5181002;

/** Maps the data of a VM elsewhere. */
function remap(cpus: Cpus, vm: number, page: number): void {
  const root = STAGE2 + vm * TABLES * TABLE_SIZE;
  cpus.poke(root + 2 * TABLE_SIZE + 8 * ((PAGES - RAM_BASE) / 4096), BigInt(PAGES + page * 4096) | STAGE2_ALL | VALID);
}

Deno.test("a guest finds its translations again after another has run, until they are invalidated on all CPUs", () => {
  const { cpus, use } = machineWithGuests();
  const readAs = (cpu: number, vm: number) => {
    use(cpu, vm);
    return cpus.read(cpu, Pstate.EL1h);
  };
  const all = () => [0, 1].flatMap((cpu) => [0, 1].map((vm) => readAs(cpu, vm)));
  assert.deepEqual(all(), [0x100n, 0x101n, 0x100n, 0x101n]);
  for (const vm of [0, 1]) remap(cpus, vm, 2 + vm);
  assert.deepEqual(all(), [0x100n, 0x101n, 0x100n, 0x101n], "kept");
  use(0, 0);
  cpus.invalidate(0, Pstate.EL2h, VMALLS12E1IS);
  assert.deepEqual(all(), [0x102n, 0x101n, 0x102n, 0x101n], "those of the first VM");
  cpus.invalidate(1, Pstate.EL2h, Tlbi.ALLE1IS);
  assert.deepEqual(all(), [0x102n, 0x103n, 0x102n, 0x103n]);
});

Deno.test("TLBI of EL1 is for its VM: for this CPU, with IS or HCR_EL2.FB for all", () => {
  for (const [word, force, reaches] of [[Tlbi.VAE1, 0n, false], [Tlbi.VAE1, Hcr.FB, true], [Tlbi.VAE1IS, 0n, true]] as const) {
    const { cpus, use } = machineWithGuests();
    for (const vcpu of cpus.cpus) vcpu.setRegister("HCR_EL2", Hcr.RW | Hcr.VM | force);
    for (const cpu of [0, 1]) {
      for (const vm of [1, 0]) {
        use(cpu, vm);
        cpus.read(cpu, Pstate.EL1h);
      }
    }
    for (const vm of [0, 1]) remap(cpus, vm, 2 + vm);
    cpus.invalidate(0, Pstate.EL1h, word);
    assert.deepEqual([0, 1].map((cpu) => cpus.read(cpu, Pstate.EL1h)), [0x102n, reaches ? 0x102n : 0x100n]);
    use(0, 1);
    assert.equal(cpus.read(0, Pstate.EL1h), 0x101n, "another VM's stay");
  }
});

Deno.test("a guest whose stage-1 controls EL2 has changed has no translations of the earlier ones", () => {
  const { cpus, use } = machineWithGuests();
  use(0, 0);
  assert.equal(cpus.read(0, Pstate.EL1h), 0x100n);
  use(0, 1);
  cpus.cpus[0].setX(2, OFF);
  cpus.invalidate(0, Pstate.EL2h, MSR_SCTLR_EL1_X2);
  use(0, 0);
  // Stage 1 is off: the address is that of stage 2, where it leads to the RAM's second 2 MiB.
  const vcpu = cpus.cpus[0];
  vcpu.setX(0, BigInt(PAGES + 5 * 4096));
  assert.equal(cpus.read(0, Pstate.EL1h), 0x105n);
});
