// The readers of all tables about Linux: other kernels can have the same.

import { vmId } from "../../model/queries/ids.ts";
import type { LinuxTables } from "../../model/queries/linux-tables.ts";
import type { TableArguments } from "../../model/queries/query.ts";
import type { RowOf } from "../../model/queries/table.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { readConfig } from "./structures/config.ts";
import { readDisks } from "./structures/disks.ts";
import { readNodes } from "./structures/devicetree.ts";
import { readSlabs } from "./structures/slabs.ts";
import { readSockets } from "./structures/sockets.ts";
import { readFiles, readMaps, readMounts } from "./structures/files.ts";
import { readLinuxIrqs } from "./structures/irqs.ts";
import { readLocks } from "./waits/locks.ts";
import { readLogs } from "./pstore/earlier-log.ts";
import { translate } from "./kernel/memory.ts";
import { readMemoryUse } from "./structures/memory-use.ts";
import { readInterfaces } from "./structures/net.ts";
import { readModules } from "./structures/modules.ts";
import type { Reading } from "./kernel/reading.ts";
import { readTaskStack } from "./structures/stack.ts";
import { asTree, readTasks } from "./structures/tasks.ts";
import { readTimers } from "./structures/timers.ts";

/**
 * The rows of a table; undefined if the kernel does not have the task that they are about.
 * @param pid the number of that task
 */
type TableReader<N extends keyof LinuxTables> = (
  reading: Reading,
  args: TableArguments<N>,
  pid: number,
) => readonly RowOf<LinuxTables[N]>[] | undefined;

export const LINUX_READERS: { readonly [N in keyof LinuxTables]: TableReader<N> } = {
  "linux.ls": (reading) => [readKernel(reading)],
  "linux.log": readLogs,
  "linux.ps": (reading, { threads, tree }) => {
    const rows = readTasks(reading, threads ?? false);
    return tree ? asTree(rows) : rows;
  },
  "linux.stack": (reading, _, pid) => readTaskStack(reading, pid),
  "linux.maps": (reading, _, pid) => readMaps(reading, pid),
  "linux.files": (reading, _, pid) => readFiles(reading, pid),
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

function readKernel(reading: Reading): RowOf<LinuxTables["linux.ls"]> {
  const { kernel, memory } = reading;
  const name = (field: string) =>
    reading.tried("names", () => reading.global("uts_namespace", "init_uts_ns").text(`name.${field}`)) ?? null;
  const code = reading.tried("code", () => kernel.find(memory, "_stext")) ?? 0n;
  const physical = reading.tried("code", () => translate(memory.physical, kernel.tables, code, memory.work));
  const info = reading.tried("VMCOREINFO", () => kernel.info(memory));
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
