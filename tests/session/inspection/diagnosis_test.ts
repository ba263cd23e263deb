// Verdicts on VMs: right on guests that are broken in one way, and none on healthy ones.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { SWITCHES } from "../../../src/session/inspection/trace/event-log.ts";
import { eventRow } from "../../../src/session/inspection/readers/objects/read-trace.ts";
import { diagnoseMachine } from "../../../src/app/cli/commands/session/diagnose.ts";
import { askedByText } from "../../../src/model/queries/texts/format.ts";
import type { Query } from "../../../src/model/queries/query.ts";
import { loadSystem, saveSystem } from "../../../src/session/state/system-state.ts";
import { native } from "../debug/programs.ts";
import { demoSystem, rows, runUntil } from "./system.ts";

const NOP = 0xd503201f, WFI = 0xd503207f, BACK = 0x17ffffff, UDF = 0;

/** A VM whose guest is these instructions. */
async function guest(...words: number[]): Promise<GuestSystem> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/x.bin`, new Uint8Array(Uint32Array.from(words).buffer));
    return await demoSystem(`el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n`, undefined, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The verdict on a VM that was diagnosed every tenth of a second. */
function verdict(system: GuestSystem, vm: string, until = 6e8) {
  for (let time = 1e8; time < until; time += 1e8) {
    runUntil(system, time);
    rows(system, "diagnose");
  }
  runUntil(system, until);
  const [found] = rows(system, "diagnose", { filter: `id=vm:${vm}` });
  return found;
}

Deno.test("a loop that never leaves spins, with its PCs and the instructions that it took", async () => {
  const { verdict: word, healthy, text, next } = verdict(await guest(NOP, NOP, BACK), "x");
  assert.deepEqual([word, healthy, next], ["spins", false, "el2 disasm x/0:pc"]);
  assert.match(text, /^vcpu:x\/0 loops at 0x80000004\.\.0x80000008: nothing can end it$/);
});

Deno.test("where a VM's ELF file has source lines, a spin and a refusal name theirs", async () => {
  const source = [
    "volatile int bell;",
    "__attribute__((noinline)) void refused(void) {",
    '  __asm__ volatile("movz w0, #0x8010, lsl #0\\n movk w0, #0xc600, lsl #16\\n mov x1, #0x7777\\n hvc #0" ::: "x0", "x1", "memory");',
    "}",
    "__attribute__((noinline)) void wait_for_bell(void) {",
    "  while (!bell) {}",
    "}",
    '__asm__(".globl _start\\n_start: bl refused\\n b wait_for_bell");',
  ];
  const folder = await Deno.makeTempDir({ prefix: "el2-lines-" });
  try {
    await Deno.writeTextFile(`${folder}/ping.c`, source.join("\n"));
    const flags = ["-g", "-O1", "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x80010000", "-Wl,--build-id=none"];
    await native("aarch64-linux-gnu-gcc", ...flags, "-fno-toplevel-reorder", "-o", `${folder}/x.elf`, `${folder}/ping.c`);
    const text = '[vm.x]\nimage = "x.elf"\nmemory = "4MiB"\n';
    const system = await demoSystem(`el2 = 1\n${text}`, undefined, folder);
    const found = verdict(system, "x");
    assert.equal(found.verdict, "spins", found.text);
    assert.match(found.text, /^vcpu:x\/0 loops at 0x8\S+ <wait_for_bell(\+0x\w+)?> at ping\.c:6: nothing can change what it reads$/);
    const [why] = rows(system, "why", { filter: "asked_by=vcpu:x/0" });
    assert.match(why.source ?? "", /\/ping\.c:3$/);
    assert.match(askedByText(why), /^vcpu:x\/0 at 0x0*8\S+ refused\+0x\w+ at ping\.c:3$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a guest that waits without an interrupt that can come is stuck", async () => {
  const found = verdict(await guest(WFI, BACK), "x");
  assert.deepEqual([found.verdict, found.healthy, found.next], ["stuck", false, "el2 irq ls x"]);
});

Deno.test("a guest that faulted has failed, and the verdict is the reason of its end", async () => {
  const system = await guest(NOP, UDF);
  const found = verdict(system, "x");
  const [why] = rows(system, "why", { filter: "ended=vm:x" });
  assert.deepEqual([found.verdict, found.healthy, found.next], ["failed", false, `el2 why ${why.id}`]);
  assert.equal(why.rule, found.text);
});

Deno.test("a guest whose timer's interrupt was lost is reported with the interrupt and its condition", async () => {
  const system = await demoSystem();
  runUntil(system, 1e9);
  system.inspector.act({ kind: "inject.add", rule: "virq vm=ping -> lose" });
  const found = verdict(system, "ping", 3e9);
  assert.deepEqual([found.verdict, found.healthy, found.next], ["lost", false, "el2 show irq:ping/27"]);
  assert.match(found.text, /^irq:ping\/27 \(vtimer\) was raised and is not pending/);
});

Deno.test("a console that shows the words of a panic is not a panic", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  const said = "[    2.0] Kernel panic - not syncing: no\n[    2.0] ---[ end Kernel panic - not syncing: no ]---\n";
  for (const byte of new TextEncoder().encode(said)) system.consoles.transmit("hello", byte);
  assert.equal(rows(system, "diagnose", { filter: "id=vm:hello" })[0].verdict, "waits");
});

Deno.test("the list of VMs has the same verdicts, and none on el2's own code", async () => {
  const system = await guest(NOP, UDF);
  runUntil(system, 5e8);
  const listed = rows(system, "vm.ls").map(({ id, verdict, healthy, doing }) => [id, verdict, healthy, doing]);
  const [x] = rows(system, "diagnose");
  assert.equal(x.verdict, "failed");
  assert.deepEqual(listed, [["vm:host", null, true, null], ["vm:x", x.verdict, x.healthy, x.text], ["vm:rm", null, true, null]]);
});

Deno.test("a page that is mapped where nobody has recorded it is a verdict on the machine", async () => {
  const system = await demoSystem();
  const open = { asker: { ask: (query: Query) => Promise.resolve(system.inspector.answer(query)) } };
  runUntil(system, 5e8);
  assert.deepEqual(await diagnoseMachine(open), []);
  const spaceOf = (name: string) =>
    [...system.hypervisor.addressSpaces.values()].find(({ vmid }) => system.hypervisor.names.vm(vmid) === name)!;
  const stolen = spaceOf("pong").stage2.lookup(0x8000_0000)!;
  spaceOf("ping").stage2.map(0x9000_0000, stolen.pa, 0x1000, stolen.flags);
  const [machine] = await diagnoseMachine(open);
  assert.deepEqual([machine.id, machine.verdict, machine.healthy, machine.next], ["machine", "broken", false, "el2 mem check"]);
  assert.match(machine.text, /breaks the invariant/);
});

Deno.test("the demo is healthy whenever somebody looks, and a VM that was ended is stopped", async () => {
  const system = await demoSystem();
  for (let time = 1e5; time < 3e9; time += time < 1e7 ? 1e5 : 37e6) {
    runUntil(system, time);
    assert.deepEqual(rows(system, "diagnose", { filter: "healthy=no" }), [], `at ${time} ns`);
  }
  assert.deepEqual(rows(system, "diagnose").map(({ verdict }) => verdict), ["waits", "waits", "waits"]);
  system.inspector.act({ kind: "vm.stop", vm: "ping", force: true });
  runUntil(system, 4e9);
  const [ping] = rows(system, "diagnose", { filter: "id=vm:ping" });
  assert.deepEqual([ping.verdict, ping.healthy], ["stopped", true]);
});

Deno.test("since when a vCPU does not run is what the scheduler's events say, of proxied ones, too", async () => {
  const system = await demoSystem();
  const running = new Map<number, string>(), ends = new Map<string, number>();
  system.hypervisor.trace.listen(["sched"], ({ name, pcpu, time, fields }) => {
    if (pcpu === undefined || !SWITCHES.has(name)) return;
    const before = running.get(pcpu);
    if (before !== undefined) ends.set(before, time);
    if (typeof fields.to === "string") running.set(pcpu, fields.to);
    else running.delete(pcpu);
  });
  for (const time of [500_012_345, 1_000_030_000, 1_700_000_001]) {
    runUntil(system, time);
    const vcpus = rows(system, "vcpu.ls").filter(({ id }) => ends.has(id) && ![...running.values()].includes(id));
    assert.ok(vcpus.length >= 5);
    // A CPU is told to be idle a little after its last vCPU has slept.
    for (const { id, since } of vcpus) {
      assert.ok(Math.abs(Number(since) - (system.machine.time - ends.get(id)!)) < 100_000, `${id} ${since}`);
    }
  }
});

Deno.test("each vCPU of the primary VM has a name to itself in the events before it has an index", () => {
  const image = Deno.readFileSync("assets/guests/hello.bin");
  const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: "", devices: [] } as const;
  const system = assemble({ cpus: 4, memory: 64 << 20, turbo: true, seed: 1, what }) as GuestSystem;
  const threads = new Map<string, string[]>();
  system.hypervisor.trace.listen(["hvc"], (event) => {
    const [, call, thread] = /^(addrspace_attach_thread|vpm_group_attach_vcpu|vic_attach_vcpu) \S+ (\S+)/.exec(eventRow(event).text) ?? [];
    if (call !== undefined) threads.set(call, [...threads.get(call) ?? [], thread]);
  });
  runUntil(system, 1e7);
  const [spaces, groups, vics] = ["addrspace_attach_thread", "vpm_group_attach_vcpu", "vic_attach_vcpu"].map((call) => threads.get(call)!);
  assert.equal(new Set(spaces).size, 4, spaces.join());
  assert.ok(spaces.every((id) => id.startsWith("obj:")), spaces.join());
  assert.deepEqual(groups, spaces);
  assert.deepEqual(vics, ["vcpu:host/0", "vcpu:host/1", "vcpu:host/2", "vcpu:host/3"]);
});

Deno.test("a VM that does not start has the ioctl of its own VMM as its cause, not one of another's", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-starting-" });
  try {
    // CPU_OFF: movz w0, #2; movk w0, #0x8400, lsl #16; hvc #0
    await Deno.writeFile(`${folder}/off.bin`, new Uint8Array(Uint32Array.of(0x52800040, 0x72b08000, 0xd4000002).buffer));
    const vm = (name: string, more = "") => `[vm.${name}]\nimage = "off.bin"\nmemory = "4MiB"\n${more}`;
    const configuration = `el2 = 1\n${vm("off")}${vm("lost", 'start = "after:off"\n')}`;
    const inject = ["rpc msg=VM_START nth=2 -> lose"];
    const system = await demoSystem(configuration, inject, folder);
    runUntil(system, 2e9);
    const [off, lost] = ["vm:off", "vm:lost"].map((id) => rows(system, "diagnose", { filter: `id=${id}` })[0]);
    assert.deepEqual(
      [lost.verdict, /^it is not started: GH_VM_START of its VMM has not returned/.test(lost.text)],
      ["stuck", true],
      lost.text,
    );
    const offText = "all its vCPUs are off, so that none can turn one on: vcpu:off/0 called CPU_OFF last, at 0x8000000c";
    assert.deepEqual([off.verdict, off.text], ["stuck", offText]);

    // A machine that has just been loaded, in which no event has happened yet.
    const loaded = await demoSystem(configuration, inject, folder);
    loadSystem(loaded, saveSystem(system), true);
    loaded.recall(system.remember());
    assert.deepEqual(rows(loaded, "diagnose"), rows(system, "diagnose"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
