// Rows of a vCPU's translation tables (stage 1): all mappings, or the walk for one address, with
// the physical address by stage 2.

import { type Regime, regimeOf, registerOf, registersOf } from "../../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import {
  areWalksOff,
  type Descriptor,
  isInHalf,
  leavesOf,
  outputOf,
  type ReadEntry,
  type Tables,
  untagged,
  walkTables,
} from "../../../../kit/formats/page-tables.ts";
import { addressSizesOf } from "../../../../cpu/isa/cpus/address-sizes.ts";
import { formatId, vcpuName } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { PAGE_TABLES } from "../../../../model/queries/tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { Work } from "../../../../kit/support/values/work.ts";
import { QueryError, type View } from "../inspected.ts";
import { codePlace } from "./read-symbols.ts";
import { memoryKind, rightsOf, type Stage1Registers, tablesOfHalf } from "./stage1.ts";
import { entriesAt, stage2Of } from "./stage2.ts";

type PageTableRow = RowOf<typeof PAGE_TABLES>;

/** Descriptors of one answer: a guest's tables may form a cycle. */
const ENTRIES_MAX = 4_000_000;
/** Rows of one answer. */
const ROWS_MAX = 100_000;

/**
 * The mappings of a vCPU, none while its MMU is off; with `place`, a symbol or an address, the walk
 * for it.
 * @throws QueryError
 */
export function readPageTables(view: View, vcpu: Vcpu, place: string | undefined): PageTableRow[] {
  const regime = regimeOf(vcpu.registers), registers = registersOf(vcpu.registers, regime), id = view.vcpu(vcpu);
  if (vcpu.native) throw new QueryError(`${id} executes no instructions: el2's own code runs there`);
  if (!(registers.getRegister("SCTLR_EL1") & 1n)) {
    if (place === undefined) return [];
    throw new QueryError(
      `the MMU of ${id} is off (${registerOf("SCTLR_EL1", regime)}.M): addresses are intermediate physical ones`,
      "mem owner takes those: ipa:VM/ADDRESS",
    );
  }
  const work = new Work(ENTRIES_MAX, () => new QueryError(`the tables of ${id} have more than ${ENTRIES_MAX} entries`));
  const { ram } = view.hypervisor.machine, sizes = addressSizesOf(view.system.symbols.core.cpu.features);
  const paOf = stage2Of(vcpu, ram, sizes), memory = entriesAt(paOf, ram), vm = view.vmNameOf(vcpu.addressSpace);
  return pageTableRows({
    vm,
    regime,
    tables: (upper) => tablesOfHalf(registers, upper, sizes),
    registers,
    mair: registers.getRegister("MAIR_EL1"),
    read: (ipa) => (work.spend(), memory(ipa)),
    paOf,
  }, place === undefined ? undefined : codePlace(view, `${vcpuName(vm, vcpu.index)}:${place}`).address);
}

/** Tables of stage 1, and what else a walk by them needs: of a vCPU, or of the kernel in a dump. */
export interface Translating {
  readonly vm: string;
  readonly regime: Regime;
  tables(upper: boolean): Tables;
  /** Of the regime, by the names of EL1's. */
  readonly registers: Stage1Registers;
  /** Undefined if it is not known: then the kind of memory is not known either. */
  readonly mair: bigint | undefined;
  /** Counts what it reads. */
  readonly read: ReadEntry;
  paOf(ipa: number): number | undefined;
}

/** All mappings; with an address, the descriptors of the walk for it. @throws QueryError */
export function pageTableRows(translating: Translating, address: bigint | undefined): PageTableRow[] {
  const reading = new Reading(translating);
  return address === undefined ? reading.mappings() : reading.walk(address);
}

class Reading {
  readonly tcr: bigint;

  constructor(readonly of: Translating) {
    this.tcr = of.registers.getRegister("TCR_EL1");
  }

  /** Neighbors with the same rights whose memory is contiguous are one row. */
  mappings(): PageTableRow[] {
    const rows: PageTableRow[] = [];
    let start = 0n, size = 0n, first: Descriptor | undefined;
    const end = () => {
      if (first) rows.push(this.#row(first, start, size));
      if (rows.length > ROWS_MAX) throw new QueryError(`more than ${ROWS_MAX} mappings`, "name an address");
    };
    for (const upper of [false, true]) {
      if (areWalksOff(this.tcr, upper)) continue;
      for (const { address, leaf } of leavesOf(this.of.tables(upper), this.of.read)) {
        const continues = first && address === start + size && outputOf(leaf, 0n) === outputOf(first, 0n) + Number(size) &&
          attributesOf(leaf) === attributesOf(first) && leaf.controls === first.controls && leaf.shift === first.shift;
        if (!continues) {
          end();
          [first, start, size] = [leaf, address, 0n];
        }
        size += 1n << BigInt(leaf.shift);
      }
    }
    end();
    return rows;
  }

  /** Each descriptor, from the first table on. */
  walk(address: bigint): PageTableRow[] {
    const va = untagged(address, this.tcr), upper = va < 0n, tables = this.of.tables(upper);
    const name = registerOf(upper ? "TTBR1_EL1" : "TTBR0_EL1", this.of.regime);
    if (!isInHalf(tables, va)) {
      throw new QueryError(`${hex(address)} is outside of the ${tables.bits} bits that ${name}'s tables translate`);
    }
    if (areWalksOff(this.tcr, upper)) {
      throw new QueryError(`walks by ${name} are off (${registerOf("TCR_EL1", this.of.regime)}.EPD${Number(upper)})`);
    }
    const rows: PageTableRow[] = [],
      row = (at: Descriptor) => {
        const size = 1n << BigInt(at.shift);
        rows.push(this.#row(at, BigInt.asUintN(64, va) & -size, size, address));
      };
    row(walkTables(tables, va, this.of.read, row));
    return rows;
  }

  /** @param address of a walk, whose own physical address is wanted */
  #row(at: Descriptor, start: bigint, size: bigint, address = start): PageTableRow {
    const leaf = at.kind === "leaf", rights = leaf ? rightsOf(at, this.of.registers, this.of.regime === "EL2") : undefined;
    const ipa = leaf ? outputOf(at, address) : undefined, pa = ipa === undefined ? undefined : this.of.paOf(ipa);
    return {
      id: formatId({ kind: "va", vm: this.of.vm, address: start }),
      address: hex(start, 16),
      size: Number(size),
      level: at.level,
      kind: at.kind,
      ipa: ipa === undefined ? null : hex(ipa),
      pa: pa === undefined ? null : hex(pa),
      el1: rights?.el1 ?? null,
      el0: rights?.el0 ?? null,
      memory: rights ? this.#memory(rights.attributes) : null,
      entry: hex(at.entry),
      descriptor: at.value === undefined ? null : hex(at.value, 16),
    };
  }

  #memory(index: number): PageTableRow["memory"] {
    return this.of.mair === undefined ? null : memoryKind(this.of.mair, index);
  }
}

/** A descriptor without its address, its access flag and the bits for software. */
const attributesOf = ({ value = 0n }: Descriptor): bigint => value & 0x0070_0000_0000_09fcn & ~(1n << 10n);
