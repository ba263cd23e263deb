// Events of the demo, exported and read again by decoders that know nothing of the writers.

import assert from "node:assert/strict";
import { describePackets } from "../../../src/machine/abi/rpc/text/describe.ts";
import { TRACE_KINDS, type TraceKind } from "../../../src/machine/abi/trace.ts";
import type { EventRow } from "../../../src/model/queries/event-row.ts";
import { exportTrace, type Recorded } from "../../../src/session/export/mod.ts";
import { inner, numberOf, readMessage, textOf } from "../../kit/formats/read-protobuf.ts";
import { optionText, readBlocks, readPackets } from "../../kit/formats/read-pcapng.ts";
import { demoSystem, rows, runUntil } from "../inspection/system.ts";
import { joined } from "../../../src/kit/support/values/bytes.ts";

const MILLISECOND = 1e6;

/** The recorded events of the demo's first part. */
async function recordedDemo(kinds: readonly TraceKind[], until = 300 * MILLISECOND): Promise<Recorded> {
  const system = await demoSystem();
  system.traceBuffer.start(kinds);
  runUntil(system, until);
  const events = rows(system, "trace.events", { limit: 1_000_000 }) as unknown as EventRow[];
  const vmids = new Map(rows(system, "vm.ls").map((row) => [row.id.slice(3), Number(row.vmid)]));
  const queues = new Map(rows(system, "queue.ls").map((row) => [row.id, { from: row.from, to: row.to }]));
  return { events, vmids, queues };
}

function fileOf(recorded: Recorded, format: Parameters<typeof exportTrace>[1]): Uint8Array {
  return joined([...exportTrace(recorded, format)]);
}

Deno.test("a Perfetto trace has tracks of VMs, vCPUs, calls, interrupts and physical CPUs; slices of a track nest, and no call is missing", async () => {
  const recorded = await recordedDemo(TRACE_KINDS);
  const packets = readMessage(fileOf(recorded, "perfetto")).get(1)!.map((bytes) => readMessage(bytes as Uint8Array));
  const tracks = new Map<number, string>(), parents = new Map<number, number>();
  const stacks = new Map<number, { name: string; time: number }[]>();
  const seen = new Map<string, number>();
  const times = new Map<number, number>();
  for (const packet of packets) {
    assert.equal(numberOf(packet, 10), 1);
    const descriptor = inner(packet, 60), event = inner(packet, 11);
    if (descriptor) {
      const uuid = numberOf(descriptor, 1)!, parent = numberOf(descriptor, 5);
      assert.ok(!tracks.has(uuid), "declared once");
      if (parent !== undefined) {
        assert.ok(tracks.has(parent), "parents come first");
        parents.set(uuid, parent);
      }
      const process = inner(descriptor, 3);
      if (process) assert.equal(textOf(process, 6), textOf(descriptor, 2));
      tracks.set(uuid, textOf(descriptor, 2)!);
    }
    if (!event) continue;
    const track = numberOf(event, 11)!, type = numberOf(event, 9), time = numberOf(packet, 8)!;
    assert.ok(tracks.has(track), "its track was declared");
    assert.ok(time >= (times.get(track) ?? 0), "times of a track do not fall");
    times.set(track, time);
    const stack = stacks.get(track) ?? [];
    stacks.set(track, stack);
    if (type === 2) assert.ok(stack.pop(), "an end has a beginning");
    else {
      const category = textOf(event, 22)!;
      seen.set(category, (seen.get(category) ?? 0) + 1);
      if (type === 1) stack.push({ name: textOf(event, 23)!, time });
      else assert.equal(type, 3);
    }
  }
  for (const [track, stack] of stacks) assert.deepEqual(stack, [], `track ${tracks.get(track)} ends what it begins`);
  const path = (uuid: number): string => parents.has(uuid) ? `${path(parents.get(uuid)!)} / ${tracks.get(uuid)}` : tracks.get(uuid)!;
  const paths = new Set([...tracks.keys()].map(path));
  for (const wanted of ["ping / vCPU 0", "ping / vCPU 0 calls", "ping / interrupts", "rm / vCPU 0 calls", "physical CPUs / pcpu:0"]) {
    assert.ok(paths.has(wanted), `${wanted} in ${[...paths].join(", ")}`);
  }
  for (const kind of ["hvc", "rpc", "virq", "trap"]) {
    assert.equal(seen.get(kind), recorded.events.filter((event) => event.kind === kind).length, kind);
  }
  assert.ok(seen.get("hvc")! > 100 && seen.get("sched")! > 10);
});

Deno.test("the same as Chrome's JSON and as one row per line", async () => {
  const recorded = await recordedDemo(["hvc", "rpc", "virq", "sched"], 100 * MILLISECOND);
  const { traceEvents } = JSON.parse(new TextDecoder().decode(fileOf(recorded, "chrome")));
  const calls = traceEvents.filter(({ ph, cat }: { ph: string; cat: string }) => ph === "X" && cat === "hvc");
  assert.equal(calls.length, recorded.events.filter(({ kind }) => kind === "hvc").length);
  const lines = new TextDecoder().decode(fileOf(recorded, "ndjson")).trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).id), recorded.events.map(({ id }) => id));
});

Deno.test("a CPU's slices go from switch to switch; a VMM's RUN is a call", async () => {
  const recorded = await recordedDemo(["sched"], 100 * MILLISECOND);
  const { traceEvents } = JSON.parse(new TextDecoder().decode(fileOf(recorded, "chrome")));
  type Slice = { ph: string; name: string; ts: number; dur: number };
  const slices = (traceEvents as Slice[]).filter(({ ph }) => ph === "X");
  const runs = recorded.events.filter(({ name }) => name === "GH_VCPU_RUN");
  assert.ok(runs.length > 10);
  assert.equal(slices.filter(({ name }) => name === "GH_VCPU_RUN").length, runs.length);
  for (const pcpu of ["pcpu:0", "pcpu:1"]) {
    const switches = recorded.events.filter((event) => event.pcpu === pcpu && (event.name === "run" || event.name === "idle"));
    switches.slice(0, -1).forEach(({ name, t, fields }, index) => {
      if (name === "idle") return;
      const vcpu = String(fields.to).replace("vcpu:", ""), dur = (Number(switches[index + 1].t) - Number(t)) / 1e3;
      assert.ok(slices.some((slice) => slice.name === vcpu && near(slice.ts, Number(t) / 1e3) && near(slice.dur, dur)), `${pcpu} at ${t}`);
    });
  }
});

const near = (a: number, b: number) => Math.abs(a - b) < 0.002;

Deno.test("a capture has each message that went into a queue, with its ends; those of the Resource Manager are RM RPC", async () => {
  const recorded = await recordedDemo(["msg"], 1000 * MILLISECOND);
  const file = fileOf(recorded, "pcapng");
  assert.deepEqual(readBlocks(file).slice(1, 3).map(({ options }) => optionText(options, 2)), ["msgqueue", "rm-rpc"]);
  const packets = readPackets(file);
  const sent = recorded.events.filter(({ name }) => name === "send");
  assert.equal(packets.length, sent.length);
  const kinds = [0, 0];
  packets.forEach((packet, index) => {
    const { fields, t } = sent[index];
    const view = new DataView(packet.bytes.buffer, packet.bytes.byteOffset);
    const type = view.getUint8(1), header = view.getUint16(2, true);
    assert.deepEqual([view.getUint8(0), type, packet.time], [1, packet.interface, BigInt(t)]);
    assert.equal(`mq:${view.getUint32(8, true)}`, fields.queue);
    const message = packet.bytes.subarray(header);
    assert.equal(Array.from(message, (byte) => byte.toString(16).padStart(2, "0")).join(""), fields.bytes);
    kinds[type]++;
    const comment = optionText(packet.options, 1)!;
    if (type === 1) {
      assert.ok([view.getUint16(4, true), view.getUint16(6, true)].includes(0xff), "one end is the Resource Manager, VMID 255");
      assert.ok(comment.endsWith(describePackets(message).join("\n")));
    } else assert.match(comment, /^mq:\d+ vm:(ping -> vm:pong|pong -> vm:ping)$/);
  });
  assert.ok(kinds[0] > 0 && kinds[1] > 10, `messages, RPC: ${kinds}`);
});

/** An event of a thread of Linux. */
function taskEvent(
  kind: "syscall" | "task",
  name: string,
  times: readonly [number, number],
  fields: EventRow["fields"],
  res?: string,
): EventRow {
  const [t, end] = times.map(String);
  return {
    ...{ id: `ev:${kind}@${t}`, t, end, pcpu: "pcpu:0", vcpu: "vcpu:debian/0", vm: "vm:debian", kind, name, text: name, args: null },
    ...{ task: `task:debian/${fields.pid}`, process: Number(fields.tgid), comm: String(fields.comm), res: res ?? null, refused: false },
    ...{ why: null, parent: null, fields, results: {} },
  };
}

Deno.test("an exported trace has a track for each thread of Linux, below its process and VM, with its system calls and when it ran", () => {
  const cat = { pid: 86, tgid: 86, comm: "cat" }, worker = { pid: 91, tgid: 90, comm: "pool" };
  const events = [
    taskEvent("task", "switch", [100, 100], { ...worker, state: "S", next: 86, next_tgid: 86, next_comm: "cat" }),
    taskEvent("syscall", "openat", [110, 150], { ...cat, args: [] }, "ENOENT"),
    taskEvent("task", "switch", [200, 200], { ...cat, state: "S", next: 0, next_tgid: 0, next_comm: "swapper/0" }),
    taskEvent("task", "exit", [300, 300], { ...worker, code: 0 }),
  ];
  const text = new TextDecoder().decode(fileOf({ events, vmids: new Map([["debian", 40]]), queues: new Map() }, "chrome"));
  const all = JSON.parse(text).traceEvents as readonly {
    ph: string;
    tid: number;
    name: string;
    args: { name?: string };
    ts: number;
    dur?: number;
  }[];
  const names = new Map(all.filter(({ ph, args }) => ph === "M" && args.name).map(({ tid, args }) => [tid, args.name]));
  const items = all.filter(({ ph }) => ph !== "M").map(({ tid, name, ts, dur }) => [names.get(tid), name, ts * 1000, dur && dur * 1000]);
  assert.deepEqual(items, [
    ["cat 86", "openat -> ENOENT", 110, 40],
    ["cat 86 runs", "runs on vCPU 0", 100, 100],
    ["pool 91", "exit", 300, undefined],
  ]);
});
