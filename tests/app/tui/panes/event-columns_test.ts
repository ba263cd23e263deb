// Rows of events as lists draw them.

import assert from "node:assert/strict";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import type { TraceEvent, TraceKind } from "../../../../src/machine/abi/trace.ts";
import { eventRow } from "../../../../src/session/inspection/readers/objects/read-trace.ts";
import type { EVENTS } from "../../../../src/model/queries/tables.ts";
import type { RowOf } from "../../../../src/model/queries/table.ts";
import { eventColumns } from "../../../../src/app/tui/panes/event-columns.ts";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import { fit } from "../../../../src/kit/support/text/text-width.ts";
import { timeText } from "../../../../src/kit/support/text/number-text.ts";
import { vmIn } from "../../../../src/model/queries/ids.ts";
import { VcpuRunState } from "../../../../src/machine/abi/words.ts";
import { Random } from "../../../support/random.ts";

const NAMES = Object.keys(HYPERCALLS) as HypercallName[];
const ERRORS = Object.keys(ErrorCode);
/** Names of the other kinds; no two kinds have the same. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  ioctl: ["GH_VCPU_RUN", "GH_VM_START", "GUNYAH_VM_SET_BOOT_CONTEXT"],
  rpc: ["MEM_LEND", "VM_GET_HYP_RESOURCES"],
  virq: ["ack", "eoi"],
  mmio: ["read", "write"],
  psci: ["CPU_ON", "CPU_OFF"],
};
const VCPUS = ["host/0", "host/1", "ping/0", "a-vm-with-a-long-name/0", "rm/0"];
/** Few values, so that events differ in little. */
const VALUES = [0n, 0x1000n, 0x8000_8890n, 0x8000_8990n, 2n ** 63n];

/** Events that follow each other closely, and differ in little. */
function randomEvents(count: number): TraceEvent[] {
  const random = new Random(17);
  let time = 36_000_000_000;
  const numbers = new Map<string, number>();
  return Array.from({ length: count }, (_, id): TraceEvent => {
    time += random.below(3) * 150;
    const kind = random.pick<TraceKind>(["hvc", "hvc", "ioctl", "rpc", "virq", "mmio", "psci"]);
    const operation = kind !== "virq", key = operation ? kind : `${kind} ${time}`, number = numbers.get(key) ?? 0;
    numbers.set(key, number + 1);
    const name = random.pick(OTHERS[kind] ?? NAMES.slice(0, 12));
    const fields = Object.fromEntries(Array.from({ length: random.below(5) }, (_, at) => [`argument_${at}`, random.pick(VALUES)]));
    const result = random.below(4) === 0 ? undefined : { name: random.pick(ERRORS), code: 1, refused: false, fields: {} };
    return {
      ...{ id, kind, name, time, end: time, operation, number, fields, result, vcpu: random.pick(VCPUS), pcpu: 0 },
      ...{ parent: undefined, why: undefined, at: { boundary: 0, stage: "turn", retired: 0 } },
    } as unknown as TraceEvent;
  });
}

/** A row as a list of this width draws it. */
function drawn(row: RowOf<typeof EVENTS>, width: number, brief: boolean): string {
  const context = { look: plainLook("dark", "none", "ascii"), bad: false, first: false };
  return eventColumns(width, brief).map(({ pieces, width: columns }) => {
    const text = pieces(row, context as never).map((piece) => piece.text).join("");
    return fit(text, columns).padEnd(columns);
  }).join(" ");
}

Deno.test("of 10,000 random events no two that differ look equal, as wide as screen 9 and the overview have them in 120 columns", () => {
  const rows = randomEvents(10_000).map((event) => eventRow(event));
  for (const [width, brief] of [[80, false], [58, true], [45, true], [34, true]] as const) {
    const seen = new Map<string, string>();
    for (const row of rows) {
      const shown = drawn(row, width, brief);
      // A row has no number while it has room for its event, and never less than a microsecond.
      const content = JSON.stringify([timeText(Number(row.end)), row.vm, row.kind, row.text]);
      const other = seen.get(shown);
      assert.ok(other === undefined || other === content, `${width}: "${shown}" is ${other} and ${content}`);
      seen.set(shown, content);
    }
    assert.ok(seen.size > 5000, `${seen.size} of 10,000 look different`);
  }
});

Deno.test("where a row is too short for its event its arguments are cut, not its result", () => {
  for (const row of randomEvents(2_000).map((event) => eventRow(event))) {
    if (row.res === null) continue;
    const shown = drawn(row, 80, false);
    assert.ok(shown.includes(` → ${row.res}`), `${shown} has ${row.res}`);
    assert.ok(shown.includes(row.name.slice(0, 12)), shown);
  }
});

Deno.test("rows of events beside a console of 80 columns have the beginning of the name, and the result before arguments", () => {
  // As wide as the overview has events in 120 columns.
  const width = 34, room = 21;
  const rows = randomEvents(2_000).map((event) => eventRow(event)).filter(({ res, text }) => res !== null && text.length > room + 1);
  assert.ok(rows.length > 500, `${rows.length} rows`);
  for (const row of rows) {
    const shown = drawn(row, width, true), result = ` → ${row.res}`;
    assert.ok(shown.includes(row.name.slice(0, 5)), `${shown} has ${row.name}`);
    const left = room - 6 - / #\S+$/.exec(shown.trimEnd())![0].length;
    assert.ok(shown.includes(result.length <= left ? result : result.slice(0, left - 1)), `${shown} has ${row.res}`);
  }
});

Deno.test("rows of events beside a console of 80 columns name interrupts", () => {
  const event = { kind: "virq", name: "acknowledge", time: 145e9, end: 145e9, operation: true, number: 0, vcpu: "ping/0" };
  const row = eventRow({ ...event, fields: { irq: "irq:ping/27" } } as unknown as TraceEvent);
  assert.match(drawn(row, 34, true), /P acknowledge ping\/27 *$/);
});

Deno.test("a time that is too long for its column keeps its microseconds", () => {
  const event = { kind: "virq", name: "acknowledge", time: 0, end: 1_420_000_271_000, operation: true, number: 0, vcpu: "ping/0" };
  const row = (end: number) => eventRow({ ...event, end, fields: { irq: "irq:ping/27" } } as unknown as TraceEvent);
  assert.match(drawn(row(1_420_000_271_000), 34, true), /^…20\.000271 P /);
  assert.match(drawn(row(1_420_000_271_000), 80, false), /^1420\.000271 +P /);
  assert.match(drawn(row(123_456_000_271_000), 80, false), /^…3456\.000271 P /);
});

Deno.test("a system call that is cut keeps its task, its name and its result", () => {
  const args = ["AT_FDCWD", '"/usr/share/a = b/and/a/long/path/that/does/not/fit"'], result = { name: "ENOENT", code: -2, refused: false };
  const event = { kind: "syscall", name: "openat", time: 0, end: 1000, operation: true, number: 0, vcpu: "ping/0" };
  const row = eventRow({ ...event, fields: { comm: "sh", pid: 12, args }, result } as unknown as TraceEvent);
  assert.match(drawn(row, 80, false), /sh\[12\] openat\(AT_.*… = ENOENT #/);
  assert.match(drawn(row, 34, true), /sh\[12\]… = ENOENT #/);
});

Deno.test("rows of accesses keep their address, of 8 digits at every width, and the value from 45 columns on; exits have any address", () => {
  const random = new Random(23);
  for (let count = 0; count < 2_000; count++) {
    const hex = `0x${random.pick([0x9000000, 0x8000_8890, 0x10_0000_2000]).toString(16)}`,
      value = random.pick([undefined, ...VALUES, 0x41n]);
    const [vcpu, name, size] = [random.pick(VCPUS), random.pick(["read", "write"]), random.pick([1, 2, 4, 8])];
    const id = random.below(100_000), time = random.below(1e9), event = { time, end: time, number: random.below(12), id, vcpu };
    const target = random.pick(["vmm", "rpc:rm", "hypervisor"]), address = `ipa:${vmIn(`vcpu:${vcpu}`)}/${hex}`;
    const access = { ...event, kind: "mmio", name, fields: { address, size, value, target } };
    const data = { state_data_0: BigInt(hex), state_data_1: BigInt(size), state_data_2: value ?? 0n };
    const result = { name: "OK", code: 0, refused: false, fields: { vcpu_state: VcpuRunState.AddrspaceVmmioWrite, ...data } };
    const exit = { ...event, operation: true, kind: "hvc", name: "vcpu_run", fields: { vcpu: `vcpu:${vcpu}` }, result };
    for (const [width, brief] of [[80, false], [58, true], [45, true], [34, true]] as const) {
      const shown = drawn(eventRow(access as unknown as TraceEvent), width, brief);
      if (width >= 45 || hex.length <= 10) assert.ok(shown.includes(hex), `${width}: ${shown} has ${hex}`);
      const is = `${hex} 0x${value?.toString(16)}`, isShort = value !== undefined && value < 2n ** 40n;
      if (isShort && (width >= 58 || width >= 45 && hex.length <= 10)) {
        assert.ok(shown.replace("= ", "").includes(is), `${width}: ${shown} has ${is}`);
      }
      const left = drawn(eventRow(exit as unknown as TraceEvent), width, brief);
      assert.ok(left.includes(hex), `${width}: ${left} has ${hex}`);
    }
  }
});
