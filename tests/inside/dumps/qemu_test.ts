// Dumps of a Debian that QEMU has run, which el2 has not seen before: its log is what the console
// showed, and its core file, its compressed dump and its raw memory answer alike. EL2_LONG.

import assert from "node:assert/strict";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import type { NamedDump } from "../../../src/inside/dumps/dump.ts";
import { openDumps } from "../../../src/session/worker/dump-files.ts";
import { LINUX_TABLES } from "../../../src/model/queries/linux-tables.ts";
import type { Table } from "../../../src/model/queries/table.ts";
import type { TableName } from "../../../src/model/queries/tables.ts";
import { GiB } from "../../../src/kit/support/values/sizes.ts";
import { nativeProgram } from "../../../scripts/native-tools.ts";
import { rightQuery } from "../../session/inspection/system.ts";
import { eventually } from "../../support/eventually.ts";
import { LONG } from "../../support/long.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { RELEASES } from "../linux/debian.ts";
import { opened } from "./foreign.ts";

const RAM = 0x4000_0000;

/** QEMU's protocol of commands: one at a time. */
class Qmp implements Disposable {
  readonly #buffer = new Uint8Array(1 << 16);
  #text = "";

  constructor(readonly connection: Deno.Conn) {}

  async #line(): Promise<Record<string, unknown>> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line);
      }
      const count = await this.connection.read(this.#buffer);
      assert.ok(count !== null, "QEMU has ended");
      this.#text += new TextDecoder().decode(this.#buffer.subarray(0, count));
    }
  }

  async command(execute: string, given: Record<string, unknown> = {}): Promise<void> {
    await this.connection.write(new TextEncoder().encode(`${JSON.stringify({ execute, arguments: given })}\n`));
    for (let answer = await this.#line();; answer = await this.#line()) {
      assert.equal(answer.error, undefined);
      if ("return" in answer) return;
    }
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

/** Dumps of a release at its shell, in each form. */
async function dumpsOf(
  release: string,
  folder: string,
): Promise<{ readonly shown: string; readonly dumps: Readonly<Record<string, NamedDump>> }> {
  const { folder: guest } = await catalogEntry(`debian-${release}`), socket = `${folder}/qmp`, console = `${folder}/console`;
  const machine = [
    "-M",
    "virt,gic-version=3",
    "-cpu",
    "max",
    "-smp",
    "2",
    "-m",
    "1024",
    "-nic",
    "none",
    "-display",
    "none",
    "-monitor",
    "none",
  ];
  const guests = ["-kernel", `${guest}/Image`, "-initrd", `${guest}/initrd`, "-append", "console=ttyAMA0", "-serial", `file:${console}`];
  const child = new Deno.Command(await nativeProgram("qemu-system-aarch64"), {
    args: [...machine, ...guests, "-qmp", `unix:${socket},server=on,wait=off`],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const shown = await eventually(async () => await Deno.readTextFile(console).catch(() => ""), (text) => text.includes("EL2-READY"));
    using qmp = new Qmp(await Deno.connect({ transport: "unix", path: socket }));
    await qmp.command("qmp_capabilities");
    await qmp.command("stop");
    await qmp.command("dump-guest-memory", { paging: false, protocol: `file:${folder}/core` });
    await qmp.command("dump-guest-memory", { paging: false, protocol: `file:${folder}/kdump`, format: "kdump-zlib" });
    await qmp.command("pmemsave", { val: RAM, size: GiB, filename: `${folder}/raw` });
    const [core, kdump, raw] = openDumps([{ path: `${folder}/core` }, { path: `${folder}/kdump` }, {
      path: `${folder}/raw`,
      address: RAM,
    }]);
    return { shown, dumps: { "core file": core, "compressed dump": kdump, "raw memory": raw } };
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

for (const release of LONG ? RELEASES : []) {
  Deno.test(`a Debian ${release} that QEMU has run is read from each of its dumps`, () =>
    inFolder(async (folder) => {
      const { shown, dumps } = await dumpsOf(release, folder), answers = new Map<string, unknown>();
      for (const [form, dump] of Object.entries(dumps)) {
        const inspector = opened(dump);
        for (const { name, args } of Object.values(LINUX_TABLES) as readonly Table[]) {
          const table = name as TableName,
            { rows, error, gaps } = inspector.answer(rightQuery(table, { ...args?.vm && { vm: "vm:dump" }, ...args?.pid && { pid: 1 } }));
          assert.equal(error, undefined, `${form} ${table}`);
          if (!answers.has(table)) answers.set(table, { rows, gaps });
          else assert.deepEqual({ rows, gaps }, answers.get(table), `${form}: ${table}`);
          if (table === "linux.irqs") assert.ok(rows.length > 2, "it has interrupts");
          if (table !== "linux.log") continue;
          const log = new Set(rows.map(({ text }) => String(text).trim()));
          const missing = [...shown.matchAll(/^\[ *\d+\.\d+\] (.*\S)\s*$/gm)].map(([, text]) => text.trim()).filter((text) =>
            !log.has(text)
          );
          assert.deepEqual(missing, []);
        }
        if (form === "raw memory") continue;
        for (const vcpu of ["dump/0", "dump/1"]) {
          const { rows } = inspector.answer({ table: "vcpu.stack", args: { vcpu } });
          assert.match(
            String(rows.at(-1)?.symbol),
            /^(?:__primary_switched|__secondary_switched|ret_from_fork|el0t_64_sync|secondary_start_kernel)/,
          );
        }
      }
    }));
}
