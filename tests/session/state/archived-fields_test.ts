// Every field of every object is saved, or follows from what is saved: each is changed for a moment
// after a busy run, and what is saved must change with it. The exceptions are listed with a reason.

import assert from "node:assert/strict";
import { ObjectArchive } from "../../../src/machine/hypervisor/archive/archive.ts";
import { archiveHypervisor } from "../../../src/machine/hypervisor/hypervisor-archive.ts";
import { Doorbell } from "../../../src/machine/hypervisor/ipc/doorbell.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { demoSystem, runUntil } from "../inspection/system.ts";
import { classesOf, FieldProbe } from "../../support/field-probe.ts";

/**
 * V8's inspector can end the whole program when it is asked at a bad moment ("Invoke in
 * DisallowJavascriptExecutionScope"). So the tests that ask it run in a process apart.
 */
const APART = "EL2_FIELDS_APART";
const apart = Deno.env.has(APART);
const test: (name: string, body: () => Promise<void>) => void = apart ? Deno.test : () => {};
/** Processes that the inspector may end before the tests count as failed. */
const ATTEMPTS = 4;

if (!apart) {
  Deno.test("every field of every object is saved, or its reason is listed: in a process apart", async () => {
    for (let attempt = 1;; attempt++) {
      const file = new URL(import.meta.url).pathname;
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "-q", "--allow-all", "--no-check", file],
        env: { [APART]: "1", NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      if (said.includes("DisallowJavascriptExecutionScope") && attempt < ATTEMPTS) continue;
      assert.equal(code, 0, said);
      assert.match(said, /[1-9]\d* passed .* 0 failed/);
      return;
    }
  });
}

/** Fields that are not saved, by the reason why not. A star stands for the rest of a name. */
const DERIVED: Record<string, readonly string[]> = {
  "given when the machine is made": [
    ...["Hypervisor.options.*", "Hypervisor.behaviour.*", "Hypervisor.debug", "Hypervisor.checker", "Hypervisor.foreignPrograms"],
    ...[
      "Hypervisor.onVcpuEnd",
      "Hypervisor.onBug",
      "Hypervisor.semihosted",
      "ConsoleInput.onTaken",
      "Hypervisor.onUnmappedDevice",
      "Hypervisor.onUnmappedMemory",
      "NativePrograms.#factories",
      "VirqSource.edgeOnly",
    ],
    ...[
      "Faults.onRules",
      "Execution.#stopAt",
      "Context.auth",
      "Context.rules.*",
      "HostGuest.#options.*",
      "HostKernel.#options.*",
      "VmmProgram.#options.*",
    ],
    ...[
      "GunyahDriver.#persona.*",
      "Vmm.board.*",
      "VendorRequests.#images",
      "SharedBuffers.#buffers",
      "NativeExecution.#writer.*",
      "Vcpu.resultWriter.*",
      "Timer.kind.*",
    ],
  ],
  "ties between the parts of a program, made when it starts": [
    ...[
      "HostKernel.#devices",
      "HostKernel.#absent",
      "HostKernel.#operations*",
      "Sequences.#link.*",
      "VcpuRunner.#hooks.*",
      "VmManager.#drivers",
    ],
    ...[
      "RmClient.#receive.*",
      "VmManager.host.*",
      "Vmm.#events.*",
      "VmmProgram.#entries[].plan",
      "VmmProgram.#groups",
      "VmmProgram.#begun*",
    ],
    ...[
      "Vmm.#driver.*",
      "ConsoleInput.devices",
      "ConsoleInput.locked",
      "ConsoleInput.gated",
      "ConsoleInput.requests",
      "VmConsole.#signal",
      "VmConsole.kind.*",
      "Calls.cspace",
      "Calls.partition",
    ],
  ],
  "tables of objects, which enter themselves when they are loaded": [
    ...["Hypervisor.addressSpaces", "Hypervisor.hwirqs", "Hypervisor.virtioPages"],
    ...["Vic.#attached", "Vic.#ppis", "Vic.#sources", "Vic.#msiSources", "IrqBank.sources", "VpmGroup.#vcpus", "AddressSpace.devices*"],
  ],
  "counts and orders of what is saved": [
    ...[
      "Cspace.#used",
      "Cspace.#tables[].used",
      "RunQueue.#queues",
      "RunQueue.#size",
      "CoreInterrupts.all",
      "PageTables.#left",
      "PageTables.#leftForVms",
    ],
    ...["ConsoleInput.#typed", "Partition.#heapSize", "VcpuRunner.#keepsTime", "VcpuSettings.#wakesAtTimers"],
  ],
  "follows from the registers, the interrupts or the timers": [
    ...["Vcpu.#gic", "VgicCpu.#onSignal", "VgicCpu.#interruptedAt", "VgicCpu.#irq", "VgicCpu.#fiq", "VgicCpu.#ready"],
    ...["VgicCpu.#best", "VgicCpu.#bestGroup", "VgicCpu.#bestPriority", "Vgic.#mapping*"],
    ...["VcpuTimers.#deadline", "Scheduler.#cpus[].deadline"],
  ],
  "means nothing between two exits, or between two events of a native guest": [
    ...[
      "Execution.#cpu*",
      "Execution.#vcpu",
      "Execution.#due",
      "Execution.#turnEnd",
      "Execution.#limit",
      "Execution.#disturbed",
      "Execution.#exits",
      "Execution.#repeats",
      "Execution.#began",
      "Execution.#counter",
      "Scheduler.#running*",
      "VcpuRunner.#run.*",
      "VcpuRunner.#page*",
      "Steps.#exit*",
      "NativeExecution.#accesses",
    ],
    ...["Context.unanswered", "Faults.#failed*", "HostKernel.#beginning", "VmConsole.#later", "Vmm.#lentTouched"],
  ],
  "for display only: begins anew": [
    "Capability.#lastCall",
    "CapabilityUses.*",
    "Execution.#steps",
    "IrqBank.changed",
    "HostKernel.state.tasks[].trace",
  ],
  "follows from the rules of faults": ["Faults.armed.*"],
};

/** Classes of which nothing is saved: traces, which are for display; the table of hypercalls. */
const SKIPPED = new Set(["TraceHub", "VcpuTrace", "TraceNames", "HypercallTable"]);

const HALF_SECOND = 500_000_000;

function reasonOf(name: string): string | undefined {
  const covers = (entry: string) => entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name === entry;
  return Object.keys(DERIVED).find((reason) => DERIVED[reason].some(covers));
}

/** All that is saved but RAM. */
function stateOf({ hypervisor, parts }: GuestSystem): Uint8Array {
  const archive = new ObjectArchive();
  archiveHypervisor(hypervisor, archive);
  for (const part of parts) archive.plain(part.name, part.save());
  return archive.saved;
}

function probeOf(system: GuestSystem, skipped: Iterable<string> = SKIPPED): FieldProbe {
  return new FieldProbe(CLASSES, () => stateOf(system), new Set(skipped), (name) => reasonOf(name) !== undefined);
}

const CLASSES = classesOf(["machine/hypervisor", "machine/resource-manager", "machine/host"]);

test("every field of hypervisor, Resource Manager and host is saved, or listed with the reason why not", async () => {
  const system = await demoSystem();
  runUntil(system, HALF_SECOND);
  const { addressSpaces, natives } = system.hypervisor;
  const guests = [...addressSpaces.values()].flatMap((space) => natives.guestOf(space) ?? []);
  const unsaved = await probeOf(system).unsaved([system.hypervisor, system.manager, ...guests]);
  assert.deepEqual(unsaved.filter((name) => reasonOf(name) === undefined), []);
  const listed = Object.values(DERIVED).flat();
  const stale = listed.filter((entry) =>
    !unsaved.some((name) => entry.endsWith("*") ? name.startsWith(entry.slice(0, -1)) : name === entry)
  );
  assert.deepEqual(stale, [], "listed, and saved or not there");
});

test("a field that a class adds without saving it is found, private or not", async () => {
  class Added extends Doorbell {
    added = 0;
    #hidden = new Map<number, string>();
    readonly list: number[] = [];
    get hidden(): number {
      return this.#hidden.size;
    }
  }
  const system = await demoSystem();
  const doorbell = system.hypervisor.rootPartition.create(Added);
  assert.ok(doorbell instanceof Added && doorbell.hidden === 0);
  const unsaved = await probeOf(system, [...SKIPPED, "Hypervisor", "Partition"]).unsaved([doorbell]);
  assert.deepEqual(unsaved.filter((name) => name.startsWith("Added.")), ["Added.#hidden", "Added.added", "Added.list"]);
});
