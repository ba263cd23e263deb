// The device whose driver a task starts (drivers/base/dd.c in the kernel's sources): the driver
// core holds the device's lock meanwhile, and has its address on the stack of the task.

import { UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import type { ProbedDevice } from "../../../model/queries/facts/linux-finding.ts";
import { cellsOf, propertiesOf } from "../structures/devicetree.ts";
import { stackOf } from "../structures/frames.ts";
import { readLinuxIrqs } from "../structures/irqs.ts";
import { OWNER_MASK } from "./listed-locks.ts";
import { BadMemory, FAILURE } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const WORD = 8n;
const NAME_MAX = 256, PARENTS_MAX = 16;
/** The GIC's numbers of shared and private interrupts begin here; their kinds in a devicetree. */
const FIRST_INTID = [32, 16];

/** The innermost one; undefined: none. */
export function probedDevice(reading: Reading, task: Struct): ProbedDevice | undefined {
  return reading.tried("device", () => {
    const { start, end } = stackOf(reading, task), { memory } = reading;
    const owner = reading.struct("device", 0n).addressOf("mutex.owner");
    for (let at = start; at < end; at += WORD) {
      const address = memory.has(at, Number(WORD)) ? memory.u64(at) : 0n;
      if (address < UPPER_HALF || address % WORD !== 0n || !memory.has(address + owner, Number(WORD))) continue;
      if ((memory.u64(address + owner) & OWNER_MASK) !== task.address) continue;
      const found = deviceOf(reading, reading.struct("device", address));
      if (found) return found;
    }
    return undefined;
  });
}

export const deviceName = (device: Struct): string | undefined =>
  device.textAt("kobj.name", NAME_MAX) ?? device.textAt("init_name", NAME_MAX);

/** The node of a device, or of the nearest one that it is part of. */
function nodeOf(device: Struct): Struct | undefined {
  for (let at: Struct | undefined = device, count = 0; at && count < PARENTS_MAX; at = at.at("parent", "device"), count++) {
    const node = at.at("of_node", "device_node");
    if (node) return node;
  }
  return undefined;
}

/** The first interrupt at the GIC that a node has, and how often it has come. */
function interruptOf(reading: Reading, node: Struct): ProbedDevice["interrupt"] {
  const [kind, number] = cellsOf(propertiesOf(node).get("interrupts")), first = FIRST_INTID[kind];
  if (first === undefined || number === undefined) return null;
  const intid = first + number, row = readLinuxIrqs(reading).find(({ hwirq }) => hwirq === String(intid));
  return { intid, count: row ? Number(row.total) : null };
}

/** Undefined if this is not a device, or has no driver that is being started. */
function deviceOf(reading: Reading, device: Struct): ProbedDevice | undefined {
  try {
    const driver = device.at("driver", "device_driver")?.textAt("name", NAME_MAX);
    const name = deviceName(device);
    if (driver === undefined || name === undefined) return undefined;
    const node = nodeOf(device);
    return { name, driver, node: node?.textAt("full_name", NAME_MAX) ?? null, interrupt: node ? interruptOf(reading, node) : null };
  } catch (error) {
    if (!(error instanceof BadMemory)) throw error;
    reading.memory.work.owe(FAILURE);
    return undefined;
  }
}
