// The device whose driver a task starts (drivers/base/dd.c in the kernel's sources): the driver
// core holds the device's lock meanwhile, and has its address on the stack of the task.

import { UPPER_HALF } from "../formats/page-tables.ts";
import type { ProbedDevice } from "../queries/facts/linux-finding.ts";
import { stackOf } from "./frames.ts";
import { OWNER_MASK } from "./locks.ts";
import { BadMemory } from "./memory.ts";
import type { Reading } from "./reading.ts";
import type { Struct } from "./types.ts";

const WORD = 8n;
const NAME_MAX = 256;

/** The innermost one; undefined: none. */
export function probedDevice(reading: Reading, task: Struct): ProbedDevice | undefined {
  return reading.tried("device", () => {
    const { start, end } = stackOf(reading, task), { memory } = reading;
    const owner = reading.struct("device", 0n).addressOf("mutex.owner.counter");
    for (let at = start; at < end; at += WORD) {
      const address = memory.has(at, Number(WORD)) ? memory.u64(at) : 0n;
      if (address < UPPER_HALF || address % WORD !== 0n || !memory.has(address + owner, Number(WORD))) continue;
      if ((memory.u64(address + owner) & OWNER_MASK) !== task.address) continue;
      const found = deviceOf(reading.struct("device", address));
      if (found) return found;
    }
    return undefined;
  });
}

/** Undefined if this is not a device, or has no driver that is being started. */
function deviceOf(device: Struct): ProbedDevice | undefined {
  try {
    const driver = device.at("driver", "device_driver")?.textAt("name", NAME_MAX);
    const name = device.textAt("kobj.name", NAME_MAX) ?? device.textAt("init_name", NAME_MAX);
    if (driver === undefined || name === undefined) return undefined;
    return { name, driver, node: device.at("of_node", "device_node")?.textAt("full_name", NAME_MAX) ?? null };
  } catch (error) {
    if (error instanceof BadMemory) return undefined;
    throw error;
  }
}
