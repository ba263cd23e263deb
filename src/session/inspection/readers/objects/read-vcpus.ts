// Rows about vCPUs: what each does, waits for, and its registers.

import { Icc, Intid, type Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import { Block } from "../../../../machine/hypervisor/interface.ts";
import { V_REGISTERS, X_REGISTERS } from "../../../../cpu/core/interface.ts";
import { vcpuWord } from "../guest-names.ts";
import { formatId, irqId, objId, pcpuId } from "../../../../model/queries/ids.ts";
import { QueryError, type View } from "../inspected.ts";
import { pstateParts, registerWords } from "../../trace/register-words.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { REGISTERS, VCPUS } from "../../../../model/queries/tables.ts";
import { type Wait, WAITS } from "../../../../model/queries/facts/wait.ts";
import { sourceNames } from "./virq-sources.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/** Names of the block reasons (docs/spec/hypervisor.md §5.2) in lower case. */
const BLOCK_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [Block.Lifecycle, "thread_lifecycle"],
  [Block.Off, "vcpu_off"],
  [Block.Suspend, "vcpu_suspend"],
  [Block.Wfi, "vcpu_wfi"],
  [Block.Run, "vcpu_run"],
  [Block.Vmmio, "addrspace_vmmio_access"],
];

/** The reasons for which a vCPU does not run. */
function blockNames(vcpu: Vcpu): string[] {
  return BLOCK_NAMES.filter(([bit]) => vcpu.life.blocks & bit).map(([, name]) => name);
}

/** Every active vCPU, and those of VMs that have ended. */
export function readVcpus(view: View): RowOf<typeof VCPUS>[] {
  const active = readActive(view, view.vcpus()), there = new Set(active.map(({ id }) => id));
  return [...active, ...view.system.endedRows().vcpus.filter(({ id }) => !there.has(id))];
}

function readActive(view: View, vcpus: readonly Vcpu[]): RowOf<typeof VCPUS>[] {
  return vcpus.map((vcpu) => {
    const id = view.vcpu(vcpu), waits = waitsOf(view, vcpu);
    return {
      id,
      vm: view.vmOf(vcpu.addressSpace),
      state: vcpuWord(vcpu).toLowerCase(),
      wait: blockNames(vcpu),
      since: String(Math.max(0, Math.round(view.now - vcpu.usage.ranUntil))),
      wakes: waits.map((wait) => WAITS.text(wait)),
      waits,
      pc: vcpu.native ? null : hex(vcpu.registers.pc, 16),
      symbol: symbolOf(view, vcpu) ?? null,
      cpu: view.rate(`${id} time`, vcpu.usage.time) / 1e9,
      exits: String(vcpu.usage.exits),
      exits_rate: view.rate(`${id} exits`, vcpu.usage.exits),
      instructions: String(vcpu.usage.instructions),
      pcpu: view.hypervisor.scheduler.hasCpu(vcpu.settings.affinity) ? pcpuId(vcpu.settings.affinity) : null,
      priority: vcpu.settings.priority,
      timeslice: String(vcpu.settings.timeslice),
      native: vcpu.native !== undefined,
      pending: pending(view, vcpu),
      yields_to: vcpu.turn.yieldTo ? view.vcpu(vcpu.turn.yieldTo) : null,
      obj: objId(vcpu.serial),
    };
  });
}

/** The symbol of the code that a vCPU executes. */
function symbolOf(view: View, vcpu: Vcpu): string | undefined {
  return vcpu.native ? undefined : view.system.symbols.nameIn(vcpu, vcpu.registers.pc);
}

/** Events that end the wait of a vCPU; empty if it does not wait. */
function waitsOf(view: View, vcpu: Vcpu): Wait[] {
  const has = (bit: number) => vcpu.life.isBlockedBy(bit);
  if (vcpu.life.isDead) return [];
  if (has(Block.Lifecycle)) return [{ code: "activation" }];
  if (has(Block.Off)) return [{ code: "power-on" }];
  const { vmmio } = vcpu.life;
  if (has(Block.Vmmio)) return [vmmio ? { code: "vmm", access: { write: vmmio.write, ipa: hex(vmmio.ipa) } } : { code: "mmio" }];
  const asleep = has(Block.Wfi) || has(Block.Suspend) || vcpu.native !== undefined && !vcpu.native.hasWork();
  if (!asleep) return has(Block.Run) ? [{ code: "vcpu_run" }] : [];
  const vm = view.vmNameOf(vcpu.addressSpace);
  const found: Wait[] = [];
  const { all, deadline } = vcpu.timers, first = all.find((timer) => timer.deadline === deadline);
  if (deadline !== Infinity && first) {
    const { ppi: intid } = first.kind;
    found.push({ code: "timer", irq: irqId(vm, intid, vcpu.index), intid, in_ns: Math.max(0, deadline - view.now) });
  }
  const { gic } = vcpu.gic, names = sourceNames(view);
  for (const intid of gic.shared.enabled(Intid.PrivateEnd, Intid.SpiEnd)) {
    if (gic.routeOf(intid) !== vcpu.index) continue;
    const source = gic.shared.sources.get(intid);
    found.push({ code: "irq", irq: irqId(vm, intid, vcpu.index), intid, source: source ? names.get(source) ?? "hardware" : null });
  }
  return found.length ? found : [{ code: "no-irq" }];
}

function pending(view: View, vcpu: Vcpu): string[] {
  if (vcpu.life.isBlockedBy(Block.Lifecycle)) return [];
  const vm = view.vmNameOf(vcpu.addressSpace);
  const { gic, bank } = vcpu.gic;
  const found = [...bank.pending(0, Intid.PrivateEnd), ...gic.shared.pending(Intid.PrivateEnd, Intid.SpiEnd)];
  return found.filter((intid) => intid < Intid.PrivateEnd || gic.routeOf(intid) === vcpu.index).map((intid) =>
    irqId(vm, intid, vcpu.index)
  );
}

/** Registers of one vCPU; none for a native program. */
export function readRegisters(view: View, vcpu: Vcpu): RowOf<typeof REGISTERS>[] {
  if (vcpu.native) return [];
  const { registers } = vcpu;
  const vm = view.vmNameOf(vcpu.addressSpace);
  const rows: RowOf<typeof REGISTERS>[] = [];
  const add = (register: string, value: bigint | number, group: string, digits = 16) =>
    rows.push({
      id: formatId({ kind: "reg", vm, index: vcpu.index, name: register }),
      name: register,
      value: hex(value, digits),
      words: registerWords(register, BigInt(value)) ?? null,
      parts: register === "pstate" ? pstateParts(Number(value)) : null,
      group,
    });
  for (let index = 0; index < X_REGISTERS; index++) add(`x${index}`, registers.getX(index), "general");
  add("pc", registers.pc, "general");
  add("pstate", registers.pstate, "general", 8);
  for (const register of registers.names) add(register.toLowerCase(), registers.getRegister(register), group(register));
  if (!vcpu.life.isBlockedBy(Block.Lifecycle)) add("icc_pmr_el1", vcpu.gic.readRegister(Icc.PMR) ?? 0, "gic", 2);
  for (let index = 0; index < V_REGISTERS; index++) {
    const [low, high] = registers.getV(index);
    add(`v${index}`, high << 64n | low, "vector", 32);
  }
  return rows;
}

/**
 * A function that reads the register of this name, as in `vcpu.regs`.
 * @throws QueryError
 */
export function registerReader({ native, registers: { names } }: Vcpu, id: string, name: string): (vcpu: Vcpu) => bigint {
  if (native) throw new QueryError("el2's own code runs on this vCPU: it has no registers");
  const [, file, number] = /^([xv])(\d{1,2})$/.exec(name) ?? [], index = Number(number);
  if (file === "x" && index < X_REGISTERS) return ({ registers }) => registers.getX(index);
  if (file === "v" && index < V_REGISTERS) {
    return ({ registers }) => {
      const [low, high] = registers.getV(index);
      return high << 64n | low;
    };
  }
  if (name === "pstate") return ({ registers }) => BigInt(registers.pstate);
  if (name === "pc") throw new QueryError("the PC changes with every instruction", way`${hint("back")} goes back by one`);
  const system = names.find((one) => one.toLowerCase() === name);
  if (system === undefined) throw new QueryError(`no register ${JSON.stringify(name)}`, way`${hint("vcpu regs", id)} lists them`);
  return ({ registers }) => registers.getRegister(system);
}

function group(register: string): string {
  return register.startsWith("CNT") ? "timer" : register.startsWith("ICH_") ? "gic" : "system";
}
