// The readers of all tables about Linux: other kernels can have the same.

import { vmId } from "../queries/ids.ts";
import type { LinuxTables } from "../queries/linux-tables.ts";
import type { QueryArguments } from "../queries/query.ts";
import type { Row, RowOf } from "../queries/table.ts";
import { hex } from "../support/number-text.ts";
import { readConfig } from "./config.ts";
import { readDisks } from "./disks.ts";
import { readNodes } from "./devicetree.ts";
import { readSlabs } from "./slabs.ts";
import { readSockets } from "./sockets.ts";
import { readFiles, readMaps, readMounts } from "./files.ts";
import { readLinuxIrqs } from "./irqs.ts";
import { readLocks } from "./locks.ts";
import { readLog } from "./log.ts";
import { translate } from "./memory.ts";
import { readMemoryUse } from "./memory-use.ts";
import { readInterfaces } from "./net.ts";
import { readModules } from "./modules.ts";
import type { Reading } from "./reading.ts";
import { readTaskStack } from "./stack.ts";
import { asTree } from "./task-tree.ts";
import { readTasks } from "./tasks.ts";
import { readTimers } from "./timers.ts";

/** Of a whole kernel. */
export const LINUX_READERS: { readonly [N in keyof LinuxTables]?: (reading: Reading, args: QueryArguments) => readonly Row[] } = {
  "linux.ls": (reading) => [readKernel(reading)],
  "linux.log": readLog,
  "linux.ps": (reading, { threads, tree }) => {
    const rows = readTasks(reading, threads ?? false);
    return tree ? asTree(rows) : rows;
  },
  "linux.modules": readModules,
  "linux.mounts": readMounts,
  "linux.irqs": readLinuxIrqs,
  "linux.net": readInterfaces,
  "linux.memory": readMemoryUse,
  "linux.disks": readDisks,
  "linux.slabs": readSlabs,
  "linux.sockets": readSockets,
  "linux.dt": readNodes,
  "linux.locks": readLocks,
  "linux.timers": readTimers,
  "linux.config": readConfig,
};

/** Of one process or thread; undefined if the kernel does not have it. */
export const TASK_READERS: { readonly [N in keyof LinuxTables]?: (reading: Reading, pid: number) => readonly Row[] | undefined } = {
  "linux.stack": readTaskStack,
  "linux.maps": readMaps,
  "linux.files": readFiles,
};

function readKernel(reading: Reading): RowOf<LinuxTables["linux.ls"]> {
  const { kernel, memory } = reading;
  const name = (field: string) =>
    reading.tried("names", () => reading.global("uts_namespace", "init_uts_ns").text(`name.${field}`)) ?? null;
  const code = kernel.find(memory, "_stext") ?? 0n, physical = translate(memory.physical, kernel.tables, code, memory.work);
  const info = kernel.info(memory);
  return {
    id: vmId(reading.vm),
    release: name("release") ?? info?.release ?? null,
    version: name("version"),
    host: name("nodename"),
    page: 2 ** kernel.tables.granule,
    address_bits: kernel.tables.bits,
    text: hex(code, 16),
    moved: physical === undefined ? null : hex(code - BigInt(physical), 16),
    kaslr: info?.moved === undefined ? null : hex(info.moved),
    symbols: kernel.symbols.reduce((sum, { size }) => sum + size, 0),
    types: kernel.btf?.count ?? 0,
    vmcoreinfo: info !== undefined,
    cmdline: reading.commandLine() ?? null,
  };
}
