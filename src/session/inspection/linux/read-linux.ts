// Rows about Linux in VMs: which kernels there are, and the memory that src/inside/linux reads.

import { hostRegime, isBelowEl2, Pstate, regimeOf, registersOf } from "../../../cpu/core/interface.ts";
import { UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import type { AddressSpace, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { LinuxKernel } from "../../../inside/linux/kernel/kernel.ts";
import type { PhysicalMemory, VirtualMemory } from "../../../inside/linux/kernel/memory.ts";
import { Reading } from "../../../inside/linux/kernel/reading.ts";
import type { LoadedModule } from "../../../inside/linux/kernel/loaded-modules.ts";
import { hasKernelOf } from "../../../inside/symbols/vm-symbols.ts";
import { LINUX_READERS } from "../../../inside/linux/readers.ts";
import { tasksNamed } from "../../../inside/linux/structures/tasks.ts";
import type { Gap } from "../../../model/queries/facts/gap.ts";
import { LINUX_TABLES, type LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { TableArguments } from "../../../model/queries/query.ts";
import type { AnyArguments } from "../../../model/queries/query-arguments.ts";
import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { Row, RowOf } from "../../../model/queries/table.ts";
import { type InPieces, mapInPieces } from "../../../kit/support/values/work.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

export interface LinuxRows<R = Row> {
  readonly rows: readonly R[];
  readonly gaps: readonly Gap[];
}

type Readers = { readonly [N in keyof LinuxTables]: (view: View, args: TableArguments<N>) => InPieces<LinuxRows<RowOf<LinuxTables[N]>>> };

/** Kernels that were found, as long as their VMs exist. */
const KERNELS = new WeakMap<AddressSpace, LinuxKernel>();

/** The readers of the tables about guests' kernels. */
export const KERNEL_READERS = Object.fromEntries(
  Object.values(LINUX_TABLES).map(({ name }) => [name, (view: View, args: TableArguments<typeof name>) => readLinux(view, name, args)]),
) as Readers;

/** The rows of one of the tables, of one VM or of all that run Linux. */
function readLinux<N extends keyof LinuxTables>(view: View, table: N, args: TableArguments<N>): InPieces<LinuxRows> {
  const { vm, pid }: AnyArguments = args;
  return linuxRows(readingsOf(view, vm, pid !== undefined), table, args);
}

/** The rows of one of the tables from kernels' memory, a kernel in a piece. @throws QueryError */
export function* linuxRows<N extends keyof LinuxTables>(
  readings: readonly Reading[],
  table: N,
  args: TableArguments<N>,
): InPieces<LinuxRows> {
  const { pid }: AnyArguments = args;
  // A list of kernels may be empty; another one cannot be made without a kernel.
  if (!readings.length && table !== "linux.ls") return { rows: [], gaps: [NO_KERNEL] };
  const rows = yield* mapInPieces(readings, (reading): readonly Row[] => {
    const found = LINUX_READERS[table](reading, args, typeof pid === "string" ? numberOf(reading, pid) : pid ?? 0);
    if (found) return found;
    throw noTask(reading, String(pid));
  });
  return { rows: rows.flat(), gaps: readings.flatMap(({ gaps }) => gaps) };
}

const NO_KERNEL: Gap = { code: "no-kernel" };

const noTask = ({ vm }: Reading, task: string) =>
  new QueryError(`${vmId(vm)} has no process or thread ${task}`, way`list them with ${hint("linux ps", { threads: true })}`);

/** The number of the one task that has a name. @throws QueryError */
function numberOf(reading: Reading, name: string): number {
  const [task, ...others] = reading.tried("tasks", () => tasksNamed(reading, name).map((one) => one.number("pid"))) ?? [];
  if (task === undefined) throw noTask(reading, name);
  if (!others.length) return task;
  const shown = [task, ...others].slice(0, NAMED_SHOWN).map((pid) => formatId({ kind: "task", vm: reading.vm, pid }));
  throw new QueryError(`${1 + others.length} tasks of ${vmId(reading.vm)} have the name ${name}`, `name one: ${shown.join(", ")}`);
}

/** Tasks of one name that are listed. */
const NAMED_SHOWN = 10;

function readingsOf(view: View, vm: string | undefined, single: boolean): Reading[] {
  if (vm !== undefined) {
    const reading = findReading(view, view.findSpace(vm));
    if (!reading) {
      throw new QueryError(
        `no Linux kernel is mapped in ${vmId(view.vmNameOf(view.findSpace(vm)))}`,
        way`it runs something else, has not turned its MMU on yet, has no symbols (kallsyms, --symbols), or has ended (${hint("back")})`,
      );
    }
    return [reading];
  }
  const all = [...view.hypervisor.addressSpaces.values()].flatMap((space) => findReading(view, space) ?? []);
  if (single && all.length > 1) {
    throw new QueryError(
      "several VMs run Linux",
      `name the VM, as in ${all.map((one) => `${one.vm}/1`).join(", ")}`,
    );
  }
  return all;
}

/**
 * Undefined if no kernel is mapped there. All readings of an answer about one VM share their steps:
 * a verdict has a dozen of them.
 * @throws SymbolSearch
 */
export function findReading(view: View, space: AddressSpace): Reading | undefined {
  const vm = view.vmNameOf(space);
  const vcpus = view.objects("thread").filter((vcpu) => vcpu.addressSpace === space && vcpu.native === undefined);
  const readingOf = (kernel: LinuxKernel) =>
    new Reading(vm, kernel, memoryOf(view, space, kernel), vcpus.map(({ registers }) => registers).filter(isInKernel), view.now);
  const known = KERNELS.get(space);
  if (known && vcpus.some(({ registers }) => known.isUsedBy(translationOf(registers)))) return readingOf(known);
  const { symbols } = view.system, physical = physicalMemory(view, space);
  for (const vcpu of vcpus) {
    const { registers } = vcpu,
      tables = hasKernelOf(vcpu) ? symbols.ofKernel(vm) : isFirstGuest(registers, vcpus) ? symbols.ofGuest(vcpu) : [];
    const kernel = tables.length ? LinuxKernel.find({ physical, registers: translationOf(registers), tables }) : undefined;
    if (!kernel) continue;
    symbols.search(space, () => learned(space, kernel, physical));
    break;
  }
  // CPUs that are off have no tables: they have the kernel that was there before.
  const found = KERNELS.get(space);
  return found && readingOf(found);
}

/**
 * Whether a vCPU has the first guest of its EL2: of Xen dom0, whose memory has the addresses of the
 * VM. Another guest's is elsewhere, and no kernel is found there.
 */
function isFirstGuest(registers: Vcpu["registers"], vcpus: readonly Vcpu[]): boolean {
  const vmid = (vttbr: bigint) => vttbr >> VMID_SHIFT, entered = vcpus.flatMap((vcpu) => vcpu.registers.guests.entries);
  const own = vmid(registers.getRegister("VTTBR_EL2"));
  return entered.every(({ vttbr }) => vmid(vttbr) === 0n || vmid(vttbr) >= own);
}

const VMID_SHIFT = 48n;

function* learned(space: AddressSpace, kernel: LinuxKernel, physical: PhysicalMemory): InPieces<void> {
  yield* kernel.learn(physical);
  KERNELS.set(space, kernel);
}

/** The memory of each VM's kernel, as long as an answer is made. */
const MEMORIES = new WeakMap<View, Map<AddressSpace, VirtualMemory>>();

function memoryOf(view: View, space: AddressSpace, kernel: LinuxKernel): VirtualMemory {
  let memories = MEMORIES.get(view);
  if (!memories) MEMORIES.set(view, memories = new Map());
  let memory = memories.get(space);
  if (!memory) memories.set(space, memory = kernel.memory(physicalMemory(view, space)));
  return memory;
}

interface ModulesAt {
  /** Of the machine: `Machine.places`, virtual time, and instructions that are retired. */
  readonly place: string;
  readonly modules: readonly LoadedModule[];
}

/** The modules of a machine's kernels. An answer that names many addresses looks for them once. */
export class ModulesNow {
  readonly #known = new WeakMap<AddressSpace, ModulesAt>();

  constructor(readonly view: () => View, readonly instructions: () => number) {}

  /**
   * Those of a VM's kernel, the latest first.
   * @throws SymbolSearch
   */
  of(vm: string): readonly LoadedModule[] {
    const view = this.view(), { machine } = view.hypervisor;
    const space = view.system.symbols.vcpus(vm).find(({ addressSpace }) => addressSpace)?.addressSpace;
    if (!space) return [];
    const known = this.#known.get(space), place = [machine.places, machine.time, this.instructions()].join();
    if (known?.place === place) return known.modules;
    const reading = findReading(view, space), modules = reading?.kernel.modules.in(reading.memory) ?? [];
    if (reading) this.#known.set(space, { place, modules });
    return modules;
  }
}

/** Whether a vCPU executes the kernel of its VM, not that of a guest of its EL2. */
export const isInKernel = (registers: Vcpu["registers"]): boolean =>
  registers.pc >= UPPER_HALF && (registers.pstate & Pstate.ElMask) !== 0 && regimeOf(registers) === hostRegime(registers) &&
  !isBelowEl2(registers);

function translationOf(registers: Vcpu["registers"]) {
  const own = registersOf(registers, hostRegime(registers));
  return { ttbr1: own.getRegister("TTBR1_EL1"), tcr: own.getRegister("TCR_EL1") };
}

/** The RAM that stage 2 maps. */
export function physicalMemory(view: View, { stage2 }: AddressSpace): PhysicalMemory {
  const { ram } = view.hypervisor.machine;
  return {
    page: (ipa) => {
      const found = stage2.lookup(ipa);
      return found && ram.contains(found.pa, PAGE_SIZE) ? ram.bytes(found.pa, PAGE_SIZE) : undefined;
    },
    *ranges() {
      for (const { ipa, pa, size } of stage2.entries()) if (ram.contains(pa, size)) yield { ipa, size };
    },
    *written() {
      for (const { pa, size } of stage2.entries()) {
        for (let at = pa; at < pa + size; at += PAGE_SIZE) {
          if (ram.contains(at, PAGE_SIZE) && ram.mayBeWritten(at)) yield ram.bytes(at, PAGE_SIZE);
        }
      }
    },
  };
}
