// The architectural state of a vCPU in an archive: registers with flags resolved, and what the core
// keeps between two instructions.

import {
  type Core,
  DEVICE_BECAUSE,
  ENTERED_BY,
  MISSED,
  NOTED_GUESTS,
  V_REGISTERS,
  type VcpuState,
  X_REGISTERS,
} from "../../../cpu/core/interface.ts";
import type { Archive } from "../../hardware/archive.ts";

const STEPPED = ["none", "other", "exclusive"] as const;

/**
 * Saves the registers, or loads them into a vCPU that has just been made. Stage 2 and interrupt
 * inputs follow from the vCPU's objects.
 */
export function archiveRegisters(archive: Archive, core: Core, registers: VcpuState): void {
  archive.within("registers", () => {
    archiveGeneral(archive, registers);
    for (const name of registers.names) {
      const value = archive.word(name, registers.getRegister(name));
      if (!archive.loading) continue;
      registers.setRegister(name, value);
      archive.check(registers.getRegister(name) === value, `${name} has bits that the register does not have`);
    }
    registers.event = archive.bool("event", registers.event);
    registers.defaultCacheable = archive.bool("defaultCacheable", registers.defaultCacheable);
    archiveChain(archive, registers);
    registers.entered = archive.maybe("entered", registers.entered, (entered) => ({
      by: archive.choice("by", entered?.by, ENTERED_BY),
      at: archive.word("at", entered?.at),
      spsr: archive.integer("spsr", entered?.spsr, 0, 0xffff_ffff),
    }));
    registers.deviceAtomic = archive.maybe("deviceAtomic", registers.deviceAtomic, (access) => ({
      because: archive.choice("because", access?.because, DEVICE_BECAUSE),
      va: archive.word("va", access?.va),
      pc: archive.word("pc", access?.pc),
    }));
    registers.staleUse = archive.maybe("staleUse", registers.staleUse, (use) => ({
      va: archive.word("va", use?.va),
      pc: archive.word("pc", use?.pc),
      tlbi: archive.within("tlbi", () => ({
        missed: archive.choice("missed", use?.tlbi.missed, MISSED),
        pc: archive.word("pc", use?.tlbi.pc),
        operand: archive.word("operand", use?.tlbi.operand),
        cpu: archive.word("cpu", use?.tlbi.cpu),
      })),
      time: archive.word("time", use?.time),
      forGood: archive.bool("forGood", use?.forGood),
    }));
    if (registers.hasEl2) archiveGuests(archive, registers);
    archiveDebug(archive, registers);
    archiveProgress(archive, core, registers);
  });
}

function archiveGeneral(archive: Archive, registers: VcpuState): void {
  // First, as it says which stack pointer is in use.
  registers.pstate = archive.integer("pstate", registers.pstate, 0, 0xffff_ffff);
  registers.pc = archive.word("pc", registers.pc);
  for (let index = 0; index < X_REGISTERS; index++) registers.setX(index, archive.word(`x${index}`, registers.getX(index)));
  for (let index = 0; index < V_REGISTERS; index++) {
    const [low, high] = registers.getV(index);
    registers.setV(index, archive.word(`v${index}.low`, low), archive.word(`v${index}.high`, high));
  }
}

/** No instruction reads it, but verdicts do, also after a jump to the past. */
function archiveChain(archive: Archive, registers: VcpuState): void {
  archive.within("chain", () => {
    const { length, same, interrupts, esr, elr, far } = registers.chain;
    registers.chain = {
      length: archive.integer("length", length, 0, 0xffff_ffff),
      same: archive.integer("same", same, 0, 0xffff_ffff),
      interrupts: archive.integer("interrupts", interrupts, 0, 0xffff_ffff),
      esr: archive.word("esr", esr),
      elr: archive.word("elr", elr),
      far: archive.word("far", far),
    };
  });
}

/** The same of the guests of its EL2. */
function archiveGuests(archive: Archive, registers: VcpuState): void {
  archive.within("guests", () => {
    const { latest, entries } = registers.guests, count = archive.integer("count", entries.length, 0, NOTED_GUESTS);
    registers.guests = {
      latest: archive.integer("latest", latest, 0, Math.max(count - 1, 0)),
      entries: Array.from({ length: count }, (_, index) => ({
        vttbr: archive.word(`vttbr${index}`, entries[index]?.vttbr),
        vmpidr: archive.word(`vmpidr${index}`, entries[index]?.vmpidr),
        vtcr: archive.word(`vtcr${index}`, entries[index]?.vtcr),
      })),
    };
  });
}

function archiveDebug(archive: Archive, { debug }: VcpuState): void {
  for (const name of ["bvr", "bcr", "wvr", "wcr"] as const) {
    const values = debug[name];
    for (let index = 0; index < values.length; index++) values[index] = archive.word(`${name}${index}`, values[index]);
  }
  if (archive.loading) debug.version++;
}

/** The exclusive monitor, and a software step that is due. */
function archiveProgress(archive: Archive, core: Core, registers: VcpuState): void {
  const { monitor, stepped } = archive.loading ? { monitor: undefined, stepped: undefined } : core.progress(registers);
  const loaded = {
    stepped: archive.choice("stepped", stepped, STEPPED),
    monitor: archive.maybe("monitor", monitor, (marked) => ({
      size: archive.choice("size", marked?.size, [1, 2, 4, 8, 16]),
      address: archive.word("address", marked?.address),
      low: archive.word("low", marked?.low),
      high: archive.word("high", marked?.high),
    })),
  };
  // The monitor belongs to the CPU: set it only after the vCPUs, which would replace it when they
  // become resident.
  archive.later(() => core.setProgress(registers, loaded));
}
