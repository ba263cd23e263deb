// Lives of a bare-metal VM in which something fails at random: a request of START, a hypercall that
// gives a page, RUN, or the VMM, which ends in the middle. Nothing of any of them is left in the
// host, the Resource Manager or the hypervisor, which checks its invariants after each operation.

import assert from "node:assert/strict";
import { BOOT_CONTEXT, ExitReason, GH, RUN_MMIO, RUN_PAGE } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { type PersonaName, PERSONAS } from "../../../src/machine/abi/ioctl/personas.ts";
import { parseFaultRule } from "../../../src/model/queries/fault-rule.ts";
import { assemble } from "../../cpu/core/program.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { Random } from "../../support/random.ts";
import { BASE, Client } from "./client.ts";
import { HostStack } from "./host-stack.ts";
import { LONG } from "../../support/long.ts";

const GENERATIONS: readonly PersonaName[] = ["v14", "ack-6.1", "v17", "ack-6.6", "ack-6.12"];
const LIVES = (LONG ? 1000 : 100) / GENERATIONS.length;

/** Stores to three pages of its memory, then makes the PSCI calls that loads from 0x6000 give. */
const PROGRAM = new Uint8Array(
  new Uint32Array(assemble([
    ["movz x2, #0x8000, lsl #16", 0xd2b00002],
    ["add x2, x2, #0x10, lsl #12", 0x91404042],
    ["movz x21, #0x6000", 0xd28c0015],
    ["movz x3, #0x3", 0xd2800063],
    ["str x3, [x2]", 0xf9000043],
    ["add x2, x2, #0x1, lsl #12", 0x91400442],
    ["subs x3, x3, #0x1", 0xf1000463],
    ["b.ne", 0x54ffffa1],
    ["ldr x0, [x21]", 0xf94002a0],
    ["hvc #0x0", 0xd4000002],
    ["b", 0x17fffffe],
  ])).buffer,
);
/** SYSTEM_OFF, SYSTEM_RESET, SYSTEM_RESET2, and a call that there is not. */
const PSCI_CALLS = [0x8400_0008, 0x8400_0009, 0x8400_0012, 0x8400_00ff] as const;
/** Exits of a VM that the VMM answers at most. */
const PATIENCE = 4;

/** The failure in a life. */
type Failure = "nothing" | "request" | "page" | "run" | "killed while it starts" | "killed before it starts" | "killed";
const FAILURES: readonly Failure[] = ["nothing", "request", "page", "run", "killed while it starts", "killed before it starts", "killed"];

/** Requests of START that may be refused without a loss that the driver is known for. */
function requestsOf(device: PersonaName): readonly string[] {
  const paged = PERSONAS[device].memory.given === "on-demand";
  const common = ["VM_INIT", "VM_GET_HYP_RESOURCES", "VM_START"];
  return paged ? ["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_SET_DEMAND_PAGING", ...common] : ["MEM_LEND", ...common];
}

class Life {
  readonly #vmm: Client;

  constructor(readonly stack: HostStack, readonly device: PersonaName, readonly random: Random) {
    this.#vmm = new Client(stack);
  }

  /** From CREATE_VM to the end of the process. Returns the failure, and the last result of RUN. */
  live(): void {
    const { random, stack } = this;
    const failure = random.pick(FAILURES);
    const rule = this.#rule(failure);
    const added = rule === undefined ? undefined : stack.hypervisor.faults.add(parseFaultRule(rule));
    this.#go(failure);
    // Pages that cannot be reclaimed are lost, as in Linux.
    if (added !== undefined) stack.hypervisor.faults.remove(added);
    this.#vmm.exit();
    stack.pass(1e9);
  }

  #rule(failure: Failure): string | undefined {
    const { random, device } = this;
    if (failure === "request") return `rpc msg=${random.pick(requestsOf(device))} nth=1 -> NOMEM`;
    if (failure === "page") {
      return `hvc name=${random.pick(["memextent_donate", "addrspace_map"])} vm=host nth=${1 + random.below(4)} -> NOMEM`;
    }
    if (failure === "run") return `hvc name=vcpu_run nth=${1 + random.below(3)} -> DENIED`;
  }

  #go(failure: Failure): void {
    const made = this.#make();
    if (failure === "killed before it starts") return;
    const { vm, vcpu, page } = made;
    if (failure === "killed while it starts") return void this.#vmm.begin(vm, GH.START);
    if (this.#vmm.ioctl(vm, GH.START) < 0) return;
    for (let exit = 0; exit < PATIENCE; exit++) {
      const { task, result } = this.#vmm.begin(vcpu, GH.RUN);
      if (failure === "killed" && this.random.below(2) === 0) return;
      if ((result ?? this.stack.await(task, 1e9)) !== 0) return;
      const bytes = this.#vmm.read(page, RUN_MMIO.size);
      if (RUN_PAGE.decode(bytes).exit_reason !== ExitReason.Mmio) return;
      const answer = new Uint8Array(8);
      new DataView(answer.buffer).setUint32(0, this.random.pick(PSCI_CALLS), true);
      this.#vmm.write(page + RUN_MMIO.at.data.offset, answer);
    }
  }

  /** A VM that is ready for START. */
  #make(): { vm: number; vcpu: number; page: number } {
    const vmm = this.#vmm;
    const vm = this.device === "v17" ? this.#guestMemoryVm() : vmm.loadedVm({ code: [...PROGRAM], lend: true }).vm;
    const vcpu = vmm.vcpu(vm), page = vmm.runPage(vcpu);
    if (PERSONAS[this.device].requests.includes(GH.SET_BOOT_CONTEXT)) {
      assert.equal(vmm.call(vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg: 0x100, value: BigInt(BASE) }), 0);
    }
    return { vm, vcpu, page };
  }

  #guestMemoryVm(): number {
    const { vm, map } = this.#vmm.guestMemoryVm();
    const memory = map();
    this.#vmm.write(memory, PROGRAM);
    this.#vmm.kernel((kernel, pid) => kernel.munmap(pid, memory));
    return vm;
  }
}

/** The use of resources by a host and its stack. */
function usage(stack: HostStack) {
  const { objects, rootPartition } = stack.hypervisor;
  return stack.visit(({ kernel, gunyah }) => ({
    ...{ objects: objects.size, heap: rootPartition.heapUsed, pages: kernel.memory.pages.available },
    ...{ vms: gunyah.state.vms, vcpus: gunyah.state.vcpus, files: kernel.state.files, processes: kernel.state.processes },
  }));
}

for (const device of GENERATIONS) {
  Deno.test(`${LIVES} lives of a VM of ${device} in which something fails leave nothing`, () => {
    const stack = new HostStack({ device, cpus: 1, check: true });
    // The first VM has the driver ask for its own VMID, and the Resource Manager make its pools.
    new Life(stack, device, new Random(0)).live();
    const before = usage(stack);
    for (let seed = 1; seed <= LIVES; seed++) {
      new Life(stack, device, new Random(seed)).live();
      assert.deepEqual(usage(stack), before, `seed ${seed}`);
    }
    checkInvariants(stack.hypervisor);
  });
}
