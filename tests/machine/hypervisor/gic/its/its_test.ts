// An ITS and LPIs: each command of the GIC architecture with its errors, stalls, registers, and
// tables in memory (Arm IHI 0069 chapters 5, 6 and 12). tests/differential/its_test.ts has the same
// commands beside QEMU.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Gicd, Gicr, Icc } from "../../../../../src/machine/hypervisor/gic/gic-registers.ts";
import { Baser, Command, Gits } from "../../../../../src/machine/hypervisor/gic/its/its-registers.ts";
import { Distributor } from "../../../../../src/machine/hypervisor/gic/vgic-distributor.ts";
import { Vgic } from "../../../../../src/machine/hypervisor/gic/vgic.ts";
import { Archive } from "../../../../../src/machine/hardware/archive.ts";
import { COLLECTIONS, DEVICES, ItsRig, ITT, MEMORY_SIZE, pendingTable, PROPERTIES, QUEUE, QUEUE_SIZE, words } from "./rig.ts";
import { LONG } from "../../../../support/long.ts";

Deno.test("registers of a GIC with LPIs: LPIS and IDbits, PLPIS, EnableLPIs, tables of 64 bits and by halves", () => {
  const rig = new ItsRig();
  assert.equal(new Distributor(rig.gic).read(rig.gic.cpus[0], Gicd.TYPER, 4), 0x036b_001fn);
  assert.equal(rig.readGicr(1, Gicr.TYPER, 8), 1n << 32n | 1n << 8n | 0x10n | 1n);
  assert.equal(rig.readGicr(0, Gicr.CTLR), 2n, "CES");
  rig.gicr(0, Gicr.PROPBASER, 0x1_2345_600dn, 8);
  assert.deepEqual([rig.readGicr(0, Gicr.PROPBASER), rig.readGicr(0, Gicr.PROPBASER + 4)], [0x2345_600dn, 1n]);
  rig.gicr(0, Gicr.PENDBASER + 4, 0x4000_0002n);
  rig.gicr(0, Gicr.PENDBASER, 0x1_0000n);
  assert.equal(rig.readGicr(0, Gicr.PENDBASER, 8), 0x2_0001_0000n, "PTZ reads as zero");
  rig.gicr(0, Gicr.CTLR, 1n);
  assert.equal(rig.readGicr(0, Gicr.CTLR), 3n);
  rig.gicr(0, Gicr.PROPBASER, 0n, 8);
  assert.equal(rig.readGicr(0, Gicr.PROPBASER, 8), 0x1_2345_600dn, "fixed while LPIs are enabled");
});

Deno.test("a GIC without LPIs has none of their registers", () => {
  const gic = new Vgic(1, () => true);
  assert.equal(gic.its, undefined);
  assert.equal(new Distributor(gic).read(gic.cpus[0], Gicd.TYPER, 4), 0x0349_001fn);
});

Deno.test("registers of the ITS: tables and queue are fixed while it is enabled, other locations read as zero", () => {
  const rig = new ItsRig();
  assert.equal(rig.readGits(Gits.TYPER), 0x1f_0001_ef71n);
  assert.deepEqual([rig.readGits(Gits.CTLR, 4), rig.readGits(Gits.PIDR2, 4), rig.readGits(Gits.IIDR, 4)], [
    0x8000_0000n,
    0x30n,
    0x4700_0070n,
  ]);
  rig.gits(Gits.BASER, ~0n);
  assert.equal(rig.readGits(Gits.BASER), 0xf9e7_ffff_ffff_ffffn, "type and entry size are fixed");
  rig.gits(Gits.BASER + 16, ~0n);
  assert.equal(rig.readGits(Gits.BASER + 16), 0n, "there are two tables");
  rig.gits(Gits.CBASER + 4, 0x8000_0001n, 4);
  rig.gits(Gits.CBASER, 0x2000n, 4);
  assert.equal(rig.readGits(Gits.CBASER), 0x8000_0001_0000_2000n);
  rig.gits(Gits.CTLR, 1n, 4);
  rig.gits(Gits.CBASER, 0n);
  rig.gits(Gits.BASER, 0n);
  assert.deepEqual([rig.readGits(Gits.CTLR, 4), rig.readGits(Gits.CBASER)], [0x8000_0001n, 0x8000_0001_0000_2000n]);
  assert.equal(rig.readGits(Gits.BASER), 0xf9e7_ffff_ffff_ffffn);
  assert.deepEqual([rig.readGits(0x40), rig.readGits(Gits.TRANSLATER, 4)], [0n, 0n]);
  assert.ok(rig.frame.write(Gits.TYPER, 8, 0n) && rig.frame.write(0x50, 4, 1n));
  assert.deepEqual([rig.readGits(Gits.TYPER, 1), rig.readGits(Gits.TYPER + 4, 8), rig.frame.write(Gits.CBASER, 2, 0n)], [
    ...[undefined, undefined, false],
  ]);
});

Deno.test("MAPD, MAPC, MAPTI: a message makes its LPI pending, which is acknowledged and ended without an active state", () => {
  const rig = new ItsRig().on().mapped();
  assert.equal(rig.command("MAPTI", { event: 3, intid: 8200, collection: 0 }), undefined);
  assert.equal(rig.gic.its!.translate(0, 3), undefined);
  assert.ok(rig.gic.cpus[0].irq);
  assert.equal(rig.gic.cpus[0].readRegister(Icc.HPPIR1), 8200);
  assert.equal(rig.acknowledge(), 8200);
  assert.ok(!rig.gic.cpus[0].irq);
  assert.equal(rig.gic.cpus[0].readRegister(Icc.RPR), 0xa0);
  // It may come again at once, below its running priority.
  rig.gic.its!.translate(0, 3);
  assert.equal(rig.acknowledge(), 1023);
  rig.gic.cpus[0].writeRegister(Icc.EOIR1, 8200n);
  assert.deepEqual(rig.taken(), [8200]);
  assert.equal(rig.gic.cpus[0].readRegister(Icc.RPR), 0xff);
});

Deno.test("MAPI: the LPI is the event's number", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPD", { device: 1, bits: 14, itt: ITT + 0x1000 });
  assert.equal(rig.command("MAPI", { device: 1, event: 8192 + 5 }), undefined);
  assert.equal(rig.command("MAPI", { device: 1, event: 5 }), "pINTID is not an LPI of this GIC");
  rig.command("INT", { device: 1, event: 8192 + 5 });
  assert.deepEqual(rig.taken(), [8197]);
});

Deno.test("INT and CLEAR: pending, and no longer", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPTI", { event: 1, intid: 8193, collection: 1 });
  assert.equal(rig.command("INT", { event: 1 }), undefined);
  assert.deepEqual([rig.gic.cpus[0].irq, rig.gic.cpus[1].irq], [false, true]);
  assert.equal(rig.command("CLEAR", { event: 1 }), undefined);
  assert.deepEqual([rig.gic.cpus[1].irq, rig.taken(1)], [false, []]);
});

Deno.test("MOVI: what is pending goes along; MOVALL: everything that is pending does, and mappings stay", () => {
  const rig = new ItsRig().on().mapped();
  for (let event = 0; event < 4; event++) rig.command("MAPTI", { event, intid: 8192 + event, collection: 0 });
  rig.command("INT", { event: 0 });
  assert.equal(rig.command("MOVI", { event: 0, collection: 1 }), undefined);
  assert.deepEqual([rig.taken(0), rig.taken(1)], [[], [8192]]);
  for (let event = 0; event < 4; event++) rig.command("INT", { event });
  assert.equal(rig.command("MOVALL", { cpu: 0, to: 1 }), undefined);
  assert.deepEqual([rig.taken(0), rig.taken(1)], [[], [8192, 8193, 8194, 8195]]);
  rig.command("INT", { event: 3 });
  assert.deepEqual([rig.taken(0), rig.taken(1)], [[8195], []]);
  rig.gicr(1, Gicr.CTLR, 0n);
  rig.command("INT", { event: 3 });
  rig.command("MOVALL", { cpu: 0, to: 1 });
  assert.deepEqual([rig.taken(0), rig.taken(1)], [[], []], "a redistributor without LPIs loses them");
});

Deno.test("INV and INVALL: configuration in memory counts from then on", () => {
  const rig = new ItsRig().on().mapped();
  for (let event = 0; event < 2; event++) {
    rig.command("MAPTI", { event, intid: 8192 + event });
    rig.command("INT", { event });
  }
  rig.property(8192, 0xa0);
  assert.ok(rig.gic.cpus[0].irq);
  assert.equal(rig.command("INV", { event: 0 }), undefined);
  assert.deepEqual(rig.taken(), [8193]);
  rig.command("INT", { event: 1 });
  rig.property(8192, 0x41);
  rig.property(8193, 0xa0);
  assert.equal(rig.command("INVALL", { collection: 0 }), undefined);
  assert.equal(rig.acknowledge(), 8192);
  assert.equal(rig.gic.cpus[0].readRegister(Icc.RPR), 0x40);
  rig.gic.cpus[0].writeRegister(Icc.EOIR1, 8192n);
  assert.deepEqual(rig.taken(), []);
});

Deno.test("DISCARD: the mapping and what is pending are gone", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPTI", { event: 2, intid: 8194 });
  rig.command("INT", { event: 2 });
  assert.equal(rig.command("DISCARD", { event: 2 }), undefined);
  assert.deepEqual(rig.taken(), []);
  assert.equal(rig.command("INT", { event: 2 }), "the event is not mapped");
  assert.equal(rig.command("DISCARD", { event: 2 }), "the event is not mapped");
});

Deno.test("SYNC: for a redistributor that there is", () => {
  const rig = new ItsRig().on();
  assert.deepEqual([rig.command("SYNC", { cpu: 1 }), rig.command("SYNC", { cpu: 2 })], [undefined, "RDbase names no redistributor"]);
});

Deno.test("each error of a command has its rule, and the queue continues", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPTI", { event: 0, intid: 8192 });
  const errors: [string | undefined, string][] = [
    [rig.command("MAPD", { device: 0x1_0000, bits: 1 }), "DeviceID is out of range"],
    [rig.command("MAPD", { device: 512, bits: 1 }), "DeviceID is outside of the device table"],
    [rig.command("MAPD", { device: 1, bits: 17 }), "Size exceeds GITS_TYPER.ID_bits"],
    [rig.command("MAPC", { collection: 5, cpu: 2 }), "RDbase names no redistributor"],
    [rig.command("MAPC", { collection: 512, cpu: 0 }), "ICID is outside of the collection table"],
    [rig.command("MAPTI", { device: 1, event: 0, intid: 8192 }), "the device is not mapped"],
    [rig.command("MAPTI", { device: 0x1_0000, intid: 8192 }), "DeviceID is out of range"],
    [rig.command("MAPTI", { event: 16, intid: 8192 }), "EventID is out of the device's range"],
    [rig.command("MAPTI", { event: 1, intid: 8191 }), "pINTID is not an LPI of this GIC"],
    [rig.command("MAPTI", { event: 1, intid: 16384 }), "pINTID is not an LPI of this GIC"],
    [rig.command("MOVI", { event: 1, collection: 1 }), "the event is not mapped"],
    [rig.command("MOVI", { event: 0, collection: 5 }), "the collection is not mapped"],
    [rig.command("INVALL", { collection: 5 }), "the collection is not mapped"],
    [rig.command("MOVALL", { cpu: 0, to: 9 }), "RDbase names no redistributor"],
    [rig.command("INV", { event: 9 }), "the event is not mapped"],
    [rig.command("CLEAR", { device: 3 }), "the device is not mapped"],
  ];
  for (const [error, rule] of errors) assert.equal(error, rule);
  rig.put([0x77n, 0n, 0n, 0n]);
  rig.put(words("INT", { event: 0 }));
  rig.gits(Gits.CWRITER, BigInt(rig.next));
  assert.equal(rig.readGits(Gits.CREADR), BigInt(rig.next));
  assert.deepEqual(rig.taken(), [8192]);
  assert.equal(rig.gic.its!.translate(0, 7), "event-unmapped");
  rig.gits(Gits.CTLR, 0n, 4);
  assert.equal(rig.gic.its!.translate(0, 0), "its-disabled");
});

/** The commands of GICv4 and GICv4.1 (Arm IHI 0069 section 5.3), for virtual LPIs and SGIs. */
const VIRTUAL_COMMANDS: Readonly<Record<string, number>> = {
  ...{ VMOVI: 0x21, VMOVP: 0x22, VSGI: 0x23, VSYNC: 0x25, VMAPP: 0x29, VMAPTI: 0x2a, VMAPI: 0x2b, VINVALL: 0x2d, INVDB: 0x2e },
};

Deno.test("each command of GICv4 is refused, as GITS_TYPER has no virtual LPIs, and so is each other number", () => {
  const rig = new ItsRig().on().mapped();
  assert.equal(rig.readGits(Gits.TYPER)! & 2n, 0n, "GITS_TYPER.Virtual");
  const known = new Set<number>(Object.values(Command));
  assert.equal(known.size, 12);
  assert.deepEqual(Object.values(VIRTUAL_COMMANDS).filter((number) => known.has(number)), []);
  for (let number = 0; number <= 0xff; number++) {
    if (known.has(number)) continue;
    rig.events.length = 0;
    rig.put([BigInt(number), 0n, 0n, 0n]);
    rig.gits(Gits.CWRITER, BigInt(rig.next));
    assert.equal(rig.events.length, 1);
    assert.match(rig.events[0], /: there is no such command$/, `0x${number.toString(16)}`);
  }
  rig.command("MAPTI", { event: 0, intid: 8192 });
  rig.command("INT", { event: 0 });
  assert.deepEqual(rig.taken(), [8192]);
});

Deno.test("where a table cannot be accessed the ITS stalls, and continues when software retries", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPD", { device: 1, bits: 2, itt: MEMORY_SIZE });
  const at = BigInt(rig.next);
  assert.equal(rig.command("MAPTI", { device: 1, intid: 8192 }), "stalled: a table cannot be accessed");
  assert.equal(rig.readGits(Gits.CREADR), at | 1n);
  rig.put(words("MAPTI", { event: 0, intid: 8192 }));
  rig.put(words("INT", { event: 0 }));
  rig.gits(Gits.CWRITER, BigInt(rig.next));
  assert.deepEqual(rig.taken(), [], "it is stalled");
  // Software replaces the command that failed.
  new DataView(rig.memory.bytes.buffer).setBigUint64(Number(at), words("SYNC", {})[0], true);
  rig.gits(Gits.CWRITER, BigInt(rig.next) | 1n);
  assert.equal(rig.readGits(Gits.CREADR), BigInt(rig.next));
  assert.deepEqual(rig.taken(), [8192]);
  rig.memory.end = QUEUE;
  assert.equal(rig.command("SYNC"), "stalled: the command queue cannot be read");
});

Deno.test("the queue wraps; an offset beyond its end executes nothing", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPTI", { event: 0, intid: 8192 });
  for (let count = 0; count < QUEUE_SIZE / 32; count++) assert.equal(rig.command("INT", { event: 0 }), undefined);
  const before = rig.readGits(Gits.CREADR);
  rig.gits(Gits.CWRITER, BigInt(QUEUE_SIZE));
  assert.equal(rig.readGits(Gits.CREADR), before);
});

Deno.test("a device table of two levels, with pages of each size", () => {
  for (const [field, size] of [[0n, 0x1000], [1n, 0x4000], [2n, 0x1_0000]] as const) {
    const rig = new ItsRig().on(Baser.Indirect | field << Baser.PageSizeShift);
    new DataView(rig.memory.bytes.buffer).setBigUint64(DEVICES + 8, Baser.Valid | 0x9_0000n, true);
    rig.mapped();
    const first = size / 8;
    assert.equal(rig.command("MAPD", { device: first + 3, bits: 1, itt: ITT }), undefined);
    assert.equal(rig.memory.bytes[0x9_0000 + 3 * 8] & 1, 1);
    assert.equal(rig.command("MAPTI", { device: first + 3, intid: 8192 }), undefined);
    rig.command("INT", { device: first + 3 });
    assert.deepEqual(rig.taken(), [8192], String(size));
    assert.equal(rig.command("MAPD", { device: 3, bits: 1, itt: ITT }), "DeviceID is outside of the device table");
  }
});

Deno.test("pending bits are in the pending table while LPIs are disabled, and come back unless PTZ says that it is zero", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPTI", { event: 0, intid: 8192 + 11 });
  rig.command("INT", { event: 0 });
  rig.gicr(0, Gicr.CTLR, 0n);
  assert.ok(!rig.gic.cpus[0].irq);
  assert.equal(rig.memory.bytes[pendingTable(0) + 1024 + 1], 8);
  assert.equal(rig.command("INT", { event: 0 }), undefined, "it is lost");
  rig.gicr(0, Gicr.CTLR, 1n);
  assert.deepEqual(rig.taken(), [8203]);
  rig.gicr(0, Gicr.CTLR, 0n);
  rig.memory.bytes[pendingTable(0) + 1024] = 1;
  rig.gicr(0, Gicr.PENDBASER, BigInt(pendingTable(0)) | 1n << 62n, 8);
  rig.gicr(0, Gicr.CTLR, 1n);
  assert.deepEqual(rig.taken(), []);
});

Deno.test("an interrupt of higher priority comes first, LPI or not", () => {
  const rig = new ItsRig().on().mapped();
  const [cpu] = rig.gic.cpus;
  for (let event = 0; event < 3; event++) rig.command("MAPTI", { event, intid: 8192 + event });
  rig.property(8193, 0x21);
  cpu.bank.flags[5] |= 3;
  rig.gic.setPriority(cpu, 5, 0x60);
  for (const event of [0, 1, 2]) rig.command("INT", { event });
  rig.gic.setPending(cpu, 5);
  assert.deepEqual(rig.taken(), [8193, 5, 8192, 8194]);
});

Deno.test("a store to GITS_TRANSLATER is a message of device 0", () => {
  const rig = new ItsRig().on().mapped();
  rig.command("MAPTI", { event: 6, intid: 8198 });
  rig.gits(Gits.TRANSLATER, 6n, 4);
  assert.deepEqual(rig.taken(), [8198]);
});

function save({ gic }: ItsRig) {
  const archive = new Archive();
  gic.archive(archive);
  return archive.saved;
}

/** A new GIC with a saved state. */
function loaded(saved: ReturnType<typeof save>): ItsRig {
  const rig = new ItsRig(), archive = new Archive(saved);
  rig.gic.archive(archive);
  archive.finish();
  return rig;
}

Deno.test("a GIC with LPIs is what it was after it was saved and loaded", () => {
  const rig = new ItsRig().on().mapped();
  for (let event = 0; event < 3; event++) rig.command("MAPTI", { event, intid: 8192 + event, collection: event & 1 });
  for (let event = 0; event < 3; event++) rig.command("INT", { event });
  assert.equal(rig.acknowledge(1), 8193);
  const saved = save(rig), copy = loaded(saved);
  assert.deepEqual(save(copy), saved);
  copy.memory.bytes.set(rig.memory.bytes);
  assert.deepEqual([copy.taken(0), copy.readGits(Gits.CREADR)], [[8192, 8194], rig.readGits(Gits.CREADR)]);
  assert.equal(copy.gic.its!.translate(0, 0), undefined);
  assert.deepEqual(copy.taken(0), [8192]);
});

/** Any command, often with fields that fit. */
const anyCommand = fc.oneof(
  fc.tuple(fc.bigInt(0n, 0xffn), fc.bigInt(0n, 3n), fc.bigInt(0n, 20n), fc.bigInt(8190n, 8210n), fc.bigInt(0n, 3n), fc.boolean()).map((
    [number, device, event, intid, collection, valid],
  ) => [
    number % 16n | device << 32n,
    event | intid << 32n,
    collection | collection << 16n | (valid ? Baser.Valid : 0n),
    collection << 16n,
  ]),
  fc.tuple(...[0, 1, 2, 3].map(() => fc.bigInt(0n, 2n ** 64n - 1n))),
);

Deno.test("whatever a guest writes into registers, queue and tables, nothing throws, and what is saved loads", () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: anyCommand.map((command) => (rig: ItsRig) => rig.put(command)) },
    { weight: 4, arbitrary: fc.constant((rig: ItsRig) => rig.gits(Gits.CWRITER, BigInt(rig.next) | 1n)) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom(DEVICES, COLLECTIONS, ITT, PROPERTIES, QUEUE), fc.uint8Array({ maxLength: 64 })).map((
        [at, bytes],
      ) =>
      (rig: ItsRig) => rig.memory.bytes.set(bytes, at)),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.constantFrom(Gits.CTLR, Gits.CBASER, Gits.CWRITER, Gits.BASER, Gits.BASER + 8, Gits.TRANSLATER),
        fc.bigInt(0n, 2n ** 64n - 1n),
        fc.constantFrom(4, 8),
      ).map(([offset, value, size]) => (rig: ItsRig) => void rig.frame.write(offset, size, value)),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom(Gicr.CTLR, Gicr.PROPBASER, Gicr.PENDBASER), fc.bigInt(0n, 2n ** 64n - 1n), fc.constantFrom(4, 8))
        .map(([offset, value, size]) => (rig: ItsRig) => void rig.redistributors[0].write(offset, size, value)),
    },
    { weight: 1, arbitrary: fc.constantFrom(0, 1).map((cpu) => (rig: ItsRig) => void rig.taken(cpu)) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: MEMORY_SIZE }).map((end) => (rig: ItsRig) => void (rig.memory.end = end)) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rig = new ItsRig().on().mapped();
      for (const act of steps) act(rig);
      const saved = save(rig), again = save(loaded(saved));
      assert.ok(again.every((byte, at) => byte === saved[at]) && again.length === saved.length);
    }),
    { seed: 18, numRuns: LONG ? 20_000 : 200 },
  );
});
