// Interrupts of a kernel with their handlers, as /proc/interrupts lists them.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import { arrayEntries, mapleEntries } from "./trees.ts";
import type { Struct } from "../kernel/types.ts";

type IrqRow = RowOf<LinuxTables["linux.irqs"]>;

const OF = "interrupts";
/** Bits of `irq_common_data.state_use_accessors`. */
const PER_CPU = 1 << 11, LEVEL = 1 << 13, DISABLED = 1 << 16;
/** Of `irq_desc.status_use_accessors`: interrupts between CPUs, which /proc lists apart. */
const HIDDEN = 1 << 20;
const IRQS_MAX = 16_384, HANDLERS_MAX = 64, NAME_MAX = 128;

export function readLinuxIrqs(reading: Reading): IrqRow[] {
  return reading.rows(OF, () => descriptors(reading), (desc) => irqRow(reading, desc));
}

/** Interrupts with handlers that Linux has disabled. */
export const disabledIrqs = (reading: Reading): IrqRow[] =>
  readLinuxIrqs(reading).filter(({ disabled, handlers }) => disabled && handlers.length > 0);

/** Whether an interrupt may end the sleep of a suspended kernel. */
export const hasWakeup = (reading: Reading): boolean => descriptors(reading).some((desc) => desc.number("wake_depth") !== 0);

function* descriptors(reading: Reading): Generator<Struct> {
  const { symbol, address } = reading.anyOf("sparse_irqs", "irq_desc_tree");
  const entries = symbol === "sparse_irqs"
    ? mapleEntries(reading, reading.struct("maple_tree", address))
    : arrayEntries(reading, reading.struct("xarray", address));
  let count = 0;
  for (const entry of entries) {
    if (++count > IRQS_MAX) throw new BadMemory("invalid", "too many interrupts", entry);
    yield reading.struct("irq_desc", entry);
  }
}

function irqRow(reading: Reading, desc: Struct): IrqRow | undefined {
  if (desc.number("status_use_accessors") & HIDDEN) return undefined;
  const counts = countsOf(reading, desc), handlers = handlersOf(desc), total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0 && !handlers.length) return undefined;
  const irq = desc.number("irq_data.irq"), state = desc.number("irq_common_data.state_use_accessors");
  return {
    id: formatId({ kind: "lirq", vm: reading.vm, number: irq }),
    vm: vmId(reading.vm),
    irq,
    counts: counts.join(" "),
    total: String(total),
    chip: desc.at("irq_data.chip", "irq_chip")?.textAt("name", NAME_MAX) ?? null,
    hwirq: String(desc.big("irq_data.hwirq")),
    trigger: state & LEVEL ? "level" : "edge",
    disabled: (state & (DISABLED | PER_CPU)) === DISABLED,
    handlers,
  };
}

function countsOf(reading: Reading, desc: Struct): number[] {
  const data = desc.big("kstat_irqs");
  return data === 0n ? [] : Array.from({ length: reading.cpus }, (_, cpu) => reading.memory.u32(reading.perCpu(data, cpu)));
}

function handlersOf(desc: Struct): string[] {
  const names: string[] = [];
  for (let action = desc.at("action", "irqaction"); action; action = action.at("next", "irqaction")) {
    if (names.length === HANDLERS_MAX) throw new BadMemory("invalid", "an interrupt with too many handlers", action.address);
    names.push(action.textAt("name", NAME_MAX) ?? "");
  }
  return names;
}
