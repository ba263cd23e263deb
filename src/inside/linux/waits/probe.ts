// The device whose driver a task starts (drivers/base/dd.c in the kernel's sources): the driver
// core holds the device's lock meanwhile, and has its address on the stack of the task.

import { UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import type { ProbedDevice } from "../../../model/queries/facts/linux-finding.ts";
import { cellsOf, propertiesOf } from "../structures/devicetree.ts";
import { FrameRegister } from "../../../kit/formats/dwarf/frames.ts";
import { stackOf } from "../structures/frames.ts";
import { readLinuxIrqs } from "../structures/irqs.ts";
import { OWNER_MASK } from "./listed-locks.ts";
import { BadMemory, FAILURE } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import { isRunning } from "../structures/tasks.ts";
import type { Struct } from "../kernel/types.ts";

const WORD = 8n;
const NAME_MAX = 256, PARENTS_MAX = 16;
/** The GIC's numbers of shared and private interrupts begin here; their kinds in a devicetree. */
const FIRST_INTID = [32, 16];

/** The innermost one; undefined: none. */
export function probedDevice(reading: Reading, task: Struct): ProbedDevice | undefined {
  return reading.tried("device", () => {
    const { end } = stackOf(reading, task), { memory } = reading;
    const owner = reading.struct("device", 0n).addressOf("mutex.owner");
    for (let at = usedFrom(reading, task); at < end; at += WORD) {
      const address = memory.has(at, Number(WORD)) ? memory.u64(at) : 0n;
      if (address < UPPER_HALF || address % WORD !== 0n || !memory.has(address + owner, Number(WORD))) continue;
      if ((memory.u64(address + owner) & OWNER_MASK) !== task.address) continue;
      const found = deviceOf(reading, reading.struct("device", address));
      if (found) return found;
    }
    return undefined;
  });
}

/** The lowest word of a task's stack that is in use: those below it are of calls that are over. */
function usedFrom(reading: Reading, task: Struct): bigint {
  const { start, end } = stackOf(reading, task);
  const cpu = isRunning(task) ? reading.vcpus.find((one) => one.getRegister("SP_EL0") === task.address) : undefined;
  // A function keeps its frame record at the bottom of its frame.
  const used = cpu ? cpu.getX(FrameRegister.X29) : isRunning(task) ? start : task.big("thread.cpu_context.sp");
  return used >= start && used < end ? used & ~(WORD - 1n) : start;
}

/** Undefined also where it is not text: then it is not a device. */
export function deviceName(device: Struct): string | undefined {
  const name = device.textAt("kobj.name", NAME_MAX) ?? device.textAt("init_name", NAME_MAX);
  return name !== undefined && isName(name) ? name : undefined;
}

const isName = (text: string) => /^[\x20-\x7e]+$/.test(text);

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
    if (driver === undefined || !isName(driver) || name === undefined) return undefined;
    const node = nodeOf(device);
    return { name, driver, node: node?.textAt("full_name", NAME_MAX) ?? null, interrupt: node ? interruptOf(reading, node) : null };
  } catch (error) {
    if (!(error instanceof BadMemory)) throw error;
    reading.memory.work.owe(FAILURE);
    return undefined;
  }
}
