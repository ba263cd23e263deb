import assert from "node:assert/strict";
import { RmError } from "../../../src/machine/abi/rpc/errors.ts";
import { encodeRequest } from "../../../src/machine/abi/rpc/message.ts";
import { VM_GET_STATE } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { ExitType } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { VcpuRunState } from "../../../src/machine/abi/words.ts";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import { findNode, readString } from "../../../src/machine/devicetree/tree.ts";
import { CONSOLE_INPUT_INTID, ConsoleInput } from "../../../src/machine/host/data/console-input.ts";
import type { HostEvent } from "../../../src/machine/host/data/events.ts";
import { nativeHost } from "../../../src/machine/host/native-host.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { DEVICETREE_SIZE, VM_PL011_BASE } from "../../../src/machine/host/boards/el2/map.ts";
import { bellCap, FakePlatform, RAM, vcpuCap, wakeup } from "./fake-platform.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";

const UARTDR = 0x00, UARTIMSC = 0x38, UARTFR = 0x18;

const DRIVER = { device: "v14", gzvm: false, memlock: Number.MAX_SAFE_INTEGER } as const;

/** A host with `vms` that has booted. */
function boot(vms: VmPlan[], { cpus = 1, prepare = (_: FakePlatform) => {} } = {}) {
  const platform = new FakePlatform(HOST_MEMORY + vms.length * 2 * MIB, cpus);
  prepare(platform);
  const events: HostEvent[] = [];
  const input = new ConsoleInput(() => {});
  const host = nativeHost({
    plan: { memory: HOST_MEMORY, vcpus: cpus, vms, driver: DRIVER },
    events: (event) => events.push(event),
    input,
  })();
  platform.boot(host);
  const states = () => events.flatMap((event) => event.kind === "state" ? [`${event.vm} ${event.state}`] : []);
  const errors = () => events.flatMap((event) => event.kind === "error" ? [`${event.vm ?? "host"}: ${event.message}`] : []);
  const printed = (name: string) =>
    events.flatMap((event) => event.kind === "console" && event.vm === name ? [String.fromCharCode(...event.bytes)] : []).join("");
  return { platform, host, events, input, states, errors, printed };
}

Deno.test("the native host creates a VM in the order of Linux's driver", () => {
  const { platform, states, errors } = boot([vmPlan("a")]);
  assert.deepEqual(platform.requests.map(({ name }) => name), [
    "VM_ALLOCATE",
    "MEM_LEND",
    "VM_CONFIG_IMAGE",
    "VM_INIT",
    "VM_GET_HYP_RESOURCES",
    "VM_START",
  ]);
  assert.deepEqual(states(), ["a creating", "a ready", "a running"]);
  assert.deepEqual(errors(), []);
});

Deno.test("the native host lends the whole of a VM's memory to it alone, and says where the devicetree is", () => {
  const { platform } = boot([vmPlan("a", { image: { bytes: Uint8Array.of(9), offset: 0x1000, size: 0x2000, entry: 0 } })]);
  const [, lend, configure] = platform.requests;
  assert.deepEqual(lend.value.acl, [{ vmid: 0x80, rights: 7 }]);
  const [{ address, size }, ...others] = lend.value.sgl as { address: bigint; size: bigint }[];
  assert.deepEqual([size, others], [BigInt(2 * MIB), []]);
  const offset = 2 * MIB - DEVICETREE_SIZE;
  assert.deepEqual(configure.value, {
    ...{ vmid: 0x80, auth_type: 0, handle: 8, image_offset: 0n, image_size: 0n },
    ...{ dt_offset: BigInt(offset), dt_size: BigInt(DEVICETREE_SIZE) },
  });
  const memory = platform.memory.subarray(Number(address) - RAM);
  assert.equal(memory[0x1000], 9);
  const tree = readDevicetree(memory.subarray(offset, 2 * MIB));
  assert.ok(tree.ok);
  assert.equal(readString(findNode(tree.tree.root, "/gunyah-vm-config")!, "image-name"), "a");
});

const ends = ["doorbell", "doorbell-source"] as const;
/** Two VMs that a doorbell connects. */
const linked = ["a", "b"].map((name, index) =>
  vmPlan(name, { links: [{ kind: ends[index], label: 1, peer: "ba"[index], sourceCanClear: false }] })
);
const started = ({ requests }: FakePlatform) => requests.flatMap(({ name, value }) => name === "VM_START" ? [value.vmid] : []);

Deno.test("VMs that are linked start when all are ready, and others do not wait", () => {
  const { platform } = boot([...linked, vmPlan("c")]);
  const names = platform.requests.map(({ name, value }) => `${name} ${value.vmid}`);
  assert.ok(names.indexOf("VM_START 128") > names.indexOf("VM_GET_HYP_RESOURCES 129"), names.join(", "));
  assert.deepEqual(started(platform).sort(), [128, 129, 130]);
});

Deno.test("a VM whose peer cannot be made starts alone", () => {
  const { platform, states } = boot(linked, { prepare: (platform) => platform.refusals.set("VM_INIT", RmError.MEM_INVALID) });
  assert.ok(states().includes("a failed"));
  assert.deepEqual([states().at(-1), started(platform)], ["b running", [129]]);
});

Deno.test("a VM starts when it is asked for, or when another one runs", () => {
  const { platform, host, input, states } = boot([linked[0], { ...linked[1], start: "manual" }, vmPlan("c", { start: { after: "b" } })]);
  assert.deepEqual(states(), ["a creating", "a ready", "a running"], "who is not asked for is not waited for");
  input.start("b", "start");
  host.virq(platform.vcpu(0), CONSOLE_INPUT_INTID);
  platform.settle(host);
  assert.deepEqual(states().slice(3, 6), ["b creating", "b ready", "b running"]);
  assert.equal(states().at(-1), "c running");
});

Deno.test("a VM that is to be made only is ready and waits, its peer with it, until it is told to start", () => {
  const { platform, host, input, states, errors } = boot([{ ...linked[0], start: "manual" }, { ...linked[1], start: "manual" }]);
  const ask = (...wanted: Parameters<ConsoleInput["start"]>) => {
    input.start(...wanted);
    host.virq(platform.vcpu(0), CONSOLE_INPUT_INTID);
    platform.settle(host);
  };
  ask("a", "create");
  ask("b", "start");
  assert.deepEqual(states(), ["a creating", "a ready", "b creating", "b ready"]);
  assert.deepEqual(started(platform), []);
  ask("a", "create");
  assert.deepEqual(errors(), ["a: it is already ready"]);
  ask("a", "start");
  assert.deepEqual(states().slice(4).sort(), ["a running", "b running"]);
});

Deno.test("what people send to the Resource Manager goes out as they wrote it, and its reply is nobody else's", () => {
  const { platform, host, input, errors } = boot([vmPlan("a")]);
  const before = platform.requests.length;
  input.request(VM_GET_STATE.id, encodeRequest(VM_GET_STATE, { vmid: 0x80 }));
  host.virq(platform.vcpu(0), CONSOLE_INPUT_INTID);
  platform.settle(host);
  assert.deepEqual(platform.requests.slice(before).map(({ name, value }) => [name, value]), [["VM_GET_STATE", { vmid: 0x80 }]]);
  assert.deepEqual(errors(), []);
});

Deno.test("a VM that is stopped while it waits for its peer is taken down, and its peer starts alone", () => {
  const platform = new FakePlatform(HOST_MEMORY + 8 * MIB, 1);
  const events: HostEvent[] = [];
  const input = new ConsoleInput(() => {});
  // GenieZone's VM takes more steps to be ready.
  const plan = { memory: HOST_MEMORY, vcpus: 1, vms: [linked[0], { ...linked[1], hypervisor: "geniezone" as const }] };
  const driver = { ...DRIVER, gzvm: true };
  const host = nativeHost({ plan: { ...plan, driver }, events: (event) => events.push(event), input })();
  platform.begin(host);
  const states = () => events.flatMap((event) => event.kind === "state" ? [`${event.vm} ${event.state}`] : []);
  const requested = (name: string) => platform.requests.some((request) => request.name === name && request.value.vmid === 0x80);
  while (!requested("VM_GET_HYP_RESOURCES")) platform.deliver(host);
  platform.deliver(host);
  assert.deepEqual([states().at(-1), requested("VM_START")], ["a ready", false]);
  input.stop("a", true);
  host.virq(platform.vcpu(0), CONSOLE_INPUT_INTID);
  platform.settle(host);
  assert.deepEqual(states().filter((state) => state.startsWith("a ")), ["a creating", "a ready", "a failed"]);
  assert.equal(states().at(-1), "b running");
});

Deno.test("vCPUs are spread over the host's vCPUs, which are powered on, and their wakeups are routed there", () => {
  const { platform } = boot([vmPlan("a", { vcpus: 2 }), vmPlan("b"), vmPlan("c")], {
    cpus: 2,
    prepare: (platform) => platform.vcpusOf = (vm) => vm === 0 ? 2 : 1,
  });
  assert.equal(platform.calls[0], `smc 0xc4000003 1 ${0x4100_0000} 0`);
  assert.deepEqual([wakeup(0, 0), wakeup(0, 1), wakeup(1), wakeup(2)].map((intid) => platform.routes.get(intid)), [1, 0, 1, 0]);
});

Deno.test("a host vCPU runs its ready vCPUs round robin, and those that wait only after their wakeup", () => {
  const { platform, host } = boot([vmPlan("a"), vmPlan("b")]);
  const afterTurn = () => platform.now += 100_000;
  const entered = () => platform.inside.get(0)?.cap;
  assert.equal(entered(), vcpuCap(0));
  afterTurn();
  platform.returnRun(host, 0, VcpuRunState.Ready);
  assert.equal(entered(), vcpuCap(1));
  platform.returnRun(host, 0, VcpuRunState.ExpectsWakeup, 0n, 1n);
  assert.equal(entered(), vcpuCap(0));
  platform.returnRun(host, 0, VcpuRunState.Ready);
  assert.equal(entered(), vcpuCap(0));
  platform.returnRun(host, 0, VcpuRunState.PoweredOff);
  assert.equal(entered(), undefined);
  host.virq(platform.vcpu(0), wakeup(1));
  assert.equal(entered(), vcpuCap(1));
});

Deno.test("an exit to the VMM does not cost a vCPU the rest of its turn, and a turn ends", () => {
  const { platform, host } = boot([vmPlan("a"), vmPlan("b")]);
  const order: bigint[] = [];
  for (let exit = 0; exit < 6; exit++) {
    platform.now += 40_000;
    order.push(platform.inside.get(0)!.cap);
    platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioRead, BigInt(VM_PL011_BASE + UARTFR), 4n);
  }
  const [a, b] = [vcpuCap(0), vcpuCap(1)];
  assert.deepEqual(order, [a, a, a, b, b, b]);
});

Deno.test("a wakeup that comes while its vCPU is inside vcpu_run is not lost", () => {
  const { platform, host } = boot([vmPlan("a")]);
  host.virq(platform.vcpu(0), wakeup(0));
  platform.returnRun(host, 0, VcpuRunState.ExpectsWakeup, 0n, 1n);
  assert.equal(platform.inside.get(0)?.cap, vcpuCap(0));
});

Deno.test("what a guest sends through its PL011 comes out as console events, and loads get the register", () => {
  const { platform, host, printed } = boot([vmPlan("a")]);
  for (const char of "hi") {
    platform.returnRun(
      host,
      0,
      VcpuRunState.AddrspaceVmmioWrite,
      BigInt(VM_PL011_BASE + UARTDR),
      4n,
      0xffff_ffff_0000_0000n | BigInt(char.charCodeAt(0)),
    );
  }
  assert.equal(printed("a"), "hi");
  platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioRead, BigInt(VM_PL011_BASE + UARTFR), 4n);
  assert.deepEqual(platform.inside.get(0), { cap: vcpuCap(0), resume: 0x90n, action: 0n });
});

Deno.test("typed bytes raise the console's interrupt by its doorbell, whose delivery takes it back", () => {
  const { platform, host, input } = boot([vmPlan("a")]);
  platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioWrite, BigInt(VM_PL011_BASE + UARTIMSC), 4n, 0x50n);
  platform.calls.length = 0;
  // The UART gives nothing until the guest has listened for a while.
  platform.now = platform.timers.get(0)!;
  host.timer(platform.vcpu(0));
  input.push("a", new TextEncoder().encode("ok"));
  platform.returnRun(host, 0, VcpuRunState.ExpectsWakeup);
  host.virq(platform.vcpu(0), CONSOLE_INPUT_INTID);
  assert.deepEqual(platform.calls, [`send 0x${bellCap(0).toString(16)} 1`]);
  host.virq(platform.vcpu(0), wakeup(0));
  const read = () => {
    platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioRead, BigInt(VM_PL011_BASE + UARTDR), 4n);
    return String.fromCharCode(Number(platform.inside.get(0)!.resume));
  };
  assert.equal(read() + read(), "ok");
  assert.equal(platform.calls.length, 1);
});

Deno.test("accesses where no device is read as zero and are reported, but not without end", () => {
  const { platform, host, errors } = boot([vmPlan("a")]);
  for (let i = 0; i < 100; i++) platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioRead, 0x1000n, 8n);
  assert.equal(platform.inside.get(0)!.resume, 0n);
  assert.equal(errors().length, 16);
  assert.equal(errors()[0], "a: load of 8 bytes at 0x1000, an unmapped address");
});

/** VM number `vm` exits, and its vCPU, which runs or is the next one to, powers off. */
function end(platform: FakePlatform, host: ReturnType<typeof boot>["host"], vm: number, exitType: number): void {
  platform.exited(host, 0x80 + vm, exitType);
  while (platform.inside.get(0)?.cap !== vcpuCap(vm)) platform.returnRun(host, 0, VcpuRunState.Blocked);
  platform.returnRun(host, 0, VcpuRunState.PoweredOff);
}

Deno.test("a VM that powers off is reset, its memory taken back and its VMID given up; then the host powers off", () => {
  const { platform, host, states, events } = boot([vmPlan("a")]);
  platform.requests.length = 0;
  end(platform, host, 0, ExitType.PlatformOff);
  assert.deepEqual(platform.requests.map(({ name }) => name), ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]);
  assert.deepEqual(platform.requests[1].value, { handle: 8, flags: 0 });
  assert.deepEqual(states().slice(-2), ["a exited", "a stopped"]);
  assert.deepEqual(events.at(-1), { kind: "finished", at: 0, crashed: [] });
  assert.equal(platform.calls.at(-1), "smc 0x84000008");
});

Deno.test("a VM that crashes is named at the end, and the others continue until theirs", () => {
  const { platform, host, events } = boot([vmPlan("a"), vmPlan("b")]);
  end(platform, host, 0, ExitType.SoftwareError);
  assert.ok(!events.some(({ kind }) => kind === "finished"));
  end(platform, host, 1, ExitType.PlatformOff);
  assert.deepEqual(events.at(-1), { kind: "finished", at: 0, crashed: ["a"] });
});

Deno.test('on_exit = "end-session" ends it although others run', () => {
  const { platform, host, events } = boot([vmPlan("a", { onExit: "end-session" }), vmPlan("b")]);
  end(platform, host, 0, ExitType.PlatformOff);
  assert.deepEqual(events.at(-1), { kind: "finished", at: 0, crashed: [] });
});

Deno.test('on_exit = "restart" makes the VM again', () => {
  const { platform, host, states } = boot([vmPlan("a", { onExit: "restart" })]);
  end(platform, host, 0, ExitType.PlatformReset);
  assert.deepEqual(states().slice(-5), ["a exited", "a stopped", "a creating", "a ready", "a running"]);
  assert.equal(platform.inside.get(0)?.cap, vcpuCap(1));
});

// The rows of the recorded driver: a VM whose configuration was refused is given back without
// VM_RESET.
for (
  const [refused, then] of [
    ["VM_ALLOCATE", []],
    ["MEM_LEND", ["VM_DEALLOCATE"]],
    ["VM_CONFIG_IMAGE", ["MEM_RECLAIM", "VM_DEALLOCATE"]],
    ["VM_INIT", ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]],
    ["VM_GET_HYP_RESOURCES", ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]],
    ["VM_START", ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]],
  ] as [string, string[]][]
) {
  Deno.test(`a refused ${refused} is reported, and what exists of the VM is given back`, () => {
    const { platform, errors, events } = boot([vmPlan("a")], {
      prepare: (platform) => platform.refusals.set(refused, RmError.NOMEM),
    });
    assert.deepEqual(errors(), ["a: START: ENOMEM"]);
    const names = platform.requests.map(({ name }) => name);
    assert.deepEqual(names.slice(names.indexOf(refused) + 1), then);
    assert.deepEqual(events.at(-1), { kind: "finished", at: 0, crashed: ["a"] });
  });
}

Deno.test("a VM that cannot be made does not keep the others from starting", () => {
  const { states } = boot([vmPlan("a"), vmPlan("b")], { prepare: (platform) => platform.refusals.set("VM_INIT", RmError.MEM_INVALID) });
  assert.ok(states().includes("a failed"));
  assert.ok(states().includes("b running"));
});

Deno.test("VMs that do not fit into the host's memory are refused before anything is made", () => {
  const { platform, errors, events } = boot([vmPlan("a", { memory: 32 * MIB })]);
  assert.deepEqual(started(platform), []);
  assert.deepEqual(errors(), ["a: mmap of the VM's memory: ENOMEM"]);
  assert.deepEqual(events.at(-1), { kind: "finished", at: 0, crashed: ["a"] });
});

Deno.test("a saved host that is restored into a new one continues where it was", () => {
  const vms = [vmPlan("a")];
  const { platform, host, input } = boot(vms);
  platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioWrite, BigInt(VM_PL011_BASE + UARTIMSC), 4n, 0x50n);
  input.push("a", Uint8Array.of(0x3f));
  const saved = structuredClone(host.save());
  const events: HostEvent[] = [];
  const next = nativeHost({ plan: { memory: HOST_MEMORY, vcpus: 1, vms, driver: DRIVER }, events: (event) => events.push(event), input })();
  next.restore(saved);
  assert.deepEqual(next.save(), host.save());
  platform.returnRun(next, 0, VcpuRunState.AddrspaceVmmioWrite, BigInt(VM_PL011_BASE + UARTDR), 1n, 0x21n);
  assert.deepEqual(events, [{ kind: "console", at: 0, vm: "a", bytes: Uint8Array.of(0x21) }]);
  // A pending wait stays pending: the UART listens, then takes the typed input.
  platform.now = platform.timers.get(0)!;
  next.virq(platform.vcpu(0), CONSOLE_INPUT_INTID);
  next.timer(platform.vcpu(0));
  assert.equal(platform.calls.at(-1), `send 0x${bellCap(0).toString(16)} 1`);
  end(platform, next, 0, ExitType.PlatformOff);
  assert.deepEqual(events.at(-1), { kind: "finished", at: platform.now, crashed: [] });
});
