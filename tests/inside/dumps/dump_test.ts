// Dumps of a Debian in the forms that others write: what is read from them is what the machine
// answers at the same instant.

import assert from "node:assert/strict";
import type { NamedDump } from "../../../src/inside/dumps/dump.ts";
import type { DumpInspector } from "../../../src/session/inspection/dumps/dump-inspector.ts";
import { LINUX_TABLES } from "../../../src/model/queries/linux-tables.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import type { Table } from "../../../src/model/queries/table.ts";
import { type TableName, TABLES } from "../../../src/model/queries/tables.ts";
import { GiB, MiB, PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { rightQuery } from "../../session/inspection/system.ts";
import { Debian, RELEASES } from "../linux/debian.ts";
import { writtenCore } from "../linux/written-core.ts";
import { dumpOf, limeOf, opened, RAM, rawOf, withoutInfo } from "./foreign.ts";

/** The answer of a dump, with the machine's name of the VM. */
function answerOf(inspector: DumpInspector, table: TableName, args: AnyArguments): unknown {
  const { args: taken }: Table = TABLES[table],
    { rows, error, gaps } = inspector.answer(rightQuery(table, { ...taken?.vm && { vm: "vm:dump" }, ...args }));
  return JSON.parse(
    JSON.stringify({ rows, error, gaps }).replaceAll(
      /\b(vm|vcpu|sym|va|ipa|reg|frame|var):dump\b|(:)dump\//g,
      (text) => text.replace("dump", "host"),
    )
      .replaceAll(/"(\w+):dump(\/|")/g, '"$1:host$2'),
  );
}

function liveOf(debian: Debian, table: TableName, args: AnyArguments): { readonly rows: readonly unknown[] } {
  const { rows, error, gaps } = debian.ask(table, args);
  return JSON.parse(JSON.stringify({ rows, error, gaps }));
}

/** Questions of every table about the kernel. */
const QUESTIONS: readonly (readonly [TableName, AnyArguments])[] = Object.values(LINUX_TABLES).flatMap(({ name, args }: Table) =>
  args?.pid ? [[name as TableName, { pid: 1 }], [name as TableName, { pid: 2 }]] as const : [[name as TableName, {}]] as const
);

for (const release of RELEASES) {
  Deno.test(`all tables about Debian ${release} are the same from a core file, LiME's and raw parts as from the machine`, async () => {
    const debian = await Debian.booted(release, 2), core = writtenCore(debian), raw = rawOf(debian), half = raw.length / 2;
    const forms: Readonly<Record<string, readonly NamedDump[]>> = {
      "own core file": [dumpOf(core)],
      "core file without VMCOREINFO": [dumpOf(withoutInfo(core))],
      "LiME": [dumpOf(limeOf(raw, 64 * MiB))],
      "raw parts": [dumpOf(raw.subarray(half), RAM + half), dumpOf(raw.subarray(0, half), RAM)],
    };
    for (const [form, files] of Object.entries(forms)) {
      const inspector = opened(...files);
      for (const [table, args] of QUESTIONS) {
        const live = liveOf(debian, table, args);
        if (table === "linux.log" || table === "linux.ps") assert.ok(live.rows.length > 10);
        assert.deepEqual(answerOf(inspector, table, args), live, `${form}: ${table} ${JSON.stringify(args)}`);
      }
    }
  });
}

Deno.test("registers, stacks, symbols, code and tables of a core file are the machine's", async () => {
  const debian = await Debian.booted("bookworm", 2), inspector = opened(dumpOf(writtenCore(debian)));
  for (const vcpu of ["host/0", "host/1"]) {
    const stack = liveOf(debian, "vcpu.stack", { vcpu });
    assert.ok(stack.rows.length > 3);
    assert.deepEqual(answerOf(inspector, "vcpu.stack", { vcpu: vcpu.replace("host", "dump") }), stack);
    const { rows: live } = debian.ask("vcpu.regs", { vcpu }),
      { rows: dumped } = inspector.answer({ table: "vcpu.regs", args: { vcpu: vcpu.replace("host", "dump") } });
    for (const { name, value } of dumped) {
      const same = live.find((row) => row.name === (name === "sp" ? "sp_el1" : name));
      assert.equal(value, same?.value, String(name));
    }
    assert.equal(dumped.length, 34);
  }
  for (const at of ["x19", "x30 + 8", "do_idle", "*(sp)", "(long)pc"]) {
    const [dumped, live] = [answerOf(inspector, "vcpu.vars", { vcpu: "dump/0", at }), liveOf(debian, "vcpu.vars", { vcpu: "host/0", at })];
    assert.deepEqual(dumped, live, at);
  }
  for (const at of ["host/0:$x19", "host:init_task", "host:list(&init_task.tasks, struct task_struct, tasks)->comm"]) {
    assert.deepEqual(answerOf(inspector, "print", { at: at.replace("host", "dump") }), liveOf(debian, "print", { at }), at);
  }
  assert.deepEqual(answerOf(inspector, "symbols", {}), liveOf(debian, "symbols", {}));
  for (const place of ["do_idle", "vectors+0x200"]) {
    const [dumped, live] = [
      answerOf(inspector, "code", { at: `dump:${place}`, size: 40 }),
      liveOf(debian, "code", { at: `host:${place}`, size: 40 }),
    ];
    assert.deepEqual(dumped, live);
    const walk = (answer: unknown) =>
      (answer as { rows: { memory: null; pa: string | null }[] }).rows.map((row) => ({ ...row, memory: null }));
    assert.deepEqual(
      walk(answerOf(inspector, "vcpu.tables", { vcpu: "dump/0", at: place })),
      walk(liveOf(debian, "vcpu.tables", { vcpu: "host/0", at: place })),
    );
  }
  const bytes = ({ rows }: { readonly rows: readonly Readonly<Record<string, unknown>>[] }) => rows.map(({ bytes }) => bytes);
  for (const place of ["do_idle", "init_task"]) {
    const address = `0x${(inspector.system.kernel?.find(inspector.system.memory() ?? assert.fail(), place) ?? assert.fail()).toString(16)}`;
    assert.deepEqual(
      bytes(inspector.answer({ table: "mem.read", args: { at: `dump:${place}`, size: 64 } })),
      bytes(debian.ask("mem.read", { at: `host:${address}`, size: 64 })),
    );
  }
});

/** Raw memory that is zero after `raw`, and how many bytes are read of it. */
function sparseOf(raw: Uint8Array, size: number): { readonly file: NamedDump; readonly bytesRead: () => number } {
  let count = 0;
  const source = {
    name: "sparse",
    size,
    read(at: number, into: Uint8Array) {
      const there = raw.subarray(at, at + into.length);
      into.set(there);
      into.fill(0, there.length);
      count += into.length;
    },
  };
  return { file: { source, address: RAM }, bytesRead: () => count };
}

Deno.test("of 64 GiB of raw memory, a page for each MiB and the kernel's are read", async () => {
  const { file, bytesRead } = sparseOf(rawOf(await Debian.booted("bookworm", 2)), 64 * GiB), inspector = opened(file);
  assert.ok(inspector.answer({ table: "linux.ps", args: {} }).rows.length > 10);
  assert.ok(bytesRead() < 64 * GiB / MiB * PAGE_SIZE + 96 * MiB, `${bytesRead()} bytes`);
  assert.ok(inspector.system.dump.memory.kept < 64 * MiB, `${inspector.system.dump.memory.kept} bytes are kept`);
});

Deno.test("a file that is cut short has the memory up to there, and says what it lacks", () => {
  const lime = limeOf(new Uint8Array(4 * MiB).fill(0x33), MiB), inspector = opened(dumpOf(lime.subarray(0, 3 * MiB + 64)));
  assert.match(
    String(inspector.answer({ table: "vm.ls", args: {} }).rows[0].doing),
    /^3MiB of memory \(LiME dump\), of which the file lacks 1MiB at its end$/,
  );
  const last = RAM + 3 * MiB;
  assert.equal(inspector.answer({ table: "mem.read", args: { at: `pa:0x${(last - 16).toString(16)}`, size: 16 } }).error, undefined);
  assert.match(
    inspector.answer({ table: "mem.read", args: { at: `pa:0x${last.toString(16)}`, size: 16 } }).error ?? "",
    /is not in the dump/,
  );
});

Deno.test("without a kernel there are its memory and what it cannot say", () => {
  const inspector = opened(dumpOf(new Uint8Array(8 * MiB).fill(0x5a), 0x8000_0000));
  assert.match(JSON.stringify(inspector.answer({ table: "mem.read", args: { at: "pa:0x80000010", size: 16 } }).rows), /5a 5a 5a/);
  assert.deepEqual(inspector.answer({ table: "linux.ps", args: {} }).gaps, [{ code: "no-kernel" }]);
  assert.match(inspector.answer({ table: "vcpu.regs", args: { vcpu: "dump/0" } }).error ?? "", /has no registers of CPUs/);
  assert.match(
    inspector.answer({ table: "mem.read", args: { at: "pa:0x1000", size: 16 } }).error ?? "",
    /pa:0x1000 is not in the dump; el2 mem map lists what is/,
  );
  assert.match(inspector.answer({ table: "irq.ls", args: {} }).error ?? "", /^irq ls needs a machine, and this session is a dump/);
});
