// The call frames of a task: in the kernel, then in its program.

import { FrameRegister } from "../../../kit/formats/dwarf/frames.ts";
import { formatId, vcpuId, vcpuName, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { plainAddress } from "../../symbols/unwind.ts";
import { placeText } from "../../symbols/symbol-table.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { areasOf } from "./files.ts";
import { kernelFrames, programRegisters, RECORD, returnAddresses } from "./frames.ts";
import { nameInModules } from "./modules.ts";
import { fileName } from "./paths.ts";
import type { Reading } from "../kernel/reading.ts";
import { findTask, isKernelThread, isRunning, userMemory } from "./tasks.ts";
import type { Struct } from "../kernel/types.ts";

type StackRow = RowOf<LinuxTables["linux.stack"]>;

const USER_FRAMES_MAX = 64;

/** The rows of `linux stack`; undefined without such a task. */
export function readTaskStack(reading: Reading, pid: number): StackRow[] | undefined {
  const of = `stack of ${pid}`, task = findTask(reading, pid);
  if (!task) return undefined;
  const rows: StackRow[] = [];
  if (reading.tried(of, () => isRunning(task))) {
    const cpu = reading.tried(of, () => task.number("cpu"));
    if (cpu !== undefined) reading.gap({ code: "running", of, vcpu: vcpuId(vcpuName(reading.vm, cpu)) });
    return rows;
  }
  const add = (mode: "kernel" | "user", pc: bigint, symbol: string | undefined, file: string | undefined) => {
    const id = formatId({ kind: "call", vm: reading.vm, pid, number: rows.length });
    rows.push({ id, vm: vmId(reading.vm), mode, pc: hex(pc, 16), symbol: symbol ?? null, file: file ?? null });
  };
  reading.tried(of, () => {
    for (const pc of kernelFrames(reading, task)) add("kernel", pc, codeName(reading, pc), undefined);
  });
  reading.tried(of, () => {
    for (const pc of userFrames(reading, task)) add("user", pc, undefined, mappedAt(reading, task, pc));
  });
  return rows;
}

/** Names of code in an answer: many timers have one function, many tasks one stack. */
const NAMES = new WeakMap<Reading, Map<bigint, string | undefined>>();

/** The name of an address in the kernel or its modules, with the offset. */
export function codeName(reading: Reading, pc: bigint): string | undefined {
  let names = NAMES.get(reading);
  if (!names) NAMES.set(reading, names = new Map());
  if (names.has(pc)) return names.get(pc);
  const place = reading.placeOf(pc), name = place ? placeText(place) : nameInModules(reading, pc);
  names.set(pc, name);
  return name;
}

/** The program's PC and return addresses. */
function* userFrames(reading: Reading, task: Struct): Generator<bigint> {
  const mm = isKernelThread(task) ? undefined : task.at("mm", "mm_struct"), memory = mm && userMemory(reading, mm);
  if (!memory) return;
  const registers = programRegisters(reading, task);
  yield registers.big("pc");
  const [record, link] = [FrameRegister.X29, FrameRegister.X30].map((register) =>
    plainAddress(registers.big(`regs[${register}]`), memory.tables.bits)
  );
  const isRecord = (address: bigint) => memory.has(address, RECORD);
  if (isRecord(record)) yield* returnAddresses(memory, record, USER_FRAMES_MAX, isRecord);
  else if (link !== 0n) yield link;
}

/** A place in a file that a program has mapped. */
export interface MappedPlace {
  readonly path: string;
  readonly offset: bigint;
  /** Bytes of the file. */
  readonly size: bigint;
}

/** The place in a file at a program's address. */
export function placeInFile(reading: Reading, task: Struct, address: bigint): MappedPlace | undefined {
  const mm = task.at("mm", "mm_struct");
  if (!mm) return undefined;
  for (const area of areasOf(reading, mm)) {
    const start = area.big("vm_start");
    if (address < start || address >= area.big("vm_end")) continue;
    const file = area.at("vm_file", "file");
    const offset = address - start + (area.big("vm_pgoff") << BigInt(reading.kernel.tables.granule));
    return file && { path: fileName(reading, file), offset, size: file.at("f_inode", "inode")?.big("i_size") ?? 0n };
  }
  return undefined;
}

/** `FILE+0xOFFSET` of a program's address. */
export function mappedAt(reading: Reading, task: Struct, pc: bigint): string | undefined {
  const place = placeInFile(reading, task, pc);
  return place && `${place.path}+0x${place.offset.toString(16)}`;
}
