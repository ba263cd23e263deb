// A vCPU whose CPU executes EL2: what el2 shows of it there, and below it in a guest.

import assert from "node:assert/strict";
import { type Query, rowsOf } from "../../../src/model/queries/query.ts";
import {
  CODE,
  EVENTS,
  IRQS,
  MEMORY_OWNER,
  PAGE_TABLES,
  PRINTED,
  REASONS,
  REGISTERS,
  STACK,
  VCPUS,
  VMS,
} from "../../../src/model/queries/tables.ts";
import { answerDebugger, DEBUG_REGISTERS, type DebugSpace } from "../../../src/machine/hypervisor/interface.ts";
import { eventRowsOf } from "../../../src/model/queries/event-row.ts";
import { Timeline } from "../../../src/session/export/timeline.ts";
import { reasonLines } from "../../../src/model/queries/texts/reason-text.ts";
import { oneVm } from "../../../src/model/queries/debugged-vms.ts";
import { targetDescription } from "../../../src/session/debug/target-description.ts";
import { guestExit } from "../../../src/session/inspection/kernels/guest-exits.ts";
import { ExceptionClass, Hcr, Vector } from "../../../src/cpu/core/interface.ts";
import { hex } from "../../../src/kit/support/text/number-text.ts";
import type { Guests } from "../../guests/guest.ts";
import { Machine } from "../../cpu/core/program.ts";
import { parseCpu, withEl2 } from "../../../src/cpu/isa/cpus/cpus.ts";
import { BASE, exampleSymbols, kernelImage } from "../../inside/symbols/kernel-tables.ts";
import { machineAtEl2, withEl2Program } from "../../support/el2-program.ts";

/** Virtual time (ns) of a turn; and in which the program comes to each place. */
const TURN = 1e6, MOST = 1e9;
/** The address of the guest's code, as the guest sees it: `mrs`, `hvc`, `ldr`, … */
const GUEST = 0x8000_0000n;
/** Its code with interrupts: it acknowledges one. */
const INTERRUPTED = GUEST + 0x20n;

const answered = (guests: Guests, query: Query) => {
  const answer = guests.system.inspector.answer(query);
  assert.equal(answer.error, undefined, JSON.stringify(answer.error));
  return answer;
};

/** Runs until the first vCPU is at an address; a debugger's stop leaves it there. */
function runTo(guests: Guests, address: bigint) {
  const { system } = guests, { machine } = system;
  system.debugger.release();
  const control = system.debugger.give(oneVm("host"), false);
  // The VM has an address space as soon as it has run.
  if (machine.time === 0) machine.run(1, 1);
  assert.ok(control.insert(address));
  do {
    const result = machine.run(machine.time + TURN, 100);
    if (result.kind === "idle") machine.skipTo(result.next);
  } while (!machine.suspended && machine.time < MOST);
  assert.ok(machine.suspended, "it does not come there");
  control.remove(address);
  return control;
}

const registers = (guests: Guests) =>
  new Map(rowsOf(REGISTERS, answered(guests, { table: "vcpu.regs", args: { vcpu: "host/0" } })).map((row) => [row.name, row]));
const printed = (guests: Guests, at: string) => rowsOf(PRINTED, answered(guests, { table: "print", args: { at } }))[0].value;
const frames = (guests: Guests) => rowsOf(STACK, answered(guests, { table: "vcpu.stack", args: { vcpu: "host/0" } }));
const symbol = (guests: Guests) =>
  rowsOf(VCPUS, answered(guests, { table: "vcpu.ls", args: {} })).find(({ id }) => id === "vcpu:host/0")?.symbol;

Deno.test("at EL2, SP, call frames and registers are EL2's; below it, code is read through VTTBR_EL2 and has no name of the hypervisor's", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), { system } = guests;
    const [report] = system.symbols.all("host").flatMap((table) => table.resolve("report") ?? []);
    runTo(guests, GUEST + 4n);
    {
      const all = registers(guests);
      assert.equal(all.get("pstate")?.parts?.[1], "EL1h");
      assert.equal(all.get("hcr_el2")?.words, "VM TSC RW");
      assert.match(all.get("vttbr_el2")?.words ?? "", /^VMID 1, tables at 0x4/);
      assert.equal(all.get("spsr_el2")?.words, "nzcv EL1h DAIF");
      assert.equal(symbol(guests), null);
      assert.deepEqual(
        rowsOf(CODE, answered(guests, { table: "code", args: { at: "host/0:pc", size: 3 } })).map(({ text, symbol }) => [text, symbol]),
        [["mrs x0, currentel", null], ["hvc #0x1", null], ["ldr x0, [x9]", null]],
      );
      assert.equal(frames(guests)[0].symbol, null);
    }
    runTo(guests, BigInt.asUintN(64, report));
    {
      const all = registers(guests), sp = all.get("sp_el2")?.value;
      assert.equal(all.get("pstate")?.parts?.[1], "EL2h");
      assert.equal(all.get("esr_el2")?.words, "HVC");
      assert.equal(BigInt(printed(guests, "host/0:$sp") ?? 0), BigInt(sp ?? 0));
      assert.equal(symbol(guests), "report");
      assert.deepEqual(frames(guests).slice(0, 3).map(({ function: name }) => name), ["report", "guest_of_guest", "main"]);
    }
  }));

const guestsOf = (guests: Guests) => rowsOf(VMS, answered(guests, { table: "vm.ls", args: {} })).find(({ id }) => id === "vm:host");

Deno.test("a VM has the VMs of its hypervisor: VMID, tables and vCPUs by registers, and who maps a page with which rights by its tables", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), { system } = guests;
    const [root] = system.symbols.all("host").flatMap((table) => table.resolve("root") ?? []).map(hex);
    const [data] = system.symbols.all("host").flatMap((table) => table.resolve("data") ?? []).map((at) => `ipa:host/${hex(at)}`);
    const mapped = () => rowsOf(MEMORY_OWNER, answered(guests, { table: "mem.owner", args: { at: data } }))[0].guests;
    system.machine.run(1, 1);
    assert.deepEqual([guestsOf(guests)?.guests, mapped()], [[], []]);
    runTo(guests, GUEST + 4n);
    const line = `VMID 1 tables ${root}: vCPU 0`, vcpu = { vmpidr: "0x80000000", on: "vcpu:host/0" };
    assert.deepEqual(guestsOf(guests)?.guests, [`${line} on vcpu:host/0`]);
    assert.deepEqual(guestsOf(guests)?.guest_vms, [{ vmid: 1, tables: root, certain: true, vcpus: [{ ...vcpu, runs: true }] }]);
    assert.deepEqual(mapped(), []);
    // The page is the guest's once its access has failed.
    runTo(guests, GUEST + 0x10n);
    assert.deepEqual(mapped(), ["VMID 1 0x80001000 rwx"]);
    const [report] = system.symbols.all("host").flatMap((table) => table.resolve("report") ?? []);
    runTo(guests, BigInt.asUintN(64, report));
    assert.deepEqual(guestsOf(guests)?.guests, [`${line} exited on vcpu:host/0`]);
    // The second CPU begins, as the first has left the guest.
    const [main] = system.symbols.all("host").flatMap((table) => table.resolve("main") ?? []);
    runTo(guests, BigInt.asUintN(64, main));
    assert.deepEqual(guestsOf(guests)?.guests, [`${line} left (inferred: entered before)`]);
    assert.deepEqual(guestsOf(guests)?.guest_vms, [{ vmid: 1, tables: root, certain: false, vcpus: [{ ...vcpu, on: null, runs: false }] }]);
    assert.deepEqual(mapped(), ["VMID 1 0x80001000 rwx (inferred)"]);
  }));

Deno.test("interrupts in list registers are rows of irq ls, with the guest that they are for", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf);
    const listed = () =>
      rowsOf(IRQS, answered(guests, { table: "irq.ls", args: { filter: "id~^reg" } }))
        .map(({ id, vcpu, intid, kind, source, priority, en, pend, act }) => [id, vcpu, intid, kind, source, priority, en, pend, act]);
    runTo(guests, GUEST + 4n);
    assert.deepEqual(listed(), []);
    const row = (pend: boolean) => {
      const lr = "ICH_LR0_EL2 of VMID 1 for irq:host/30";
      return ["reg:host/0/ich_lr0_el2", "vcpu:host/0", 27, "ppi", lr, "0x80", true, pend, !pend];
    };
    runTo(guests, INTERRUPTED);
    assert.deepEqual(listed(), [row(true)]);
    // Acknowledged.
    runTo(guests, INTERRUPTED + 4n);
    assert.deepEqual(listed(), [row(false)]);
  }));

/** A table of stage 1 in memory: entries at their indices. */
function table(guests: Guests, at: number, entries: Readonly<Record<number, bigint>>): void {
  const bytes = new DataView(new ArrayBuffer(0x1000));
  for (const [index, entry] of Object.entries(entries)) bytes.setBigUint64(8 * Number(index), entry, true);
  guests.system.machine.ram.write(at, new Uint8Array(bytes.buffer));
}

/** T0SZ 25 (39 bits), memory of the caches; EPD1 of a TCR_EL1. */
const TCR = 0x3519n, EPD1 = 1n << 23n;
/** Descriptors: valid, a table or a page; a block; the access flag; read-only; XN. */
const TABLE = 3n, BLOCK = 1n, AF = 1n << 10n, READ_ONLY = 1n << 7n, XN = 1n << 54n;
/** Of stage 2: both rights. */
const S2_RW = 3n << 6n;

Deno.test("page tables are those of the regime in use: of EL2, and of EL1 in memory that VTTBR_EL2 places", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), { system } = guests;
    const control = runTo(guests, GUEST + 4n), vcpu = control.vcpus()[0], { registers: cpu } = vcpu;
    const mappings = () =>
      rowsOf(PAGE_TABLES, answered(guests, { table: "vcpu.tables", args: { vcpu: "host/0" } }))
        .map(({ address, size, ipa, pa, el1, el0 }) => [Number(address), size, Number(ipa), Number(pa), el1, el0]);
    const agrees = (address: bigint) => {
      const found = system.core.questions.inspect(cpu, address);
      return found.ok && found.pa;
    };

    // EL1 of the guest: its table is at IPA 0x8000_4000, which stage 2 has at PA 0x4100_4000.
    const pages = 0x4100_0000, root = 0x4120_0000;
    table(guests, root, { 2: BigInt(root + 0x1000) | TABLE });
    table(guests, root + 0x1000, { 0: BigInt(pages) | BLOCK | AF | S2_RW });
    table(guests, pages + 0x4000, { 1: 0x8000_0000n | BLOCK | AF | READ_ONLY });
    cpu.setRegister("VTTBR_EL2", 5n << 48n | BigInt(root));
    cpu.setRegister("TTBR0_EL1", 0x8000_4000n);
    cpu.setRegister("TCR_EL1", TCR | EPD1);
    cpu.setRegister("SCTLR_EL1", cpu.getRegister("SCTLR_EL1") | 1n);
    assert.deepEqual(mappings(), [[0x4000_0000, 1 << 30, 0x8000_0000, pages, "rx", "x"]]);
    assert.equal(agrees(0x4000_1234n), pages + 0x1234);
    cpu.setRegister("SCTLR_EL1", cpu.getRegister("SCTLR_EL1") & ~1n);

    // EL2 without E2H: one range, no EL0, and XN where that of EL0 is.
    const [report] = system.symbols.all("host").flatMap((one) => one.resolve("report") ?? []);
    cpu.setRegister("VTTBR_EL2", 1n << 48n | BigInt(Number(system.symbols.all("host").flatMap((one) => one.resolve("root") ?? [])[0])));
    runTo(guests, BigInt.asUintN(64, report));
    table(guests, root, { 1: 0x4000_0000n | BLOCK | AF, 2: 0x4000_0000n | BLOCK | AF | READ_ONLY | XN });
    cpu.setRegister("TTBR0_EL2", BigInt(root));
    cpu.setRegister("TCR_EL2", TCR);
    cpu.setRegister("SCTLR_EL2", cpu.getRegister("SCTLR_EL2") | 1n);
    assert.deepEqual(mappings(), [
      [0x4000_0000, 1 << 30, 0x4000_0000, 0x4000_0000, "rwx", ""],
      [0x8000_0000, 1 << 30, 0x4000_0000, 0x4000_0000, "r", ""],
    ]);
    assert.equal(agrees(0x8020_1234n), 0x4020_1234);
  }));

Deno.test("a debugger has the registers of EL2 of such a vCPU, and of no other", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), control = runTo(guests, GUEST + 4n);
    const answer = answerDebugger(control, { kind: "registers", vcpu: 0 });
    assert.ok(answer.kind === "registers");
    const value = (name: string) => answer.values[DEBUG_REGISTERS.findIndex((one) => one.name === name)];
    assert.equal(value("HCR_EL2"), 1n << 31n | 1n << 19n | 1n);
    assert.equal(value("ICH_LR3_EL2"), 0n);
    assert.equal(value("ICH_LR4_EL2"), undefined);
    const description = targetDescription(answer.values.length), plain = targetDescription();
    assert.match(description, /<feature name="org\.el2\.aarch64\.hypervisor">\n<reg name="SP_EL2"/);
    assert.match(description, /"ICH_LR3_EL2"/);
    assert.doesNotMatch(description, /"ICH_LR4_EL2"/);
    assert.doesNotMatch(plain, /_EL2/);
  }));

/** A machine with a program at EL2 that has set its vectors, and entered no guest. */
async function beforeGuests(elf: string): Promise<Guests> {
  const guests = await machineAtEl2(elf), { system } = guests;
  // EL2 has its vectors from its seventh instruction on.
  system.stopAt(10);
  while (system.instructions() < 10) system.machine.run(MOST, 1);
  system.stopAt(Infinity);
  return guests;
}

/** A machine whose program at EL2 has run to its end, with the exits of its guests recorded. */
async function recorded(elf: string): Promise<Guests> {
  const guests = await beforeGuests(elf), { system } = guests;
  system.inspector.watch(["trap"]);
  system.kernelEvents.follow();
  assert.equal(await guests.end(1), "SYSTEM_OFF");
  return guests;
}

/** The exits and entries that are recorded. */
const switches = (guests: Guests) =>
  rowsOf(EVENTS, answered(guests, { table: "events", args: { kinds: "trap" } })).filter(({ text }) => text.includes("VMID"));

Deno.test("a debugger reads and writes memory by virtual addresses of each level, at whatever level the vCPU is", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), { system } = guests;
    const [report, program] = ["report", "program"].map((name) =>
      BigInt.asUintN(64, system.symbols.all("host").flatMap((table) => table.resolve(name) ?? [])[0])
    );
    const read = (control: ReturnType<typeof runTo>, space: DebugSpace, address: bigint) => {
      const answer = answerDebugger(control, { kind: "read", vcpu: 0, space, address, size: 8 });
      return answer.kind === "memory" ? answer.bytes.toHex() : answer.kind;
    };
    for (const at of [GUEST + 4n, report]) {
      const control = runTo(guests, at), isGuest = at !== report;
      const code = read(control, "pa", program), own = read(control, "pa", report);
      assert.deepEqual([read(control, "el1", GUEST), read(control, "el2", report)], [code, own]);
      // That of another level is elsewhere, or nowhere.
      assert.equal(read(control, "el2", GUEST), "refused");
      assert.equal(read(control, "el1", report), "refused");
      assert.deepEqual([read(control, "va", GUEST), read(control, "va", report)], isGuest ? [code, "refused"] : ["refused", own]);
    }
    const bytes = new Uint8Array(8).fill(0x5a), control = runTo(guests, report);
    assert.equal(answerDebugger(control, { kind: "write", vcpu: 0, space: "el1", address: GUEST + 0x40n, bytes }).kind, "done");
    assert.equal(read(control, "pa", program + 0x40n), bytes.toHex());
  }));

Deno.test("each exit of a guest to EL2 is an event, with its class, its call and the address of an abort, and so is each entry", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const events = switches(await recorded(elf));
    assert.deepEqual(events.filter(({ name }) => name !== "ERET").map(({ text }) => text), [
      "VMID 1 enters EL2 from 0x80000008: HVC #1",
      "VMID 1 enters EL2 from 0x8000000c: data abort from a lower level, read: translation fault, level 3 0x80001000",
      "VMID 1 enters EL2 from 0x80000010: HVC #2",
      "VMID 1 enters EL2 from 0x80000014: SMC 0xfeed (HCR_EL2.TSC)",
      "VMID 1 enters EL2 from 0x8000001c: HVC #3",
      "VMID 1 enters EL2 from 0x80000048: HVC #5",
      "VMID 1 enters EL2 from 0x80000024: IRQ (HCR_EL2.IMO)",
      "VMID 1 enters EL2 from 0x80000030: HVC #4",
    ]);
    assert.deepEqual(events.filter(({ name }) => name === "ERET").map(({ text }) => text.replace(/ [\d.]+[num]?s later/, "")), [
      "EL2 enters VMID 1 at 0x80000000",
      "EL2 enters VMID 1 at 0x8000000c: after the instruction that left, x0 = 0x4",
      "EL2 enters VMID 1 at 0x8000000c: at the instruction that left",
      "EL2 enters VMID 1 at 0x80000014: after the instruction that left, x0 = 0xfeed",
      "EL2 enters VMID 1 at 0x80000018: after the instruction that left, x0 = 0xfeed",
      "EL2 enters VMID 1 at 0x80000034: at another instruction",
      "EL2 enters VMID 1 at 0x80000020: at another instruction",
      "EL2 enters VMID 1 at 0x80000024: at the instruction that left",
    ]);
  }));

Deno.test("an exported trace has a lane of world switches for each vCPU: its guest, and EL2 with the exit that it handles", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await recorded(elf), answer = answered(guests, { table: "events", args: { kinds: "trap" } });
    const { items, tracks } = new Timeline(new Map(), eventRowsOf(answer)), lane = tracks.find(({ name }) => name === "vCPU 0 worlds");
    const worlds = items.filter(({ track, instant }) => track === lane?.uuid && !instant);
    const inGuest = worlds.filter(({ name }) => name === "VMID 1 vCPU 0"), inEl2 = worlds.filter(({ name }) => name.startsWith("EL2: "));
    assert.deepEqual(inEl2.map(({ name }) => name), [
      "EL2: HVC",
      "EL2: data abort from a lower level, read: translation fault, level 3",
      "EL2: HVC",
      "EL2: SMC",
      "EL2: HVC",
      "EL2: HVC",
      "EL2: IRQ",
      "EL2: HVC",
    ]);
    assert.equal(inGuest.length, inEl2.length);
    // One begins where the other ends.
    assert.ok(worlds.slice(1).every(({ start }, index) => start === worlds[index].end));
    assert.ok(worlds.every(({ start, end }) => start <= end));
    assert.equal(tracks.some(({ name }) => name === "vCPU 1 worlds"), false);
  }));

Deno.test("the machine stops at exits and entries of guests that a filter lets through, also by what came before", () =>
  withEl2Program(["start.S", "answers.c"], async (elf) => {
    const guests = await beforeGuests(elf), { system } = guests, { machine, stops } = system;
    const stopped = () => {
      stops.goOn();
      while (!system.ended() && machine.time < MOST) {
        machine.run(machine.time + TURN, 1);
        const hit = stops.take();
        if (hit && hit !== "passed") return hit.text.replace(/^\S+ /, "");
      }
      return undefined;
    };
    stops.change({ kind: "event", filter: "kind=trap text~permission" });
    stops.change({ kind: "event", filter: "kind=trap name=SMC before kind=trap text~exception within 1s" });
    system.kernelEvents.follow();
    assert.match(
      stopped() ?? "",
      /^vcpu:host\/0 trap VMID 7 enters EL2 from 0x8000\w+: data abort .* permission fault, level 3 0x80003000$/,
    );
    // The event that decides the match is the entry after it, which EL2 has just made.
    assert.equal(stopped(), "vcpu:host/0 trap VMID 7 enters EL2 from 0x80001014: SMC 0xfeed (HCR_EL2.TSC)");
    assert.equal(registers(guests).get("pc")?.value, "0x0000000080000a00");
    assert.equal(stopped(), undefined);
  }));

const reasons = (guests: Guests, filter?: string) => rowsOf(REASONS, answered(guests, { table: "why", args: { filter } }));

Deno.test("el2 why says of each trapped instruction what sent it to EL2, and how that answered", () =>
  withEl2Program(["start.S", "answers.c"], async (elf) => {
    const guests = await recorded(elf), { system } = guests;
    const [data, pages] = ["data", "pages"].map((name) => system.symbols.all("host").flatMap((table) => table.resolve(name) ?? [])[0]);
    // Of the fourth page.
    const page = pages + 24n;
    const level3 = (because: string) => `stage 2 is on, and for 0x80003000 the level 3 descriptor ${because}`;
    const again = "at the instruction that left", next = "after the instruction that left";
    const rows = reasons(guests, "kind=trapped").toReversed();
    assert.deepEqual(rows.map(({ call, rule, err, failed }) => [call, rule, err, failed]), [
      ["data abort from a lower level, read: translation fault, level 3", level3("is invalid"), again, false],
      ["data abort from a lower level, read: access flag fault, level 3", level3("has AF 0"), again, false],
      ["data abort from a lower level, write: permission fault, level 3", level3("permits rx"), again, false],
      ["read TTBR0_EL1", "HCR_EL2.TRVM sends it to EL2", next, false],
      ["SMC", "HCR_EL2.TSC sends it to EL2", "undefined instruction", true],
      [
        "data abort from a lower level, read: translation fault, level 0",
        "stage 2 is on, and for 0x7080003000 the IPA has more bits than VTCR_EL2.T0SZ gives: 36",
        "not entered since",
        false,
      ],
    ]);
    // S2AP, shareability, memory of the caches; AF and the right to write are not there yet.
    const readable = data | 1n << 6n | 3n << 8n | 0xfn << 2n | 3n;
    assert.deepEqual(rows.map(({ values }) => values), [
      { ipa: "0x80003000", at: hex(page), level: 3, value: "0x0" },
      { ipa: "0x80003000", at: hex(page), level: 3, value: hex(readable) },
      { ipa: "0x80003000", at: hex(page), level: 3, value: hex(readable | 1n << 10n) },
      {},
      {},
      { ipa: "0x7080003000" },
    ]);
    assert.ok(rows.every(({ object, asked_by, vm }) => object === "VMID 7 vCPU 1.2" && asked_by === "vcpu:host/0" && vm === "vm:host"));
    // Of one: by the event of its exit.
    const [failed] = reasons(guests, "failed=yes");
    assert.deepEqual(reasons(guests, `id=${failed.id}`).map(({ call }) => call), ["SMC"]);
    assert.deepEqual(reasonLines(failed).map(({ text }) => text.replaceAll(/ev:\S+|t=\S+/g, "_")), [
      "_  _  asked by vcpu:host/0 at 0x0000000080001014",
      "  _ trap SMC pc=0x80001014 -> 0 to EL2",
      "  `- _ trap ERET pc=0x80000a00 esr_el1=0x2000000 -> 0 undefined instruction",
      "rule     controls of EL2: HCR_EL2.TSC sends it to EL2",
      "object   VMID 7 vCPU 1.2",
      "go there el2 events --kinds trap",
    ]);
  }));

const symbolAt = ({ system }: Guests, name: string) =>
  BigInt.asUintN(64, system.symbols.all("host").flatMap((table) => table.resolve(name) ?? [])[0]);
/** The reasons of `why` that registers have. */
const byRegisters = (guests: Guests) => reasons(guests, "kind=trapped id~^reg");
const LEFT = 0x400n;
const INFERRED = "; by the registers: an interrupt after it would have left ESR_EL2 as it is";

Deno.test("el2 why has the exit that EL2 handles also where nobody records exits: by the registers, which say as much", () =>
  withEl2Program(["start.S", "answers.c"], async (elf) => {
    const guests = await recorded(elf), events = reasons(guests, "kind=trapped").toReversed();
    const silent = await beforeGuests(elf), vectors = symbolAt(silent, "vectors"), handler = symbolAt(silent, "left_el1");
    assert.deepEqual(byRegisters(silent), []);
    for (const { call, rule, values, object, pc } of events) {
      runTo(silent, vectors + LEFT);
      for (const place of [vectors + LEFT, handler + 8n]) {
        runTo(silent, place);
        const [row, ...more] = byRegisters(silent);
        assert.deepEqual([row.call, row.rule, row.values, row.object, row.pc], [call, rule + INFERRED, values, object, pc]);
        assert.deepEqual([row.id, row.asked_by, row.err, row.failed, more], [
          "reg:host/0/esr_el2",
          "vcpu:host/0",
          "EL2 handles it now",
          false,
          [],
        ]);
      }
    }
    assert.equal(reasonLines(byRegisters(silent)[0])[0].text.split("  ")[0], "reg:host/0/esr_el2");
  }));

Deno.test("el2 why infers no exit after an interrupt of the guest, in it, and where an event has it", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), vectors = symbolAt(guests, "vectors");
    runTo(guests, GUEST + 0x14n);
    assert.deepEqual(byRegisters(guests), []);
    runTo(guests, vectors + LEFT);
    assert.deepEqual(byRegisters(guests).map(({ call, pc }) => [call, pc]), [["SMC", "0x0000000080000014"]]);
    // ESR_EL2 is of the HVC before, and the guest has another instruction where the interrupt came.
    runTo(guests, vectors + LEFT + 0x80n);
    assert.deepEqual(byRegisters(guests), []);
    const watched = await beforeGuests(elf);
    watched.system.inspector.watch(["trap"]);
    watched.system.kernelEvents.follow();
    runTo(watched, GUEST + 0x14n);
    runTo(watched, symbolAt(watched, "left_el1"));
    assert.deepEqual([byRegisters(watched), reasons(watched, "kind=trapped").at(0)?.call], [[], "SMC"]);
  }));

/** ESR_EL2 of an access to TTBR0_EL1 (CRn is 2), of WFI and of WFE. Arm ARM D13.2.37. */
const esrOf = (exception: number, iss: number) => BigInt(exception) << 26n | BigInt(iss);
const TTBR0 = 3 << 20 | 2 << 10;
const [write, read] = [0, 1].map((direction) => esrOf(ExceptionClass.SystemRegister, TTBR0 | direction));
const [wfi, wfe] = [0, 1].map((instruction) => esrOf(ExceptionClass.Wfx, instruction));
const LOWER_IRQ = Vector.LowerAarch64 + Vector.Irq;

/** An exit at a vector with ESR_EL2 and bits of HCR_EL2 beside VM; its name, and what sent it. */
const SENT = [
  [Vector.LowerAarch64, write, Hcr.TVM | Hcr.TRVM, "TTBR0_EL1", "HCR_EL2.TVM"],
  [Vector.LowerAarch64, read, Hcr.TVM | Hcr.TRVM, "TTBR0_EL1", "HCR_EL2.TRVM"],
  [Vector.LowerAarch64, wfi, Hcr.TWI | Hcr.TWE, "WFI", "HCR_EL2.TWI"],
  [Vector.LowerAarch64, wfe, Hcr.TWI | Hcr.TWE, "WFE", "HCR_EL2.TWE"],
  [Vector.LowerAarch64, wfi, 0n, "WFI", undefined],
  [Vector.LowerAarch64, esrOf(ExceptionClass.Hvc, 0), Hcr.TSC, "HVC", undefined],
  [LOWER_IRQ, 0n, Hcr.IMO | Hcr.FMO, "IRQ", "HCR_EL2.IMO"],
  [LOWER_IRQ + Vector.Irq, 0n, Hcr.IMO | Hcr.FMO, "FIQ", "HCR_EL2.FMO"],
  [LOWER_IRQ + 2 * Vector.Irq, 0n, Hcr.AMO, "SError", "HCR_EL2.AMO"],
  // Either may have sent it.
  [LOWER_IRQ + 2 * Vector.Irq, 0n, Hcr.AMO | Hcr.TEA, "SError", undefined],
] as const;

/** The same of fine-grained traps: a register with one field, and bits of HCR_EL2. */
const svc = esrOf(ExceptionClass.Svc, 0), vae1 = esrOf(ExceptionClass.SystemRegister, 1 << 20 | 1 << 17 | 8 << 10 | 7 << 1);
const FINELY_SENT = [
  [read, "HFGRTR_EL2", 1n << 36n, 0n, "TTBR0_EL1", "HFGRTR_EL2.TTBR0_EL1"],
  [read, "HFGRTR_EL2", 1n << 36n, Hcr.TRVM, "TTBR0_EL1", undefined],
  [write, "HFGRTR_EL2", 1n << 36n, Hcr.TVM, "TTBR0_EL1", "HCR_EL2.TVM"],
  [vae1, "HFGITR_EL2", 1n << 43n, 0n, "S1_0_C8_C7_1", "HFGITR_EL2.TLBIVAE1"],
  [svc, "HFGITR_EL2", 1n << 53n, 0n, "SVC", "HFGITR_EL2.SVC_EL1"],
  [svc, "HFGITR_EL2", 1n << 52n, 0n, "SVC", undefined],
  [esrOf(ExceptionClass.ExceptionReturn, 0), "HFGITR_EL2", 1n << 51n, 0n, "trapped ERET", "HFGITR_EL2.ERET"],
] as const;

Deno.test("an exit names the fine-grained trap that sent it to EL2, where exactly one control can have", () => {
  const { vcpu } = new Machine({ cpu: withEl2(parseCpu("v8,+FEAT_FGT")) });
  for (const [esr, register, mask, hcr, name, by] of FINELY_SENT) {
    vcpu.setRegister("HFGRTR_EL2", 0n);
    vcpu.setRegister("HFGITR_EL2", 0n);
    vcpu.setRegister(register, mask);
    vcpu.setRegister("HCR_EL2", Hcr.VM | Hcr.RW | hcr);
    vcpu.setRegister("ESR_EL2", esr);
    vcpu.setRegister("SPSR_EL2", 5n);
    vcpu.pc = vcpu.getRegister("VBAR_EL2") + BigInt(Vector.LowerAarch64);
    const exit = guestExit(vcpu, 0);
    assert.deepEqual([exit?.name, exit?.fields.by], [name, by]);
  }
});

Deno.test("an exit names the bit of HCR_EL2 that sent it to EL2, where exactly one can have", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const { system } = await machineAtEl2(elf);
    system.machine.run(1, 1);
    const [{ registers }] = system.hypervisor.scheduler.vcpus;
    for (const [vector, esr, bits, name, by] of SENT) {
      registers.setRegister("HCR_EL2", Hcr.VM | Hcr.RW | bits);
      registers.setRegister("ESR_EL2", esr);
      registers.pc = registers.getRegister("VBAR_EL2") + BigInt(vector);
      const exit = guestExit(registers, 0);
      assert.deepEqual([exit?.name, exit?.fields.by], [name, by]);
    }
  }));

/** Where a test puts a kernel's image: in memory of the machine, and of the guest (4 KiB pages). */
const IMAGE_PA = 0x4160_0000, IMAGE_IPA = 0x8060_0000, IMAGE_VA = BASE;
/** A block of 2 MiB at level 2. */
const L2_BLOCK = BLOCK | AF;
const indexAt = (address: bigint, level: number) => Number(address >> BigInt(12 + 9 * (3 - level)) & 0x1ffn);

/** Puts the tables of levels 1 and 2 for the image. */
function mapImage(guests: Guests, at: number, asSeen: number, address: bigint, output: number): void {
  table(guests, at, { [indexAt(address, 1)]: BigInt(asSeen + 0x1000) | TABLE });
  table(guests, at + 0x1000, { [indexAt(address, 2)]: BigInt(output) | L2_BLOCK });
}

Deno.test("code of a guest of EL2 has the names that the guest's kernel has in its memory, whichever guest that is", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), { system } = guests, { ram } = system.machine;
    const control = runTo(guests, GUEST + 4n), { registers: cpu } = control.vcpus()[0];
    // Stage 2 has the image and its stage 1 for the guest in blocks of 2 MiB.
    const root = 0x4120_0000, stage1 = 0x4140_0000;
    table(guests, root, { 2: BigInt(root + 0x1000) | TABLE });
    table(guests, root + 0x1000, { 2: BigInt(stage1) | L2_BLOCK | S2_RW, 3: BigInt(IMAGE_PA) | L2_BLOCK | S2_RW });
    const asSeen = IMAGE_IPA - 0x20_0000;
    table(guests, stage1, { [indexAt(IMAGE_VA, 0)]: BigInt(asSeen + 0x1000) | TABLE });
    mapImage(guests, stage1 + 0x1000, asSeen + 0x1000, IMAGE_VA, IMAGE_IPA);
    ram.write(IMAGE_PA, kernelImage(exampleSymbols(), "behind"));
    const inGuest = (vmid: bigint) => {
      cpu.setRegister("VTTBR_EL2", vmid << 48n | BigInt(root));
      cpu.setRegister("TTBR1_EL1", BigInt(asSeen));
      // T1SZ 16 (48 bits), TG1 4 KiB, EPD0.
      cpu.setRegister("TCR_EL1", 16n << 16n | 2n << 30n | 16n | 1n << 7n);
      cpu.setRegister("VBAR_EL1", IMAGE_VA + 0x1_0800n);
      cpu.setRegister("SCTLR_EL1", cpu.getRegister("SCTLR_EL1") | 1n);
      cpu.pc = IMAGE_VA + 0x1_0014n;
      return [
        symbol(guests),
        frames(guests)[0].symbol,
        answered(guests, { table: "code", args: { at: "host/0:pc", size: 1 } }).rows[0].symbol,
      ];
    };
    assert.deepEqual(inGuest(5n), Array(3).fill("function_1+0x4"));
    // The symbols that were found are the guest's, and not the VM's.
    assert.equal(system.symbols.kernelOf("host"), undefined);
    // Another guest at the same addresses has its own.
    ram.write(IMAGE_PA, kernelImage(exampleSymbols().map((one) => ({ ...one, name: one.name.replace("function", "other") })), "behind"));
    assert.deepEqual(inGuest(6n), Array(3).fill("other_1+0x4"));
    assert.deepEqual(inGuest(5n), Array(3).fill("function_1+0x4"));
  }));

Deno.test("a hypervisor with a table of symbols in its memory, as Xen has, names its code without a file", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), { system } = guests, [main] = ["main"].map((name) => symbolAt(guests, name));
    const { registers: cpu } = runTo(guests, main).vcpus()[0], root = 0x4120_0000, address = 0xa0_0000_0000n & 0x7f_ffe0_0000n;
    mapImage(guests, root, root, address, IMAGE_PA);
    const moved = address - BASE;
    system.machine.ram.write(
      IMAGE_PA,
      kernelImage(exampleSymbols().map((one) => ({ ...one, address: BigInt.asUintN(64, one.address + moved) })), "xen", address),
    );
    cpu.setRegister("TTBR0_EL2", BigInt(root));
    cpu.setRegister("TCR_EL2", TCR);
    cpu.setRegister("VBAR_EL2", address + 0x1_0800n);
    cpu.setRegister("SCTLR_EL2", cpu.getRegister("SCTLR_EL2") | 1n);
    cpu.pc = address + 0x1_0014n;
    assert.deepEqual([symbol(guests), frames(guests)[0].symbol], ["function_1+0x4", "function_1+0x4"]);
    // By name, too.
    assert.equal(rowsOf(CODE, answered(guests, { table: "code", args: { at: "host:function_2", size: 1 } }))[0].label, "function_2");
  }));

/** Offsets of a kernel's code: the vectors that it has at EL2 for the host, and where they lead. */
const HOST_VECTOR = 0x1_0800, HOST_EXIT = 0x1_1010;

Deno.test("KVM's part of a kernel has the kernel's names at EL2, and breakpoints are there, wherever EL2 has it", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const guests = await machineAtEl2(elf), { system } = guests, { registers: cpu } = runTo(guests, symbolAt(guests, "main")).vcpus()[0];
    const stage1 = 0x4140_0000, el2 = 0x4120_0000, address = 0x20_0000_0000n;
    const symbols = [
      { name: "_stext", type: "T", address: BASE + 0x1_0000n },
      { name: "__kvm_nvhe___kvm_hyp_host_vector", type: "T", address: BASE + BigInt(HOST_VECTOR) },
      { name: "__kvm_nvhe___host_exit", type: "T", address: BASE + BigInt(HOST_EXIT) },
      ...exampleSymbols().slice(1).map((one) => ({ ...one, address: one.address + 0x2000n })),
    ];
    const image = kernelImage(symbols, "behind");
    // B to the exit, in the first entry.
    new DataView(image.buffer).setUint32(HOST_VECTOR, 0x1400_0000 | (HOST_EXIT - HOST_VECTOR) / 4, true);
    system.machine.ram.write(IMAGE_PA, image);
    // The kernel at EL1, without stage 2, and EL2.
    table(guests, stage1, { [indexAt(IMAGE_VA, 0)]: BigInt(stage1 + 0x1000) | TABLE });
    mapImage(guests, stage1 + 0x1000, stage1 + 0x1000, IMAGE_VA, IMAGE_PA);
    mapImage(guests, el2, el2, address, IMAGE_PA);
    const values = {
      HCR_EL2: Hcr.RW,
      TTBR1_EL1: BigInt(stage1),
      TCR_EL1: 16n << 16n | 2n << 30n | 16n | 1n << 7n,
      VBAR_EL1: IMAGE_VA + 0x1_0000n,
      SCTLR_EL1: cpu.getRegister("SCTLR_EL1") | 1n,
      TTBR0_EL2: BigInt(el2),
      TCR_EL2: TCR,
      VBAR_EL2: address + BigInt(HOST_VECTOR),
      SCTLR_EL2: cpu.getRegister("SCTLR_EL2") | 1n,
    } as const;
    for (const [name, value] of Object.entries(values)) cpu.setRegister(name as keyof typeof values, value);
    cpu.pc = address + BigInt(HOST_EXIT) + 4n;
    assert.deepEqual([symbol(guests), frames(guests)[0].symbol], Array(2).fill("__kvm_nvhe___host_exit+0x4"));
    assert.deepEqual(system.stops.system.placeOf("host:__kvm_nvhe___host_exit").addresses, [address + BigInt(HOST_EXIT)]);
    // The rest of the kernel is where the kernel executes it.
    assert.deepEqual(system.stops.system.placeOf("host:_stext").addresses, [BASE + 0x1_0000n]);
  }));
