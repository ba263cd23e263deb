// Rows of a dump, in the tables of sessions with a machine: the kernel's own, memory, tables of
// translation, symbols, code, and the registers of CPUs where the dump has them.

import { KernelNames } from "../../../inside/linux/structures/kernel-names.ts";
import { CodeFrames } from "../../../inside/symbols/code-frames.ts";
import type { SavedCpu } from "../../../inside/dumps/file-memory.ts";
import { readRegion } from "../../../inside/linux/pstore/earlier-log.ts";
import { REGION_MAX } from "../../../inside/linux/pstore/ramoops.ts";
import { entriesOf, STEPS_MAX, TooMuch, translate } from "../../../inside/linux/kernel/memory.ts";
import { unwind } from "../../../inside/symbols/unwind.ts";
import { nameIn } from "../../../inside/symbols/vm-symbols.ts";
import { isInHalf, UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import { asciiText, bytesText } from "../../../kit/support/text/byte-text.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { KiB, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { whole, Work } from "../../../kit/support/values/work.ts";
import {
  formatId,
  ipaId,
  paId,
  parseId,
  parsePlace,
  scopedExpression,
  vcpuId,
  vcpuName,
  vmId,
  withKind,
} from "../../../model/queries/ids.ts";
import type { Gap } from "../../../model/queries/facts/gap.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import { memoryRow } from "../../../model/queries/memory-use.ts";
import type { AnyArguments } from "../../../model/queries/query-arguments.ts";
import type { TableArguments } from "../../../model/queries/query.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { BYTES, CODE, MEMORY, PRINTED, REGISTERS, STACK, TableName, TABLES, VCPUS, VMS } from "../../../model/queries/tables.ts";
import type { FoundRows } from "../answered.ts";
import { linuxRows } from "../linux/read-linux.ts";
import { pageTableRows } from "../readers/guest/read-page-tables.ts";
import { type ShownFrame, stackRows, withInlined } from "../readers/guest/read-stack.ts";
import { addressIn, codeRow, symbolRows } from "../readers/guest/read-symbols.ts";
import { printedInFrame, printedOfKernel } from "../expressions/read-print.ts";
import { type FramedCpu, variableRows } from "../expressions/read-variables.ts";
import { QueryError } from "../readers/inspected.ts";
import { pstateParts, registerWords } from "../trace/register-words.ts";
import { DUMP, type DumpSystem } from "./dump-system.ts";
import { readDumpDiagnosis } from "./dump-diagnosis.ts";

/** Limits of one answer: descriptors, bytes, instructions. */
const ENTRIES_MAX = 4_000_000, BYTES_MAX = 64 * KiB, CODE_MAX = 16_384;
/** Sizes of answers where none is asked for, and of a row and an instruction. */
const SIZE = 64, INSTRUCTIONS = 16, ROW = 16, WORD = 4n;

type DumpReader<N extends TableName> = (system: DumpSystem, args: TableArguments<N>) => FoundRows<RowOf<typeof TABLES[N]>>;
type DumpReaders = { readonly [N in TableName]?: DumpReader<N> };

/** @throws QueryError if it names another VM than the dump's */
export function checkVm(vm: string | undefined): void {
  if (vm !== undefined && withKind("vm", vm) !== vmId(DUMP)) throw new QueryError(`no ${withKind("vm", vm)}`, `there is ${vmId(DUMP)}`);
}

function readVm({ dump, cpus }: DumpSystem): RowOf<typeof VMS> {
  const memory = dump.memory.runs.reduce((sum, { size }) => sum + size, 0);
  return {
    id: vmId(DUMP),
    vmid: null,
    state: "saved",
    verdict: null,
    via: "dump",
    schedule: "none",
    owner: null,
    vcpus: cpus.length,
    cpu: 0,
    instructions: "0",
    memory,
    exit: null,
    ended: null,
    why: null,
    console: null,
    input_refused: null,
    input_way_out: null,
    guests: null,
    guest_vms: null,
    healthy: true,
    doing: `${formatSize(memory)} of memory (${dump.form})${
      dump.missing ? `, of which the file lacks ${formatSize(dump.missing)} at its end` : ""
    }`,
  };
}

function readVcpu({ symbols }: DumpSystem, { index, pc }: SavedCpu): RowOf<typeof VCPUS> {
  return {
    id: vcpuId(vcpuName(DUMP, index)),
    vm: vmId(DUMP),
    state: "saved",
    wait: [],
    since: "0",
    wakes: [],
    waits: [],
    pc: hex(pc, 16),
    symbol: nameIn(symbols, pc) ?? null,
    cpu: 0,
    exits: "0",
    exits_rate: 0,
    instructions: "0",
    pcpu: null,
    priority: 0,
    timeslice: "0",
    native: false,
    pending: [],
    yields_to: null,
    obj: null,
  };
}

/** @throws QueryError */
function cpuOf({ cpus, dump }: DumpSystem, id: string): SavedCpu {
  const wanted = withKind("vcpu", id), found = cpus.find(({ index }) => vcpuId(vcpuName(DUMP, index)) === wanted);
  if (found) return found;
  if (!cpus.length) {
    throw new QueryError(`the dump (${dump.form}) has no registers of CPUs`, way`${hint("linux stack", 1)} has the stacks of tasks`);
  }
  throw new QueryError(`no ${wanted}`, `there are ${cpus.map(({ index }) => vcpuId(vcpuName(DUMP, index))).join(", ")}`);
}

function readRegisters({ index, x, sp, pc, pstate }: SavedCpu): RowOf<typeof REGISTERS>[] {
  const values = [
    ...x.map((value, number) => [`x${number}`, value] as const),
    ["sp", sp] as const,
    ["pc", pc] as const,
    ["pstate", BigInt(pstate)] as const,
  ];
  return values.map(([name, value]) => ({
    id: formatId({ kind: "reg", vm: DUMP, index, name }),
    name,
    value: hex(value, name === "pstate" ? 8 : 16),
    words: registerWords(name, value) ?? null,
    parts: name === "pstate" ? pstateParts(Number(value)) : null,
    group: "general",
  }));
}

/** Reads virtual memory of the kernel; undefined where it is not mapped. */
function kernelReader(system: DumpSystem) {
  const memory = system.memory();
  return (address: bigint, size: number) => memory?.mapped(address, size);
}

function framesOf(system: DumpSystem, cpu: SavedCpu): ShownFrame[] {
  const read = kernelReader(system), { infos, symbols } = system;
  const registers = { pc: cpu.pc, getX: (index: number) => cpu.x[index], getRegister: (name: string) => system.registers(name) };
  return unwind({ registers }, cpu.sp, read, infos, new CodeFrames(symbols, read)).flatMap((frame) => withInlined(frame, infos));
}

function readStack(system: DumpSystem, cpu: SavedCpu): RowOf<typeof STACK>[] {
  return stackRows(framesOf(system, cpu), system.symbols, DUMP, cpu.index);
}

function framedCpu(system: DumpSystem, cpu: SavedCpu): FramedCpu {
  const { symbols: tables, infos } = system, reading = system.reading(), names = reading && new KernelNames(reading);
  return {
    vm: DUMP,
    index: cpu.index,
    frames: framesOf(system, cpu),
    tables,
    infos,
    read: kernelReader(system),
    register: (name) => name === "pstate" || name === "cpsr" ? BigInt(cpu.pstate) : undefined,
    kernel: () => names,
  };
}

/** @throws QueryError */
function readPrinted(system: DumpSystem, text: string): FoundRows<RowOf<typeof PRINTED>> {
  const { vm, index, expression } = scopedExpression(text), reading = system.reading();
  checkVm(vm);
  if (index !== undefined) return printedInFrame(framedCpu(system, cpuOf(system, vcpuName(DUMP, index))), expression);
  if (!reading) throw new QueryError("no kernel was found in the dump, whose types and symbols would give names a meaning");
  return printedOfKernel(reading, system.infos, expression);
}

/** The virtual address of a symbol, a number or a CPU's PC. @throws QueryError */
function addressOf(system: DumpSystem, place: string): bigint {
  const wanted = parsePlace(place);
  if (!wanted) {
    throw new QueryError(
      `${JSON.stringify(place)} is not a place in a VM`,
      `use for example ${DUMP}:init_task or ${DUMP}:0xffff800080010800`,
    );
  }
  const { vm, index, where } = wanted;
  checkVm(vm);
  const plain = addressIn(where, () => cpuOf(system, vcpuName(DUMP, index ?? 0)).pc);
  if (plain !== undefined) return plain;
  for (const table of system.symbols) {
    const found = table.resolve(where);
    if (found !== undefined) return found;
  }
  // The names of data that kallsyms leaves out may be exported.
  const memory = system.memory(), exported = memory && system.kernel?.find(memory, where);
  if (exported !== undefined) return exported;
  throw new QueryError(`${vmId(DUMP)} has no symbol ${JSON.stringify(where)}`, way`list its symbols with ${hint("symbols", DUMP)}`);
}

/** The physical address of a virtual one. @throws QueryError */
function physicalOf(system: DumpSystem, place: string, address: bigint): number {
  const { tables, dump } = system, work = new Work(ENTRIES_MAX, () => new TooMuch());
  if (!tables) {
    throw new QueryError("no kernel was found in the dump, whose tables would say where that is", "name a physical address: pa:ADDRESS");
  }
  if (address < UPPER_HALF) {
    throw new QueryError(
      `${place}: the dump does not say whose program's memory is meant`,
      way`${hint("linux maps", 1)} has that of each`,
    );
  }
  const found = isInHalf(tables, address) ? translate(dump.memory, tables, address, work) : undefined;
  if (found === undefined) throw new QueryError(`${place}: ${hex(address)} is not mapped by the kernel`);
  return found;
}

function readBytes(system: DumpSystem, place: string, wanted: number | undefined): RowOf<typeof BYTES>[] {
  const size = wanted ?? SIZE;
  if (!(size > 0 && size <= BYTES_MAX)) throw new QueryError(`cannot read ${size} bytes`, `use 1..${BYTES_MAX}`);
  const id = parseId(place), isPhysical = id?.kind === "pa" || id?.kind === "ipa";
  if (id?.kind === "ipa" || id?.kind === "va") checkVm(id.vm);
  const address = isPhysical ? 0n : id?.kind === "va" ? id.address : addressOf(system, place);
  const rows: RowOf<typeof BYTES>[] = [];
  for (let done = 0; done < size; done += ROW) {
    // A row may begin in another page, which is elsewhere in physical memory.
    const at = isPhysical ? Number(id.address) + done : physicalOf(system, place, BigInt.asUintN(64, address + BigInt(done)));
    const shown = id?.kind === "ipa" ? ipaId(DUMP, at) : paId(at),
      length = Math.min(ROW, size - done, isPhysical ? ROW : PAGE_SIZE - at % PAGE_SIZE);
    const bytes = system.bytesAt(at, length);
    const damage = system.dump.memory.damage.get(at - at % PAGE_SIZE);
    if (damage) throw new QueryError(damage);
    if (!bytes) throw new QueryError(`${shown} is not in the dump`, way`${hint("mem map")} lists what is`);
    rows.push({ id: shown, bytes: bytesText(bytes), ascii: asciiText(bytes) });
  }
  return rows;
}

function readCode(system: DumpSystem, place: string, count: number): RowOf<typeof CODE>[] {
  if (!(count > 0 && count <= CODE_MAX)) throw new QueryError(`cannot show ${count} instructions`, `use 1..${CODE_MAX}`);
  const first = addressOf(system, place), read = kernelReader(system), rows: RowOf<typeof CODE>[] = [];
  if (first % WORD) throw new QueryError(`${hex(first)} is not a multiple of 4: no instruction can be there`);
  const { symbols: tables } = system, pc = system.cpus.find((cpu) => cpu.pc === first)?.pc;
  for (let at = first; rows.length < count; at += WORD) {
    const bytes = read(at, Number(WORD));
    if (!bytes) break;
    rows.push(codeRow({ vm: DUMP, tables, pc }, at, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)));
  }
  if (!rows.length) throw new QueryError(`${hex(first)} is not mapped by the kernel`);
  return rows;
}

function readPageTables(system: DumpSystem, place: string | undefined) {
  const { dump, tables } = system;
  if (!tables) throw new QueryError("no kernel was found in the dump, and so no tables");
  const work = new Work(ENTRIES_MAX, () => new QueryError(`the kernel's tables have more than ${ENTRIES_MAX} entries`));
  const address = place === undefined ? undefined : addressOf(system, `${DUMP}:${place}`);
  if (address !== undefined) checkUpperHalf(place ?? "", address);
  return pageTableRows({
    vm: DUMP,
    tables: () => tables,
    registers: { getRegister: (name) => system.registers(name) },
    mair: undefined,
    regime: "EL1&0",
    read: entriesOf(dump.memory, work),
    paOf: (ipa) => ipa,
  }, address);
}

/** @throws QueryError for an address of programs */
function checkUpperHalf(place: string, address: bigint): void {
  if (address < UPPER_HALF) {
    throw new QueryError(`${place}: a dump has no TTBR0_EL1`, way`${hint("linux maps", 1)} has the mappings of a program`);
  }
}

function readMap({ dump }: DumpSystem): RowOf<typeof MEMORY>[] {
  return dump.memory.runs.map(({ address, size }) => ({
    id: paId(address),
    pa: hex(address),
    size,
    access: "exclusive",
    vm: [vmId(DUMP)],
    mapped: [`${ipaId(DUMP, address)} rwx`],
    parcel: null,
    state: "private",
    owner: dump.form,
    owner_vm: vmId(DUMP),
  }));
}

/** The rows of a table about the kernel. @throws QueryError */
export function readKernel<N extends keyof LinuxTables>(system: DumpSystem, table: N, args: TableArguments<N>): FoundRows {
  const { vm }: AnyArguments = args;
  checkVm(vm);
  const reading = system.reading(), rows = whole(linuxRows(reading ? [reading] : [], table, args));
  return table === "linux.log" && !reading ? keptLog(system) ?? rows : rows;
}

/** The records of ramoops in a file that has little more; undefined without one. */
function keptLog({ dump: { memory } }: DumpSystem): FoundRows | undefined {
  const [first] = memory.runs, last = memory.runs.at(-1), gaps: Gap[] = [];
  if (!first || !last || last.address + last.size - first.address > REGION_MAX) return undefined;
  const region = { base: first.address, size: last.address + last.size - first.address };
  const reading = { memory, work: new Work(STEPS_MAX, () => new TooMuch()), failed: (gap: Gap) => gaps.push(gap) };
  const rows = readRegion(DUMP, region, reading);
  return rows.length || gaps.length ? { rows, gaps } : undefined;
}

/** Readers of the other tables that a dump has. */
export const DUMP_READERS: DumpReaders = {
  "vm.ls": (system) => ({ rows: [readVm(system)] }),
  "diagnose": readDumpDiagnosis,
  "vcpu.ls": (system) => ({ rows: system.cpus.map((cpu) => readVcpu(system, cpu)) }),
  "vcpu.regs": (system, { vcpu }) => ({ rows: readRegisters(cpuOf(system, vcpu)) }),
  "vcpu.stack": (system, { vcpu }) => ({ rows: readStack(system, cpuOf(system, vcpu)) }),
  "vcpu.vars": (system, { vcpu, frame, at }) => ({ rows: variableRows(framedCpu(system, cpuOf(system, vcpu)), frame ?? 0, at) }),
  "print": (system, { at }) => readPrinted(system, at),
  "vcpu.tables": (system, { at }) => ({ rows: readPageTables(system, at) }),
  "symbols": (system, { vm }) => {
    checkVm(vm);
    return { rows: symbolRows(DUMP, system.symbols) };
  },
  "code": (system, { at, size }) => ({ rows: readCode(system, at, size ?? INSTRUCTIONS) }),
  "mem.map": (system) => ({ rows: readMap(system) }),
  "mem.read": (system, { at, size }) => ({ rows: readBytes(system, at, size) }),
  "session.memory": ({ dump }) => ({
    rows: [
      memoryRow({
        part: "dump",
        used: dump.memory.kept,
        dropped: 0,
        what: "pages of the dump that were read last, and its kernel's image",
      }),
    ],
  }),
};
