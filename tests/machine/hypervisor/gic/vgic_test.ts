// The VIC's GICv3: delivery, priorities, trigger modes and register frames (docs/spec/hypervisor.md
// §6.2, docs/spec/observed.md §3).

import assert from "node:assert/strict";
import fc from "fast-check";
import { dumpFields } from "../dump.ts";
import { Gicd, Gicr, Icc, Intid } from "../../../../src/machine/hypervisor/gic/gic-registers.ts";
import { Distributor } from "../../../../src/machine/hypervisor/gic/vgic-distributor.ts";
import { Redistributor } from "../../../../src/machine/hypervisor/gic/vgic-redistributor.ts";
import { Irq } from "../../../../src/machine/hypervisor/gic/irq-bank.ts";
import { Vgic } from "../../../../src/machine/hypervisor/gic/vgic.ts";
import type { VgicCpu } from "../../../../src/machine/hypervisor/gic/vgic-cpu-interface.ts";

class Rig {
  /** Indices without a vCPU. */
  readonly empty = new Set<number>();
  readonly gic = new Vgic(8, (index) => !this.empty.has(index));
  readonly distributor = new Distributor(this.gic);
  readonly redistributors = this.gic.cpus.map((cpu, index) => new Redistributor(this.gic, cpu, () => index === 7));
  readonly cpu = this.gic.cpus[0];

  /** Both sides of group 1 on, nothing masked. */
  on(): this {
    this.gicd(Gicd.CTLR, 2);
    for (const cpu of this.gic.cpus) {
      cpu.writeRegister(Icc.PMR, 0xffn);
      cpu.writeRegister(Icc.IGRPEN1, 1n);
    }
    return this;
  }
  gicd(offset: number, value: number, size = 4): void {
    assert.ok(this.distributor.write(this.cpu, offset, size, BigInt(value)));
  }
  readGicd(offset: number, size = 4): number {
    return Number(this.distributor.read(this.cpu, offset, size));
  }
  sgiFrame(offset: number, value: number, cpu = 0, size = 4): void {
    assert.ok(this.redistributors[cpu].write(Gicr.SgiFrame + offset, size, BigInt(value)));
  }
  readSgiFrame(offset: number, cpu = 0): number {
    return Number(this.redistributors[cpu].read(this.gic.cpus[cpu], Gicr.SgiFrame + offset, 4));
  }
  /** Group 1, priority 0x80, enabled, routed to vCPU 0. */
  spi(intid: number, edge: boolean): void {
    this.gic.update(this.cpu, intid, Irq.Group1 | Irq.Enabled | (edge ? Irq.Edge : 0), 0);
    this.gic.setPriority(this.cpu, intid, 0x80);
  }
  private(intid: number, priority = 0x80, cpu = 0): void {
    this.gic.update(this.gic.cpus[cpu], intid, Irq.Group1 | Irq.Enabled, 0);
    this.gic.setPriority(this.gic.cpus[cpu], intid, priority);
  }
  icc(key: number): number | undefined {
    return this.cpu.readRegister(key);
  }
  eoi(intid: number): void {
    assert.ok(this.cpu.writeRegister(Icc.EOIR1, BigInt(intid)));
  }
}

Deno.test("an SGI to oneself is pending, acknowledged, active and ended", () => {
  const rig = new Rig().on();
  rig.private(4);
  rig.cpu.writeRegister(Icc.SGI1R, 4n << 24n | 1n);
  assert.equal(rig.readSgiFrame(Gicd.ISPENDR), 0x10);
  assert.ok(rig.cpu.irq);
  assert.equal(rig.icc(Icc.HPPIR1), 4);
  assert.equal(rig.icc(Icc.IAR1), 4);
  assert.ok(!rig.cpu.irq);
  assert.equal(rig.readSgiFrame(Gicd.ISACTIVER), 0x10);
  assert.equal(rig.readSgiFrame(Gicd.ISPENDR), 0);
  assert.equal(rig.icc(Icc.RPR), 0x80);
  assert.equal(rig.icc(Icc.AP1R0), 0x10000);
  rig.eoi(4);
  assert.equal(rig.readSgiFrame(Gicd.ISACTIVER), 0);
  assert.equal(rig.icc(Icc.RPR), 0xff);
  assert.equal(rig.icc(Icc.IAR1), Intid.Spurious);
});

Deno.test("an SGI to all others reaches every vCPU but the sender", () => {
  const rig = new Rig().on();
  for (let i = 0; i < 8; i++) rig.private(3, 0x80, i);
  rig.cpu.writeRegister(Icc.SGI1R, 1n << 40n | 3n << 24n);
  assert.deepEqual(rig.gic.cpus.map((cpu) => cpu.irq), [false, true, true, true, true, true, true, true]);
});

Deno.test("an SGI to a vCPU that does not exist goes nowhere", () => {
  const rig = new Rig().on();
  rig.private(4);
  for (const value of [4n << 24n, 4n << 24n | 0x100n, 4n << 24n | 1n << 16n | 1n]) rig.cpu.writeRegister(Icc.SGI1R, value);
  assert.ok(rig.gic.cpus.every((cpu) => !cpu.irq));
});

Deno.test("an SGI to an index without a vCPU is not there for the vCPU that comes to it", () => {
  const rig = new Rig().on();
  rig.empty.add(5);
  rig.cpu.writeRegister(Icc.SGI0R, 1n << 40n | 3n << 24n);
  rig.cpu.writeRegister(Icc.SGI0R, 4n << 24n | 1n << 5n);
  rig.empty.clear();
  assert.equal(rig.readSgiFrame(Gicd.ISPENDR, 5), 0);
  rig.cpu.writeRegister(Icc.SGI0R, 4n << 24n | 1n << 5n);
  assert.equal(rig.readSgiFrame(Gicd.ISPENDR, 5), 1 << 4);
});

Deno.test("SGI1R raises SGIs of both groups, SGI0R only those of group 0", () => {
  const rig = new Rig().on();
  for (const group of [0, 1]) {
    rig.sgiFrame(Gicd.IGROUPR, group << 5);
    rig.cpu.writeRegister(Icc.SGI0R, 5n << 24n | 1n);
    assert.equal(rig.readSgiFrame(Gicd.ISPENDR), group === 0 ? 0x20 : 0);
    rig.sgiFrame(Gicd.ICPENDR, 0x20);
    rig.cpu.writeRegister(Icc.SGI1R, 5n << 24n | 1n);
    assert.equal(rig.readSgiFrame(Gicd.ISPENDR), 0x20);
    rig.sgiFrame(Gicd.ICPENDR, 0x20);
  }
});

Deno.test("an edge that another vCPU is about to take does not show as pending, one that it cannot take does", () => {
  const rig = new Rig().on();
  const [, other] = rig.gic.cpus;
  const pending = (reader: number) => Number(rig.redistributors[1].read(rig.gic.cpus[reader], Gicr.SgiFrame + Gicd.ISPENDR, 4));
  rig.private(4, 0x80, 1);
  rig.cpu.writeRegister(Icc.SGI1R, 4n << 24n | 2n);
  assert.deepEqual([pending(0), pending(1)], [0, 0x10]);
  other.writeRegister(Icc.IGRPEN1, 0n);
  assert.deepEqual([pending(0), pending(1)], [0x10, 0x10]);
  assert.equal(rig.redistributors[1].read(undefined, Gicr.SgiFrame + Gicd.ISPENDR, 4), 0x10n);
});

Deno.test("a level that ISPENDR raised does not show while it is active, and is taken again after its end", () => {
  const rig = new Rig().on();
  rig.spi(64, false);
  rig.gicd(Gicd.ISPENDR + 8, 1);
  assert.equal(rig.readGicd(Gicd.ISPENDR + 8), 1);
  assert.equal(rig.icc(Icc.IAR1), 64);
  assert.equal(rig.readGicd(Gicd.ISPENDR + 8), 0);
  rig.eoi(64);
  assert.equal(rig.readGicd(Gicd.ISPENDR + 8), 1);
  assert.equal(rig.icc(Icc.IAR1), 64);
});

Deno.test("IROUTER begins at the first SPI; GICR_CTLR has 32 and 64 bits", () => {
  const rig = new Rig();
  assert.ok(!rig.distributor.write(rig.cpu, Gicd.IROUTER, 4, 0xffff_ffffn));
  assert.equal(rig.readGicd(Gicd.IROUTER), 0);
  assert.ok(rig.distributor.write(rig.cpu, Gicd.IROUTER + 0x100, 4, 0n));
  const [frame] = rig.redistributors;
  assert.deepEqual([1, 2, 4, 8].map((size) => frame.read(rig.cpu, Gicr.CTLR, size)), [undefined, undefined, 0n, 0n]);
  assert.deepEqual([1, 2, 4, 8].map((size) => frame.write(Gicr.CTLR, size, 0n)), [false, false, true, true]);
});

Deno.test("a level SPI is pending as long as its source holds the line", () => {
  const rig = new Rig().on();
  let line = true;
  rig.spi(40, false);
  rig.gic.shared.sources.set(40, { stillPending: () => line });
  rig.gic.assertLevel(rig.cpu, 40);
  assert.equal(rig.icc(Icc.IAR1), 40);
  rig.eoi(40);
  assert.ok(rig.cpu.irq);
  assert.equal(rig.icc(Icc.IAR1), 40);
  line = false;
  rig.eoi(40);
  assert.ok(!rig.cpu.irq);
});

Deno.test("a level that its source raises while it is handled is taken once more, although the source is content at the end", () => {
  const rig = new Rig().on();
  rig.spi(40, false);
  rig.gic.shared.sources.set(40, { stillPending: () => false });
  rig.gic.assertLevel(rig.cpu, 40);
  assert.equal(rig.icc(Icc.IAR1), 40);
  rig.gic.assertLevel(rig.cpu, 40);
  rig.eoi(40);
  assert.equal(rig.icc(Icc.IAR1), 40);
  rig.eoi(40);
  assert.ok(!rig.cpu.irq);
});

Deno.test("a level that was raised and lowered is not an edge of an interrupt that becomes edge-triggered", () => {
  const rig = new Rig().on();
  rig.spi(40, false);
  rig.gic.assertLevel(rig.cpu, 40);
  rig.gic.lower(rig.cpu, 40);
  rig.gicd(Gicd.ICFGR + 8, 2 << 16);
  assert.ok(!rig.cpu.irq);
  rig.gic.assertLevel(rig.cpu, 40);
  assert.equal(rig.icc(Icc.IAR1), 40);
});

Deno.test("an edge-only source is not seen while its interrupt is configured as level", () => {
  const rig = new Rig().on();
  rig.spi(40, false);
  rig.gic.assertEdge(rig.cpu, 40);
  assert.equal(rig.readGicd(Gicd.ISPENDR + 4), 0);
  rig.gicd(Gicd.ICFGR + 8, 2 << 16);
  assert.ok(!rig.cpu.irq);
  rig.gic.assertEdge(rig.cpu, 40);
  assert.equal(rig.icc(Icc.IAR1), 40);
});

Deno.test("the highest priority is acknowledged first, then the lowest number", () => {
  const rig = new Rig().on();
  for (const [intid, priority] of [[64, 0xf0], [65, 0x08], [66, 0x08]]) {
    rig.spi(intid, true);
    rig.gic.setPriority(rig.cpu, intid, priority);
    rig.gic.setPending(rig.cpu, intid);
  }
  const order = [0, 1, 2].map(() => {
    const intid = rig.icc(Icc.IAR1)!;
    rig.eoi(intid);
    return intid;
  });
  assert.deepEqual(order, [65, 66, 64]);
});

Deno.test("only a higher group priority preempts", () => {
  const rig = new Rig().on();
  rig.private(3, 0x80);
  rig.private(2, 0x78);
  rig.cpu.writeRegister(Icc.BPR1, 4n);
  rig.gic.setPending(rig.cpu, 3);
  assert.equal(rig.icc(Icc.IAR1), 3);
  rig.gic.setPriority(rig.cpu, 3, 0x80);
  rig.gic.setPriority(rig.cpu, 2, 0x88);
  rig.gic.setPending(rig.cpu, 2);
  assert.ok(!rig.cpu.irq, "0x88 is in the group of 0x80");
  rig.gic.setPriority(rig.cpu, 2, 0x78);
  assert.ok(rig.cpu.irq);
  assert.equal(rig.icc(Icc.IAR1), 2);
  assert.equal(rig.icc(Icc.RPR), 0x70);
});

Deno.test("with EOImode 1 the priority drops at EOIR and the interrupt stays active until DIR", () => {
  const rig = new Rig().on();
  rig.spi(64, true);
  rig.cpu.writeRegister(Icc.CTLR, 2n);
  assert.equal(rig.icc(Icc.CTLR), 0x8c02);
  rig.gic.setPending(rig.cpu, 64);
  rig.icc(Icc.IAR1);
  rig.eoi(64);
  assert.equal(rig.icc(Icc.RPR), 0xff);
  assert.equal(rig.readGicd(Gicd.ISACTIVER + 8), 1);
  rig.cpu.writeRegister(Icc.DIR, 64n);
  assert.equal(rig.readGicd(Gicd.ISACTIVER + 8), 0);
});

Deno.test("an SPI follows its route, also when it is pending already", () => {
  const rig = new Rig().on();
  rig.spi(64, true);
  assert.ok(rig.distributor.write(rig.cpu, Gicd.IROUTER + 64 * 8, 8, 3n));
  rig.gic.setPending(rig.cpu, 64);
  assert.deepEqual(rig.gic.cpus.map((cpu) => cpu.irq), [false, false, false, true, false, false, false, false]);
  assert.ok(rig.distributor.write(rig.cpu, Gicd.IROUTER + 64 * 8, 8, 8n), "no such vCPU: no route");
  assert.ok(rig.gic.cpus.every((cpu) => !cpu.irq));
  assert.ok(rig.distributor.write(rig.cpu, Gicd.IROUTER + 64 * 8, 8, 0x8000_0000n), "IRM has no effect");
  assert.ok(rig.cpu.irq);
  assert.equal(rig.readGicd(Gicd.IROUTER + 64 * 8, 8), 0, "routes do not read back");
});

Deno.test("registers of a group that is off are undefined, its enable reads as zero", () => {
  const rig = new Rig();
  rig.cpu.writeRegister(Icc.IGRPEN1, 1n);
  assert.equal(rig.icc(Icc.IGRPEN1), 0, "off in the distributor");
  for (const key of [Icc.IAR1, Icc.HPPIR1, Icc.BPR1, Icc.AP1R0, Icc.IAR0]) assert.equal(rig.icc(key), undefined);
  rig.gicd(Gicd.CTLR, 2);
  assert.equal(rig.icc(Icc.IGRPEN1), 1);
  assert.equal(rig.icc(Icc.BPR1), 3);
  assert.equal(rig.icc(Icc.IAR0), undefined);
  assert.equal(rig.cpu.writeRegister(Icc.IAR1, 0n), false);
  assert.equal(rig.cpu.writeRegister(Icc.RPR, 0n), false);
});

Deno.test("group 0 is signaled as FIQ", () => {
  const rig = new Rig();
  rig.gicd(Gicd.CTLR, 1);
  rig.cpu.writeRegister(Icc.PMR, 0xffn);
  rig.cpu.writeRegister(Icc.IGRPEN0, 1n);
  rig.gic.update(rig.cpu, 5, Irq.Enabled, 0);
  rig.cpu.writeRegister(Icc.SGI0R, 5n << 24n | 1n);
  assert.ok(rig.cpu.fiq && !rig.cpu.irq);
  assert.equal(rig.icc(Icc.IAR0), 5);
});

Deno.test("GICD identification, access sizes and the status register", () => {
  const rig = new Rig();
  assert.equal(rig.readGicd(Gicd.CTLR), 0x50);
  assert.equal(rig.readGicd(Gicd.TYPER), 0x0349001f);
  assert.equal(rig.readGicd(Gicd.IIDR), 0x47000070);
  assert.equal(rig.readGicd(Gicd.PIDR2), 0x30);
  assert.equal(rig.distributor.read(rig.cpu, Gicd.TYPER, 8), undefined);
  assert.equal(rig.distributor.read(rig.cpu, Gicd.CTLR, 1), undefined);
  assert.equal(rig.distributor.read(rig.cpu, 0x7fc + 3, 1), undefined);
  rig.readGicd(0x5000);
  assert.equal(rig.readGicd(Gicd.STATUSR), 1);
  assert.equal(rig.distributor.write(rig.cpu, 0x5000, 4, 1n), false);
  rig.gicd(Gicd.TYPER, 1);
  rig.readGicd(Gicd.SETSPI_NSR);
  assert.equal(rig.readGicd(Gicd.STATUSR), 15);
  rig.gicd(Gicd.STATUSR, 15);
  assert.equal(rig.readGicd(Gicd.STATUSR), 0);
});

Deno.test("GICD's first word shows the caller's own SGIs and PPIs and does not change them", () => {
  const rig = new Rig();
  rig.sgiFrame(Gicd.ISENABLER, 8);
  rig.gicd(Gicd.ISENABLER, 0xffff_ffff);
  rig.gicd(Gicd.IPRIORITYR, 0x8080_8080);
  assert.equal(rig.readGicd(Gicd.ISENABLER), 8);
  assert.equal(rig.readGicd(Gicd.IPRIORITYR), 0);
  rig.gicd(Gicd.ISENABLER + 31 * 4, 0xffff_ffff);
  assert.equal(rig.readGicd(Gicd.ISENABLER + 31 * 4), 0x0fff_ffff, "1020 to 1023 are no interrupts");
});

Deno.test("GICR identifies its vCPU and the last one", () => {
  const rig = new Rig();
  assert.equal(rig.redistributors[5].read(rig.gic.cpus[5], Gicr.TYPER, 8), 0x5_0000_0500n);
  assert.equal(rig.redistributors[7].read(rig.gic.cpus[7], Gicr.TYPER, 8), 0x7_0000_0710n);
  assert.equal(rig.redistributors[7].read(rig.gic.cpus[7], Gicr.TYPER + 4, 4), 7n);
  assert.equal(rig.redistributors[0].read(rig.gic.cpus[0], Gicr.WAKER, 4), 0n);
  assert.ok(rig.redistributors[0].write(Gicr.WAKER, 4, 0xffff_ffffn));
  assert.equal(rig.redistributors[0].read(rig.gic.cpus[0], Gicr.WAKER, 4), 6n);
  assert.equal(rig.readSgiFrame(Gicd.ICFGR), 0xaaaa_aaaa);
});

Deno.test("what another vCPU has acknowledged does not read as active", () => {
  const rig = new Rig().on();
  rig.spi(64, true);
  rig.gic.setRoute(64, 1);
  rig.gic.setPending(rig.cpu, 64);
  assert.equal(rig.gic.cpus[1].readRegister(Icc.IAR1), 64);
  assert.equal(rig.readGicd(Gicd.ISACTIVER + 8), 0);
  rig.gicd(Gicd.ICACTIVER + 8, 1);
  assert.ok(rig.gic.isActive(rig.gic.cpus[1], 64), "an acknowledged interrupt is not deactivated by a register write");
});

Deno.test("no sequence of register accesses throws or signals an interrupt that is not enabled", () => {
  const access = fc.record({
    frame: fc.constantFrom("gicd", "gicr", "icc"),
    offset: fc.integer({ min: 0, max: 0x1_ffff }),
    size: fc.constantFrom(1, 2, 4, 8),
    value: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
    write: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 60 }), (accesses) => {
      const rig = new Rig().on();
      for (const { frame, offset, size, value, write } of accesses) {
        const cut = BigInt.asUintN(size * 8, value);
        const aligned = offset & ~(size - 1);
        if (frame === "icc") {
          const key = Object.values(Icc)[offset % Object.values(Icc).length];
          if (write) rig.cpu.writeRegister(key, value);
          else rig.cpu.readRegister(key);
        } else if (frame === "gicd") {
          if (write) rig.distributor.write(rig.cpu, aligned & 0xffff, size, cut);
          else rig.distributor.read(rig.cpu, aligned & 0xffff, size);
        } else if (write) rig.redistributors[0].write(aligned, size, cut);
        else rig.redistributors[0].read(rig.gic.cpus[0], aligned, size);
        const best = rig.cpu.irq ? rig.icc(Icc.HPPIR1)! : undefined;
        if (best !== undefined) assert.ok(rig.gic.bank(rig.cpu, best).flags[best] & Irq.Enabled);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("a vCPU that comes to an index finds its interrupts as at a start, and SPIs that wait there", () => {
  const rig = new Rig().on();
  rig.private(4);
  rig.spi(40, true);
  rig.cpu.writeRegister(Icc.SGI1R, 4n << 24n | 1n);
  assert.equal(rig.icc(Icc.IAR1), 4);
  rig.gic.setPending(rig.cpu, 40);
  rig.gic.vacate(0);
  const state = (cpu: VgicCpu) => dumpFields((archive) => cpu.archive(archive));
  const { "bank.flags": _, "bank.taken": __, ...left } = state(rig.cpu);
  const { "bank.flags": ___, "bank.taken": ____, ...fresh } = state(new Rig().cpu);
  assert.deepEqual(left, fresh);
  assert.equal(rig.readSgiFrame(Gicd.ISENABLER) | rig.readSgiFrame(Gicd.ISACTIVER) | rig.readSgiFrame(Gicd.ISPENDR), 0);
  assert.ok(!rig.cpu.irq);
  rig.on();
  assert.equal(rig.icc(Icc.IAR1), 40);
});

Deno.test("an SPI that was active on a vCPU that is gone can be ended by another", () => {
  const rig = new Rig().on();
  rig.spi(40, true);
  rig.gic.setPending(rig.cpu, 40);
  assert.equal(rig.icc(Icc.IAR1), 40);
  rig.gic.vacate(0);
  const other = rig.gic.cpus[1];
  assert.ok(rig.gic.isActive(other, 40));
  rig.gic.setActive(other, 40, false);
  assert.ok(!rig.gic.isActive(other, 40));
});

Deno.test("ICC_DIR ends what its own vCPU has acknowledged, and nothing of another's", () => {
  const rig = new Rig().on();
  const other = rig.gic.cpus[1];
  for (const cpu of [rig.cpu, other]) cpu.writeRegister(Icc.CTLR, 2n);
  rig.spi(40, true);
  rig.gic.setPending(rig.cpu, 40);
  assert.equal(rig.icc(Icc.IAR1), 40);
  rig.eoi(40);
  assert.ok(other.writeRegister(Icc.DIR, 40n));
  assert.ok(rig.gic.isActive(rig.cpu, 40));
  assert.ok(rig.cpu.writeRegister(Icc.DIR, 40n));
  assert.ok(!rig.gic.isActive(rig.cpu, 40));
});
