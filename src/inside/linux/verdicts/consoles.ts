// Consoles that a kernel has registered (kernel/printk/printk.c in its sources), and those that its
// command line names.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { deferredDevices } from "../waits/deferred.ts";
import { absentDrivers, type Driver } from "../structures/drivers.ts";
import { cpuFrames } from "../structures/frames.ts";
import { argumentsOf } from "./init.ts";
import type { Reading } from "../kernel/reading.ts";
import { findTask } from "../structures/tasks.ts";
import type { Struct } from "../kernel/types.ts";

const OF = "consoles";
const CONSOLES_MAX = 64;
/** Drivers of consoles, by their names without the number. */
const DRIVERS: Readonly<Record<string, readonly Driver[]>> = {
  ttyAMA: [["amba-pl011", "pl011_probe"]],
  ttyS: [["8250", "serial8250_register_8250_port"]],
  hvc: [["virtio_mmio", "virtio_mmio_probe"], ["virtio_console", "virtcons_probe"]],
};

/** The registered ones. */
function* consolesOf(reading: Reading): Generator<Struct> {
  const { symbol, address } = reading.anyOf("console_list", "console_drivers");
  const isList = symbol === "console_list", inside = isList ? reading.struct("console", 0n).addressOf("node") : 0n;
  // Both begin with a pointer to the first one.
  let next = reading.memory.u64(address);
  for (let count = 0; next !== 0n && count < CONSOLES_MAX; count++) {
    const console = reading.struct("console", next - inside);
    yield console;
    next = console.pointer(isList ? "node.next" : "next");
  }
}

/** The consoles that a command line names, of which a kernel that has booted has none. */
export function absentConsole(reading: Reading): LinuxFinding | undefined {
  const named = argumentsOf(reading, "console").map((value) => value.split(",")[0]);
  const drivers = named.flatMap((name) => DRIVERS[name.replace(/\d+$/, "")] ?? []);
  if (drivers.length === 0 || !hasBooted(reading)) return undefined;
  const has = reading.tried(OF, () => [...consolesOf(reading)].map((one) => `${one.text("name")}${one.signed("index")}`));
  if (!has || named.some((name) => has.includes(name))) return undefined;
  const absent = absentDrivers(reading, drivers), deferred = absent.length ? [] : deferredDevices(reading);
  return { code: "console-unregistered", named, has, drivers: absent, deferred };
}

/** Whether process 1 has a program, or the kernel has given up before. */
function hasBooted(reading: Reading): boolean {
  const init = findTask(reading, 1);
  if (init && init.pointer("mm") !== 0n) return true;
  return reading.vcpus.some((cpu) => cpuFrames(reading, cpu).some((pc) => reading.placeOf(pc)?.symbol.name === "panic"));
}
