// Findings about kernels and command lines as snapshots hold them.

import * as v from "valibot";
import { type BootFinding, type NeededNode, NODE_LINES } from "../../../model/queries/facts/boot-finding.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { type LinuxFinding, LOCK_TYPES, MEMORY_USERS } from "../../../model/queries/facts/linux-finding.ts";
import { PROGRAM_WAITS, REAL_TIME_POLICIES } from "../../../model/queries/facts/program-wait.ts";
import { REPORT_KINDS } from "../../../model/queries/facts/kernel-report.ts";
import { once } from "../../../kit/support/values/once.ts";
import { SAVED_CAUSE } from "./saved-causes.ts";

const text = v.string(), number = v.number(), flag = v.boolean(), texts = v.array(v.string()), named = v.nullable(text);
const cause = v.nullable(SAVED_CAUSE);
const task = v.strictObject({ name: text, pid: number });
const lock = v.picklist(LOCK_TYPES);
const wait = v.strictObject({ task, lock, where: named });
const programWait = v.strictObject({ task, vm: named, for: v.picklist(PROGRAM_WAITS), what: named, peers: v.array(task), peers_vm: named });
const interrupt = v.nullable(v.strictObject({ intid: number, count: v.nullable(number) }));
const device = v.nullable(v.strictObject({ name: text, driver: text, node: named, interrupt }));
const node = v.picklist(Object.keys(NODE_LINES) as NeededNode[]);

const of = <C extends string, E extends v.ObjectEntries>(code: C, entries: E) => v.strictObject({ code: v.literal(code), ...entries });

const notRun = v.variant("code", [
  ...[of("missing", {}), of("folder", {}), of("empty", {}), of("cut", {})] as const,
  ...[of("no-interpreter", { interpreter: text }), of("architecture", { machine: text }), of("mode", { mode: text })] as const,
  of("format", { bytes: text }),
  of("refused", { error: text }),
]);

const limitReached = v.variant("code", [
  of("space", { path: text, limit: number }),
  of("inodes", { path: text, limit: number }),
  of("files", { task, limit: number }),
  of("numbers", { limit: number, tasks: number }),
  of("children", { task, count: number }),
  of("structures", { size: number, of: number, cache: text, in_cache: number }),
]);

/** Made for the first state that is loaded: a start need not wait for them. */
const forms = once(() => ({
  "init-exited": of("init-exited", { program: text, status: number, said: named, silent: flag }),
  "init-killed": of("init-killed", { program: text, signal: text, at: text, cause, said: named }),
  "init-not-run": of("init-not-run", { program: text, why: notRun }),
  "no-root": of("no-root", { program: text, files: number }),
  "root-without-disk": of("root-without-disk", { root: text, drivers: texts }),
  "root-without-driver": of("root-without-driver", { root: text, devices: texts, drivers: texts }),
  "root-by-programs": of("root-by-programs", { root: text, disks: texts }),
  "root-absent": of("root-absent", { root: text, disks: texts }),
  "root-unreadable": of("root-unreadable", { root: text, systems: texts }),
  "ramdisk-bad": of("ramdisk-bad", { reason: text, files: number }),
  "oops": of("oops", { exception: text, at: text, task, cause }),
  "stack-overflow": of("stack-overflow", { at: text, task }),
  "out-of-memory": of("out-of-memory", {
    task,
    total: v.nullable(number),
    taken: v.nullable(v.strictObject({ option: text, size: number, of: number })),
    used: v.nullable(v.strictObject({ by: v.picklist(MEMORY_USERS), size: number, name: named })),
  }),
  "lockup": of("lockup", { task, at: text }),
  "rcu-stall": of("rcu-stall", { task, at: text }),
  "sysrq-crash": of("sysrq-crash", { task }),
  "devicetree-lacks": of("devicetree-lacks", { node }),
  "oops-survived": of("oops-survived", { what: text, at: text, task, count: number }),
  "warned": of("warned", { at: text, task: v.nullable(task) }),
  "reported": of("reported", {
    kind: v.picklist(REPORT_KINDS),
    t: text,
    text,
    task: v.nullable(task),
    at: named,
    cpu: v.nullable(number),
    device: named,
    for_ns: v.nullable(number),
    over: flag,
  }),
  "no-neighbor": of("no-neighbor", { neighbors: v.array(v.strictObject({ address: text, device: text })) }),
  "exhausted": of("exhausted", { of: v.array(limitReached) }),
  "program-waits": of("program-waits", { waits: v.array(programWait) }),
  "programs-run": of("programs-run", { programs: v.array(v.strictObject({ task, cpu: number, ran_ns: number })) }),
  "cpu-kept": of("cpu-kept", {
    task,
    cpu: number,
    policy: v.picklist(REAL_TIME_POLICIES),
    priority: number,
    waiters: v.array(task),
    others: number,
    for_ns: number,
  }),
  "program-deadlock": of("program-deadlock", { steps: v.array(programWait) }),
  "lock-cycle": of("lock-cycle", { steps: v.array(wait) }),
  "lock-lost": of("lock-lost", { wait, holder: task }),
  "hung": of("hung", {
    task,
    where: named,
    for_ns: number,
    lock: v.nullable(lock),
    disk: flag,
    device,
    holder: v.nullable(v.strictObject({ task, where: named })),
  }),
  "booting": of("booting", { initcall: named, device, waits: named }),
  "console-unregistered": of("console-unregistered", {
    named: texts,
    has: texts,
    drivers: texts,
    deferred: v.array(v.strictObject({ name: text, reason: named })),
  }),
  "panic-called": of("panic-called", { by: text, task }),
} satisfies { readonly [C in LinuxFinding["code"]]: v.GenericSchema<unknown, OfCode<LinuxFinding, C>> }));

const CONSOLE_ABSENT = of("console-absent", { named: texts, has: texts }) satisfies v.GenericSchema<
  unknown,
  OfCode<BootFinding, "console-absent">
>;

export const SAVED_LINUX_FINDING: v.GenericSchema<unknown, LinuxFinding> = v.lazy(once(() => v.variant("code", Object.values(forms()))));

/** Why nothing that a VM printed was shown. */
export const SAVED_UNSHOWN = v.lazy(once(() => v.variant("code", [CONSOLE_ABSENT, forms()["console-unregistered"]])));
