// Address translation: what stage 1 and stage 2 allow, and the exact exception for what they do
// not.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Access } from "../../../../src/cpu/core/state/functions.ts";
import { ExitReason, Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { enable, Leaf, PageTables, SCTLR_ON, TCR_48 } from "./page-tables.ts";
import { CODE, type Outcome, RAM_BASE, Rig } from "../rig.ts";

const PAGE = 0x4000_5000;
const VALUE = 0x1122_3344_5566_7788n;
const LOW = 0x0000_7654_3210_f000n;
const HIGH = 0xffff_8000_1234_5000n;

const EL0 = Pstate.EL0t;
const EL1 = Pstate.EL1h;

/** ESR of an abort at the current EL. */
const DATA = 0x9600_0000;
const FETCH = 0x8600_0000;
/** The same from EL0, and what EL2 gets. */
const DATA_LOWER = 0x9200_0000;
const FETCH_LOWER = 0x8200_0000;
const WNR = 0x40;

const TRANSLATION_3 = 0x07, ACCESS_FLAG_3 = 0x0b, PERMISSION_3 = 0x0f, ALIGNMENT = 0x21;
const signed = (va: bigint) => BigInt.asIntN(64, va);
const load = (rig: Rig, va: bigint, access = 8) => rig.call("slowLoad", signed(va), access);
const store = (rig: Rig, va: bigint, value = 1n, access = 8) => rig.call("slowStore", signed(va), access, value);
const fetch = (rig: Rig, va: bigint) => rig.call("fetchAddress", signed(va));

/** The fault is EL1's, with this syndrome, at this address. */
function assertFault(outcome: Outcome, esr: number, far: bigint): void {
  assert.equal(outcome.exit, undefined, `left the core: ${JSON.stringify(outcome, (_, v) => typeof v === "bigint" ? v.toString(16) : v)}`);
  assert.equal(outcome.esr?.toString(16), esr.toString(16));
  assert.equal(outcome.far, BigInt.asUintN(64, far));
}

/**
 * A rig with stage 1 on: LOW and HIGH map PAGE with these attributes; the code page is mapped as
 * well.
 */
function mapped(attributes: bigint, tableBits = 0n): { rig: Rig; tables: PageTables; high: PageTables } {
  const rig = new Rig();
  const tables = new PageTables(rig), high = new PageTables(rig);
  tables.map(LOW, PAGE, attributes, 3, tableBits);
  high.map(HIGH, PAGE, attributes, 3, tableBits);
  enable(rig, tables, high);
  rig.poke(PAGE, VALUE);
  return { rig, tables, high };
}

Deno.test("with stage 1 off, addresses are flat and data must be aligned", () => {
  const rig = new Rig();
  rig.poke(PAGE, VALUE);
  assert.equal(load(rig, BigInt(PAGE)).value, VALUE);
  assert.equal(load(rig, BigInt(PAGE), 1).value, 0x88n);
  assert.equal(load(rig, BigInt(PAGE) + 4n, 4).value, 0x11223344n);
  assertFault(load(rig, BigInt(PAGE) + 1n, 4), DATA + 0x21, BigInt(PAGE) + 1n);
  assertFault(store(rig, BigInt(PAGE) + 1n, 0n, 2), DATA + WNR + 0x21, BigInt(PAGE) + 1n);
  assert.equal(fetch(rig, BigInt(PAGE)).value, rig.wasmAddress(PAGE));
});

Deno.test("with stage 1 off, an address that no output can be is an address size fault of level 0, any other is stage 2's", () => {
  const rig = new Rig();
  assertFault(load(rig, 1n << 63n), DATA, 1n << 63n);
  assertFault(store(rig, -8n), DATA + WNR, -8n);
  const beyond = load(rig, 1n << 36n);
  assert.deepEqual([beyond.exit, beyond.esr, beyond.ipa], [ExitReason.Trap, DATA_LOWER + 0x04, 2 ** 36]);
});

Deno.test("pages of both halves translate through four levels", () => {
  const { rig } = mapped(Leaf.Accessed);
  for (const va of [LOW, HIGH]) {
    assert.equal(load(rig, va).value, VALUE);
    assert.equal(load(rig, va + 3n, 2).value, 0x4455n);
    assert.equal(store(rig, va + 8n, 0x99n).esr, undefined);
    assert.equal(rig.peek(PAGE + 8), 0x99n);
    assert.equal(fetch(rig, va + 0x24n).value, rig.wasmAddress(PAGE + 0x24));
  }
});

Deno.test("every T0SZ from 16 to 39 starts at its level with its number of entries", () => {
  for (let tsz = 16; tsz <= 39; tsz++) {
    const rig = new Rig();
    const tables = new PageTables(rig, tsz);
    const last = (1n << BigInt(64 - tsz)) - 0x1000n;
    // The first table may be shorter than a page; here it has one to itself.
    for (const va of [0n, last]) tables.map(va, PAGE);
    enable(rig, tables);
    rig.poke(PAGE, VALUE);
    for (const va of [0n, last]) assert.equal(load(rig, va).value, VALUE, `T0SZ ${tsz}, VA 0x${va.toString(16)}`);
    assertFault(load(rig, last + 0x1000n), DATA + 0x04, last + 0x1000n);
    const top = BigInt.asUintN(64, last | -1n << BigInt(64 - tsz));
    assert.equal(load(rig, top).value, VALUE, `T1SZ ${tsz}`);
  }
});

Deno.test("a TxSZ out of range counts as the nearest in range", () => {
  const rig = new Rig();
  const tables = new PageTables(rig, 16);
  tables.map(LOW, PAGE);
  enable(rig, tables);
  rig.poke(PAGE, VALUE);
  rig.set("TCR_EL1", TCR_48 & ~0x3fn | 5n);
  rig.functions.tlbFlushAll();
  assert.equal(load(rig, LOW).value, VALUE);
});

Deno.test("blocks of 2 MiB and 1 GiB translate, each address to its own place", () => {
  const rig = new Rig();
  const tables = new PageTables(rig);
  tables.map(0x20_0000n, RAM_BASE, Leaf.Accessed, 2);
  tables.map(0x40_0000_0000n, RAM_BASE, Leaf.Accessed, 1);
  enable(rig, tables);
  rig.poke(PAGE, VALUE);
  rig.poke(0x4010_0008, 7n);
  assert.equal(load(rig, 0x20_5000n).value, VALUE);
  assert.equal(load(rig, 0x30_0008n).value, 7n);
  assert.equal(load(rig, 0x40_0000_5000n).value, VALUE);
  assert.equal(load(rig, 0x40_0010_0008n).value, 7n);
});

Deno.test("an invalid descriptor is a translation fault of its level", () => {
  for (const level of [0, 1, 2, 3]) {
    const { rig, tables } = mapped(Leaf.Accessed);
    rig.poke(tables.descriptor(LOW, level), 0xfffn << 12n);
    assertFault(load(rig, LOW), DATA + 0x04 + level, LOW);
    assertFault(store(rig, LOW), DATA + WNR + 0x04 + level, LOW);
    assertFault(fetch(rig, LOW), FETCH + 0x04 + level, LOW);
  }
});

Deno.test("a block at level 0 and the reserved form at level 3 are translation faults", () => {
  const first = mapped(Leaf.Accessed);
  first.rig.poke(first.tables.descriptor(LOW, 0), BigInt(RAM_BASE) | Leaf.Accessed | 1n);
  assertFault(load(first.rig, LOW), DATA + 0x04, LOW);
  const last = mapped(Leaf.Accessed);
  last.rig.poke(last.tables.descriptor(LOW, 3), BigInt(PAGE) | Leaf.Accessed | 1n);
  assertFault(load(last.rig, LOW), DATA + 0x07, LOW);
});

Deno.test("a clear access flag is an access flag fault of the leaf's level", () => {
  const { rig, tables } = mapped(0n);
  assertFault(load(rig, LOW), DATA + 0x0b, LOW);
  tables.map(0x20_0000n, RAM_BASE, 0n, 2);
  assertFault(load(rig, 0x20_0000n), DATA + 0x0a, 0x20_0000n);
  tables.map(0x40_0000_0000n, RAM_BASE, 0n, 1);
  assertFault(load(rig, 0x40_0000_0000n), DATA + 0x09, 0x40_0000_0000n);
});

Deno.test("an output address beyond the physical range is an address size fault of the descriptor's level", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  tables.map(LOW, 1n << 36n);
  assertFault(load(rig, LOW), DATA + 0x03, LOW);
  rig.poke(tables.descriptor(LOW, 1), 1n << 40n | 3n);
  assertFault(load(rig, LOW), DATA + 0x01, LOW);
  rig.set("TTBR0_EL1", 1n << 36n);
  assertFault(load(rig, LOW), DATA, LOW);
});

Deno.test("TCR_EL1.IPS of 32 bits limits output addresses to 32 bits", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  tables.map(LOW, 1n << 32n);
  assert.equal(load(rig, LOW).exit, ExitReason.Trap);
  rig.set("TCR_EL1", TCR_48 & ~(7n << 32n));
  assertFault(load(rig, LOW), DATA + 0x03, LOW);
});

Deno.test("addresses between the halves, and halves that EPD turns off, are translation faults of level 0", () => {
  const { rig } = mapped(Leaf.Accessed);
  assertFault(load(rig, 0x0001_0000_0000_0000n), DATA + 0x04, 0x0001_0000_0000_0000n);
  assertFault(load(rig, 0xfffe_8000_0000_0000n), DATA + 0x04, 0xfffe_8000_0000_0000n);
  rig.set("TCR_EL1", TCR_48 | 1n << 7n);
  assertFault(load(rig, LOW), DATA + 0x04, LOW);
  assert.equal(load(rig, HIGH).value, VALUE);
  rig.set("TCR_EL1", TCR_48 | 1n << 23n);
  rig.functions.tlbFlushAll();
  assertFault(load(rig, HIGH), DATA + 0x04, HIGH);
});

Deno.test("the top byte counts unless TBI ignores it, and FAR keeps it", () => {
  const { rig } = mapped(Leaf.Accessed);
  const tagged = LOW | 0xa5n << 56n;
  assertFault(load(rig, tagged), DATA + 0x04, tagged);
  rig.set("TCR_EL1", TCR_48 | 1n << 37n);
  assert.equal(load(rig, tagged).value, VALUE);
  assert.equal(load(rig, LOW).value, VALUE);
  assertFault(load(rig, tagged + 0x1000n), DATA + 0x07, tagged + 0x1000n);
  const taggedHigh = HIGH & ~(0xffn << 56n);
  assertFault(load(rig, taggedHigh), DATA + 0x04, taggedHigh);
  rig.set("TCR_EL1", TCR_48 | 1n << 38n);
  assert.equal(load(rig, taggedHigh).value, VALUE);
});

/** [attributes, EL0 read, write, execute, EL1 read, write, execute]; table D5-28 and D5-32. */
const PERMISSIONS: [string, bigint, string][] = [
  ["kernel data", 0n, "--x rwx"],
  ["user data", Leaf.User, "rwx rw-"],
  ["kernel read-only", Leaf.ReadOnly, "--x r-x"],
  ["user read-only", Leaf.User | Leaf.ReadOnly, "r-x r-x"],
  ["PXN", Leaf.ReadOnly | Leaf.Pxn, "--x r--"],
  ["UXN", Leaf.User | Leaf.ReadOnly | Leaf.Uxn, "r-- r-x"],
  ["user data, PXN and UXN", Leaf.User | Leaf.Pxn | Leaf.Uxn, "rw- rw-"],
];

/**
 * The allowed part of "rwx rwx" (EL0, EL1); anything but an allowed access must be a permission
 * fault of level 3.
 */
function allowed(rig: Rig, va: bigint, pan = 0): string {
  return [EL0, EL1].map((el) => {
    const lower = el === EL0;
    rig.pstate(el | (lower ? 0 : pan));
    const access = (letter: string, outcome: Outcome, esr: number) => {
      rig.pstate(el | (lower ? 0 : pan));
      if (outcome.value !== undefined && outcome.esr === undefined || Object.keys(outcome).length === 1) return letter;
      assertFault(outcome, esr + 0x0f, va);
      return "-";
    };
    return access("r", load(rig, va), lower ? DATA_LOWER : DATA) + access("w", store(rig, va), (lower ? DATA_LOWER : DATA) + WNR) +
      access("x", fetch(rig, va), lower ? FETCH_LOWER : FETCH);
  }).join(" ");
}

Deno.test("access permissions are those of AP, UXN and PXN", () => {
  for (const [name, attributes, expected] of PERMISSIONS) {
    const { rig } = mapped(attributes | Leaf.Accessed);
    assert.equal(allowed(rig, LOW), expected, name);
  }
});

Deno.test("hierarchical controls take rights away", () => {
  const with_ = (bits: bigint, attributes = 0n) => allowed(mapped(Leaf.Accessed | attributes, bits).rig, LOW);
  assert.equal(with_(Leaf.TableNoWrite, Leaf.User), "r-x r-x");
  assert.equal(with_(Leaf.TableNoUser, Leaf.User), "--x rwx");
  assert.equal(with_(Leaf.TablePxn), "--x rw-");
  assert.equal(with_(Leaf.TableXn), "--- rwx");
});

Deno.test("SCTLR_EL1.WXN makes writable memory not executable", () => {
  const check = (attributes: bigint) => {
    const { rig } = mapped(Leaf.Accessed | attributes);
    rig.set("SCTLR_EL1", SCTLR_ON | 1n << 19n);
    return allowed(rig, LOW);
  };
  assert.equal(check(0n), "--x rw-");
  assert.equal(check(Leaf.User), "rw- rw-");
  assert.equal(check(Leaf.ReadOnly), "--x r-x");
});

Deno.test("PAN denies EL1 the data of EL0, but not LDTR and instructions", () => {
  const { rig } = mapped(Leaf.Accessed | Leaf.User | Leaf.ReadOnly);
  assert.equal(allowed(rig, LOW, Pstate.PAN), "r-x --x");
  rig.pstate(EL1 | Pstate.PAN);
  assert.equal(load(rig, LOW, 8 | Access.Unprivileged).value, VALUE);
  assertFault(load(rig, LOW), DATA + 0x0f, LOW);
  rig.pstate(EL1);
  assert.equal(load(rig, LOW).value, VALUE);
  rig.pstate(EL1 | Pstate.PAN);
  assertFault(load(rig, LOW), DATA + 0x0f, LOW);
});

Deno.test("LDTR and STTR have the rights of EL0 and fault at the current EL", () => {
  const { rig } = mapped(Leaf.Accessed);
  assert.equal(load(rig, LOW).value, VALUE);
  assertFault(load(rig, LOW, 8 | Access.Unprivileged), DATA + 0x0f, LOW);
  assertFault(store(rig, LOW, 0n, 8 | Access.Unprivileged), DATA + WNR + 0x0f, LOW);
});

Deno.test("unaligned accesses work in Normal memory and fault in Device memory and under SCTLR_EL1.A", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  tables.map(LOW + 0x1000n, PAGE + 0x1000, Leaf.Accessed | Leaf.Device);
  assert.equal(load(rig, LOW + 1n).value, VALUE >> 8n);
  assert.equal(load(rig, LOW + 0x1000n).value, 0n);
  assertFault(load(rig, LOW + 0x1001n), DATA + 0x21, LOW + 0x1001n);
  assertFault(load(rig, LOW + 1n, 8 | Access.Aligned), DATA + 0x21, LOW + 1n);
  rig.call("writeSystemRegister", 3 << 14 | 1 << 7, SCTLR_ON | 2n);
  assertFault(load(rig, LOW + 1n), DATA + 0x21, LOW + 1n);
  assert.equal(load(rig, LOW).value, VALUE);
});

/** Faults of an access, in the order in which the architecture looks for them. */
const MAPPINGS: readonly (readonly [what: string, attributes: bigint | undefined, status: number])[] = [
  ["no page", undefined, TRANSLATION_3],
  ["a page that was not accessed", Leaf.Device, ACCESS_FLAG_3],
  ["Device memory of EL1", Leaf.Device | Leaf.Accessed, ALIGNMENT],
  ["Device memory that is read-only", Leaf.Device | Leaf.Accessed | Leaf.User | Leaf.ReadOnly, ALIGNMENT],
  ["Device memory", Leaf.Device | Leaf.Accessed | Leaf.User, ALIGNMENT],
  ["Normal memory of EL1", Leaf.Accessed, PERMISSION_3],
];

Deno.test("an alignment fault by the type of memory comes after translation and access flag, before permissions and stage 2", () => {
  for (const [what, attributes, expected] of MAPPINGS) {
    for (const stage2 of [Stage2Flags.Read | Stage2Flags.Write, 0]) {
      const { rig, tables } = mapped(0n);
      if (attributes === undefined) rig.poke(tables.descriptor(LOW, 3), 0n);
      else tables.map(LOW, PAGE, attributes);
      tables.map(LOW - 0x1000n, PAGE + 0x1000, Leaf.Accessed | Leaf.User);
      rig.stage2.map(PAGE, PAGE, 0x1000, stage2);
      rig.functions.tlbFlushAll?.();
      const zero = Access.Aligned | Access.Zero | 64, beyond = LOW - 3n;
      const accesses: Readonly<Record<string, () => Outcome>> = {
        load: () => load(rig, LOW + 1n),
        store: () => store(rig, LOW + 1n),
        zero: () => rig.call("slowAddress", signed(LOW + 64n), zero),
        "load of two pages": () => load(rig, beyond),
        "store to two pages": () => store(rig, beyond),
      };
      for (const [name, access] of Object.entries(accesses)) {
        // A write alone is refused a read-only page, and stage 2 has the last word of what stage 1
        // permits.
        rig.pstate(EL0);
        const { esr, exit } = access();
        if (exit !== undefined) {
          assert.ok(attributes === (Leaf.Device | Leaf.Accessed | Leaf.User) || name.startsWith("load") && what.endsWith("read-only"));
          assert.equal(stage2, 0, `${name}: ${what}`);
        } else assert.deepEqual([esr! >>> 26, esr! & 0x3f], [0x24, expected], `${name}: ${what}`);
      }
      // AT looks at the page alone.
      rig.pstate(EL1);
      rig.call("systemInstruction", 7 << 7 | 8 << 3 | 2, signed(LOW + 1n));
      const par = rig.get("PAR_EL1"), permitted = attributes !== undefined && (attributes & Leaf.User) !== 0n;
      assert.equal(
        Number(par & 0x7fn),
        permitted ? Number(par & 0x7en) : expected === ALIGNMENT ? PERMISSION_3 << 1 | 1 : expected << 1 | 1,
        what,
      );
    }
  }
});

Deno.test("an access that has to be aligned whatever the memory is faults before its address is translated", () => {
  const { rig } = mapped(Leaf.Accessed);
  for (const access of [Access.Aligned | 8, Access.Aligned | 4]) {
    assert.equal(load(rig, LOW + 0x10_0001n, access).esr! & 0x3f, ALIGNMENT, "exclusives, and LDAR");
    assert.equal(rig.call("slowAddress", signed(LOW + 0x10_0001n), access).esr! & 0x3f, ALIGNMENT, "atomics");
  }
});

Deno.test("an access over two pages joins them, and its fault is the second page's", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  tables.map(LOW + 0x1000n, PAGE + 0x8000, Leaf.Accessed | Leaf.ReadOnly);
  rig.poke(PAGE + 0xff8, 0x0102_0304_0506_0708n);
  rig.poke(PAGE + 0x8000, 0x1112_1314_1516_1718n);
  assert.equal(load(rig, LOW + 0xffdn).value, 0x14_1516_1718_010203n);
  assertFault(store(rig, LOW + 0xffdn), DATA + WNR + 0x0f, LOW + 0x1000n);
  assert.equal(rig.peek(PAGE + 0xff8), 0x0102_0304_0506_0708n, "nothing is stored");
  tables.map(LOW + 0x1000n, PAGE + 0x8000);
  assert.equal(Object.keys(store(rig, LOW + 0xffdn, 0xa1a2_a3a4_a5a6_a7a8n)).length, 1);
  assert.equal(rig.peek(PAGE + 0xff8), 0xa6a7_a804_0506_0708n);
  assert.equal(rig.peek(PAGE + 0x8000), 0x1112_13a1_a2a3_a4a5n);
  tables.map(LOW + 0x1000n, PAGE + 0x8000, Leaf.Accessed | Leaf.Device);
  assertFault(load(rig, LOW + 0xffdn), DATA + 0x21, LOW + 0x1000n);
});

Deno.test("a stage-2 fault leaves the core with FAR, IPA and PC", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  tables.map(LOW, 0x9000_0000);
  rig.setWord("IP", 0x40 * 4);
  const read = load(rig, LOW + 0x18n, 4);
  assert.deepEqual(
    read,
    { exit: ExitReason.Trap, esr: DATA_LOWER + 0x06, far: LOW + 0x18n, ipa: 0x9000_0018, pa: read.pa, pc: CODE + 0x40n } as Outcome,
  );
  assert.equal(store(rig, LOW).esr, DATA_LOWER + WNR + 0x06);
  const execute = fetch(rig, LOW);
  assert.deepEqual([execute.exit, execute.esr, execute.pc], [ExitReason.Trap, FETCH_LOWER + 0x06, LOW]);
});

Deno.test("stage-2 permissions of read, write and execute at each EL are obeyed", () => {
  const { rig } = mapped(Leaf.Accessed | Leaf.User | Leaf.ReadOnly);
  const ipa = PAGE;
  const outcomes = (flags: number, el: number) => {
    rig.stage2.map(ipa, ipa, 4096, flags);
    rig.functions.tlbFlushStage2(rig.stage2.id);
    rig.pstate(el);
    return [load(rig, LOW), fetch(rig, LOW)].map((outcome) => outcome.exit === ExitReason.Trap ? outcome.esr! & 0x3f : "ok");
  };
  assert.deepEqual(outcomes(Stage2Flags.Read, EL1), ["ok", 0x0f]);
  assert.deepEqual(outcomes(Stage2Flags.Write, EL1), [0x0f, 0x0f]);
  assert.deepEqual(outcomes(Stage2Flags.Read | Stage2Flags.ExecuteEl1, EL1), ["ok", "ok"]);
  assert.deepEqual(outcomes(Stage2Flags.Read | Stage2Flags.ExecuteEl1, EL0), ["ok", 0x0f]);
  assert.deepEqual(outcomes(Stage2Flags.ExecuteEl0, EL0), [0x0f, "ok"]);
});

Deno.test("a write to a page that stage 2 maps for reading only is a permission fault", () => {
  const { rig } = mapped(Leaf.Accessed);
  rig.stage2.map(PAGE, PAGE, 4096, Stage2Flags.Read);
  assert.equal(load(rig, LOW).value, VALUE);
  const outcome = store(rig, LOW);
  assert.deepEqual([outcome.exit, outcome.esr, outcome.ipa], [ExitReason.Trap, DATA_LOWER + WNR + 0x0f, PAGE]);
});

Deno.test("a stage-2 fault on a table walk says so and names the descriptor", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  const descriptor = tables.descriptor(LOW, 3);
  rig.stage2.unmap(descriptor & ~0xfff, 4096);
  const outcome = store(rig, LOW);
  assert.deepEqual([outcome.exit, outcome.esr, outcome.ipa, outcome.far], [ExitReason.Trap, DATA_LOWER + 0x80 + 0x07, descriptor, LOW]);
});

Deno.test("a table in a device is an external abort on the walk", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  rig.stage2.map(0x900_0000, 0x900_0000, 4096, Stage2Flags.Read | Stage2Flags.Write);
  rig.poke(tables.descriptor(LOW, 2), 0x900_0003n);
  assertFault(load(rig, LOW), DATA + 0x17, LOW);
});

Deno.test("an access to a device leaves as Bus with its physical address; a fetch from one is an external abort", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  rig.stage2.map(0xa00_0000, 0x900_0000, 4096, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.Device);
  tables.map(LOW, 0xa00_0000, Leaf.Accessed | Leaf.Device);
  const outcome = store(rig, LOW + 0x18n, 0n, 1);
  assert.deepEqual([outcome.exit, outcome.esr! & WNR, outcome.far, outcome.pa], [ExitReason.Bus, WNR, LOW + 0x18n, 0x900_0018]);
  assertFault(fetch(rig, LOW), FETCH + 0x10, LOW);
});

Deno.test("stage 2's Device attribute makes Normal memory of stage 1 need alignment", () => {
  const { rig } = mapped(Leaf.Accessed);
  rig.stage2.map(PAGE, PAGE, 4096, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.Device);
  assert.equal(load(rig, LOW).value, VALUE);
  assertFault(load(rig, LOW + 2n), DATA + 0x21, LOW + 2n);
});

Deno.test("a misaligned PC is a PC alignment fault at its own address", () => {
  const { rig } = mapped(Leaf.Accessed);
  const outcome = fetch(rig, LOW + 2n);
  assertFault(outcome, 0x8a00_0000, LOW + 2n);
  assert.equal(outcome.elr, LOW + 2n);
});

Deno.test("the preferred return address of a fetch fault is the target, of a data abort the instruction", () => {
  const { rig } = mapped(Leaf.Accessed);
  rig.setWord("IP", 0x10 * 4);
  assert.equal(fetch(rig, LOW + 0x2000n).elr, LOW + 0x2000n);
  rig.pstate(EL1);
  assert.equal(load(rig, LOW + 0x2000n).elr, CODE + 0x10n);
});

Deno.test("an atomic blames the write only where a read was allowed", () => {
  const { rig } = mapped(Leaf.Accessed | Leaf.ReadOnly);
  const atomic = (va: bigint) => rig.call("slowAddress", signed(va), 8 | Access.Aligned);
  rig.word = 0xf820_0020; // LDADD
  assertFault(atomic(LOW), DATA + WNR + 0x0f, LOW);
  assertFault(atomic(LOW + 0x1000n), DATA + 0x07, LOW + 0x1000n);
  assertFault(atomic(LOW + 4n), DATA + 0x21, LOW + 4n);
  // Stage 1 allows the read, which stage 2 would refuse: the write's fault comes first.
  rig.stage2.unmap(PAGE, 4096);
  assertFault(atomic(LOW), DATA + WNR + 0x0f, LOW);
  rig.word = 0xc81f_7c20; // STXR
  assertFault(atomic(LOW + 0x1000n), DATA + WNR + 0x07, LOW + 0x1000n);
});

Deno.test("a store to a page with decoded instructions drops them each time, until the page has none", () => {
  const { rig, tables } = mapped(Leaf.Accessed);
  tables.map(LOW + 0x1000n, PAGE + 0x1000);
  const wasmAddress = rig.wasmAddress(PAGE);
  store(rig, LOW);
  assert.deepEqual(rig.dropped, []);
  rig.codePages.add(wasmAddress);
  rig.call("protectCodePage", wasmAddress);
  for (const offset of [0n, 8n, 0xffdn]) store(rig, LOW + offset, 2n);
  assert.deepEqual(rig.dropped, [[wasmAddress, 8], [wasmAddress + 8, 8], [wasmAddress + 0xffd, 3]]);
  rig.codePages.clear();
  store(rig, LOW, 3n);
  assert.equal(rig.dropped.length, 3);
});
