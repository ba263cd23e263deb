// `el2 diff` of snapshots and of traces, and of files that cannot be compared. Of recordings:
// record_test.ts (W56).

import assert from "node:assert/strict";
import { assemble } from "../../../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../../../src/session/assembly/system/guest-system.ts";
import type { SessionPlan } from "../../../../../src/model/plans/plan.ts";
import { writeSnapshot } from "../../../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../../../src/session/snapshots/save.ts";
import { demoPlan, runTo } from "../../../../session/snapshots/systems.ts";
import { el2 } from "../../program.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const DEMO = new URL("../../../../../assets/demo.toml", import.meta.url).pathname;

function save(path: string, system: GuestSystem, plan: SessionPlan): void {
  for (const _done of writeSnapshot(path, snapshotOf(system, plan, "demo")));
}

/** Compares, and gives the answer of `--json`. */
async function diffJson(code: number, ...files: string[]) {
  const outcome = await el2("diff", ...files, "--json");
  assert.equal(outcome.code, code, outcome.stderr + outcome.stdout);
  return JSON.parse(outcome.stdout);
}

Deno.test("diff of two snapshots names registers, objects, pages and fields in which they differ, and nothing else", () =>
  inFolder(async (folder) => {
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => `${folder}/${name}.snap`);
    const plan = await demoPlan(), system = assemble(plan);
    runTo(system, 300_000);
    save(a, system, plan);
    assert.deepEqual((await diffJson(0, a, a)).groups.map(({ differ }: { differ: number }) => differ), Array(12).fill(0));

    const ping = [...system.hypervisor.scheduler.vcpus].find((vcpu) => system.hypervisor.names.vcpu(vcpu) === "ping/0")!;
    ping.registers.setX(19, 0x1234n);
    save(b, system, plan);
    const oneRegister = await diffJson(1, a, b);
    const groups = (document: typeof oneRegister) =>
      Object.fromEntries(
        document.groups.filter(({ differ }: { differ: number }) => differ).map((
          { name, rows }: { name: string; rows: unknown },
        ) => [name, rows]),
      );
    const { "vcpu.regs": registers, state, ...others } = groups(oneRegister);
    assert.deepEqual(others, {});
    assert.equal(registers.length, 1);
    const { id, field, second } = registers[0];
    assert.deepEqual({ id, field, second }, { id: "reg:ping/0/x19", field: "value", second: "0x0000000000001234" });
    assert.equal(state.length, 1);
    assert.match(state[0].id, /^hypervisor\.thread#\d+\.registers\.x19$/);
    assert.equal(oneRegister.memory.differ, 0);

    const { pa } = ping.addressSpace!.stage2.lookup(0x8000_5000)!;
    system.machine.ram.write(pa + 0x123, Uint8Array.of(0x5a));
    save(c, system, plan);
    const oneByte = await diffJson(1, b, c);
    assert.deepEqual(groups(oneByte), {});
    assert.equal(oneByte.memory.differ, 1);
    const [{ vms, pages, ipas, second: byte }] = oneByte.memory.places;
    assert.deepEqual({ vms, pages, ipas, byte }, { vms: ["vm:ping"], pages: 1, ipas: ["ipa:ping/0x80005123"], byte: 0x5a });

    runTo(system, 2_000_000);
    save(d, system, plan);
    const text = await el2("diff", a, d, "--limit", "2");
    assert.equal(text.code, 1, text.stderr);
    assert.match(text.stdout, /^the snapshots differ: t=8\.\d+ and t=\d+\.\d+, 300000 and 2000000 instructions$/m);
    assert.match(text.stdout, /^vcpu\.regs: \d+ of \d+ differ$/m);
    assert.match(text.stdout, /^ {2}and \d+ more; --limit ROWS prints more$/m);
    assert.match(text.stdout, /^memory: \d+ of \d+ pages differ$/m);
    assert.ok(text.stdout.split("\n").length < 50, text.stdout);
  }));

Deno.test("diff of two snapshots says that VMs, capabilities and parts of the plan are in one of them only", () =>
  inFolder(async (folder) => {
    const [early, late] = ["early", "late"].map((name) => `${folder}/${name}.snap`);
    const plan = await demoPlan(), other = await demoPlan({ seed: 77 });
    const start = assemble(plan), running = assemble(other);
    save(early, start, plan);
    runTo(running, 300_000);
    save(late, running, other);
    const { groups } = await diffJson(1, early, late, "--rows", "1000");
    const rows = (wanted: string) => groups.find(({ name }: { name: string }) => name === wanted).rows;
    const absent = (id: string) => ({ id, field: null, first: "(none)", second: "there" });
    assert.deepEqual(rows("plan"), [{ id: "seed", field: null, first: plan.seed, second: 77 }]);
    assert.deepEqual(rows("vm.ls").find(({ id }: { id: string }) => id === "vm:ping"), absent("vm:ping"));
    assert.ok(rows("caps.ls").some(({ id, first }: { id: string; first: string }) => id.startsWith("cap:ping/") && first === "(none)"));
    assert.ok(rows("mem.parcels").length > 0 && rows("queue.ls").length > 0);
  }));

Deno.test("diff of two traces names the first event that is not the same, with its neighbors, and counts by kind", () =>
  inFolder(async (folder) => {
    const [good, bad] = ["good", "bad"].map((name) => `${folder}/${name}`);
    const run = [DEMO, "--headless", "--turbo", "--for", "50ms"];
    assert.equal((await el2("run", "--record", `${good}.rec`, ...run)).code, 0);
    assert.equal((await el2("run", "--record", `${bad}.rec`, ...run, "--inject", "virq vm=pong nth=5 -> delay 1ms")).code, 0);
    for (const name of [good, bad]) assert.equal((await el2("trace", "export", `${name}.ndjson`, "--recording", `${name}.rec`)).code, 0);
    const same = await diffJson(0, `${good}.ndjson`, `${good}.ndjson`);
    assert.equal(same.difference, null);
    assert.ok(same.kinds.every(({ first, second }: { first: number; second: number }) => first === second));

    const { difference, events, kinds } = await diffJson(1, `${good}.ndjson`, `${bad}.ndjson`);
    const lines = await Promise.all([good, bad].map(async (name) => (await Deno.readTextFile(`${name}.ndjson`)).trimEnd().split("\n")));
    assert.deepEqual(events, lines.map(({ length }) => length));
    const index = lines[0].findIndex((line, at) => line !== lines[1][at]);
    assert.equal(difference.event, index + 1);
    assert.deepEqual(difference.before, lines[0].slice(index - 3, index).map((line) => JSON.parse(line)));
    assert.deepEqual(difference.second, lines[1].slice(index, index + 3).map((line) => JSON.parse(line)));
    assert.equal(difference.second[0].name, "injected");
    const counted = (which: "first" | "second") => kinds.reduce((sum: number, row: Record<string, number>) => sum + row[which], 0);
    assert.deepEqual([counted("first"), counted("second")], events);

    // The same events at other times are told apart from others; numbers of events do not count.
    const later = lines[0].map((line) => {
      const row = JSON.parse(line);
      return JSON.stringify({
        ...row,
        id: `${row.id}5`,
        t: String(Number(row.t) + 1),
        end: String(Number(row.end) + 1),
      });
    });
    await Deno.writeTextFile(`${folder}/later.ndjson`, `${later.join("\n")}\n`);
    const shifted = await diffJson(1, `${good}.ndjson`, `${folder}/later.ndjson`);
    assert.deepEqual(shifted.difference.fields, ["t", "end"]);
    assert.equal(shifted.other_event, null);
    // A longer one.
    await Deno.writeTextFile(`${folder}/short.ndjson`, `${lines[0].slice(0, 10).join("\n")}\n`);
    const ended = await el2("diff", `${folder}/short.ndjson`, `${good}.ndjson`);
    assert.match(ended.stdout, /^first difference at event 11\n(.*\n){3} {2}a the trace ends$/m);
    assert.equal(ended.code, 1);
  }));

Deno.test("diff of files of two kinds, damaged or hostile is exit code 2 with the file, the place and the way out", () =>
  inFolder(async (folder) => {
    const [snapshot, recording, trace] = ["a.snap", "a.rec", "a.ndjson"].map((name) => `${folder}/${name}`);
    const plan = await demoPlan(), system = assemble(plan);
    runTo(system, 100_000);
    save(snapshot, system, plan);
    assert.equal((await el2("run", "--record", recording, DEMO, "--headless", "--turbo", "--for", "5ms")).code, 0);
    assert.equal((await el2("trace", "export", trace, "--recording", recording)).code, 0);
    const bytes = await Deno.readFile(snapshot), text = await Deno.readTextFile(trace);
    const other = `${folder}/other`;
    const refused = async (files: [string, string], message: RegExp) => {
      const outcome = await el2("diff", ...files);
      assert.match(outcome.stderr, message);
      assert.equal(outcome.code, 2, outcome.stderr + outcome.stdout);
    };
    const damaged = async (content: string | Uint8Array, whole: string, message: RegExp) => {
      await Deno.writeFile(other, typeof content === "string" ? new TextEncoder().encode(content) : content);
      await refused([other, whole], message);
      await refused([whole, other], message);
    };
    await refused([snapshot, trace], /a\.snap is a snapshot and .*a\.ndjson is a trace; give two files of the same kind/);
    await refused([recording, snapshot], /a\.rec is a recording and .*a\.snap is a snapshot; give two files of the same kind/);
    await refused([trace, `${folder}/none`], /none: no such file/);
    await refused([folder, trace], /is a folder/);
    await damaged(
      "\n\r\r\n pcapng",
      trace,
      /other is not a recording, a snapshot or a trace; el2 trace export trace\.ndjson writes a trace/,
    );
    await damaged("", snapshot, /other is empty/);
    await damaged(bytes.subarray(0, bytes.length - 100), snapshot, /other: at byte \d+: the file is truncated/);
    await damaged(bytes.with(200, bytes[200] ^ 1), snapshot, /other: at byte \d+: a checksum is wrong/);
    await damaged(text.slice(0, -20), trace, /other:\d+: the trace is truncated; export it again/);
    await damaged(text.replace('"t":"', '"t":"x'), trace, /other:1 is not an event of a trace/);
    await damaged(
      `${text.slice(0, text.indexOf("\n") + 1)}{"id":"ev:${"9".repeat(3 << 20)}`,
      trace,
      /other:2: a line of more than 1048576 bytes/,
    );
    // A pipe gets the bytes of a file as they are (terminal-bytes_test.ts has a terminal).
    await Deno.writeTextFile(other, `${text.split("\n")[0].replace('"text":"', '"text":"\\u001b[2J')}\n`);
    const shown = await el2("diff", other, trace);
    assert.equal(shown.code, 1);
    assert.ok(shown.stdout.includes("\x1b[2J"), shown.stdout);
  }));
