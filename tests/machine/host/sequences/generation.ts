// The calls that a generation's driver makes, one by one: the host's own driver makes exactly them
// on a scripted platform, whatever call of START fails (docs/spec/vm-manager.md §7, §11, §13).

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import {
  BOOT_CONTEXT,
  ExitReason,
  GH,
  GH_ANDROID,
  GH_V6,
  RUN_PAGE,
  RUN_PAGE_FAULT,
  VM_RANGE,
} from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { Errno, errnoName } from "../../../../src/machine/abi/ioctl/errno.ts";
import { type PersonaName, PERSONAS } from "../../../../src/machine/abi/ioctl/personas.ts";
import { RmError } from "../../../../src/machine/abi/rpc/errors.ts";
import { VcpuResume, VcpuRunState } from "../../../../src/machine/abi/words.ts";
import { BASE, Client } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { linuxTest } from "./on-resource-manager.ts";
import { MISSED } from "./paged.ts";

/** Texts of calls, a line each (`FakePlatform.log`). */
export interface Sequences {
  /** Before START: CREATE_VM and the calls that give memory. */
  readonly made: string;
  readonly start: string;
  /** START of a protected VM, where the generation has them. */
  readonly protectedStart?: string;
  /** The end of a VM that runs, and of one that has exited. */
  readonly stopped: string;
  readonly exited: string;
  /** The end of a VM that was never started. */
  readonly unstarted: string;
  /** The calls for a page that the guest misses, and the end of the VM that runs then. */
  readonly missed?: string;
  readonly missedEnd?: string;
  /**
   * By each request of START: what START answers when it is refused with NORESOURCE, and the calls
   * of the end.
   */
  readonly failures: Readonly<Record<string, readonly [errno: string, ...end: string[]]>>;
}

/** The end of a VM whose memory is one shared region, once it has exited, and when it runs. */
export const EXITED = `
VM_RESET vmid=80
MEM_RECLAIM handle=101
VM_DEALLOCATE vmid=80
`;
export const STOPPED = `VM_STOP vmid=80 flags=1 reason=3${EXITED}`;

/** A process's operations on a generation. */
class Driver {
  readonly fake: FakeHost;
  readonly vmm: Client;
  vm = -1;
  #seen = 0;
  #ended = false;

  constructor(readonly device: PersonaName) {
    this.fake = new FakeHost(device);
    this.vmm = new Client(this.fake);
  }

  /** Lines since the last look. */
  news(): string[] {
    const { log } = this.fake.platform;
    const lines = log.slice(this.#seen);
    this.#seen = log.length;
    return lines;
  }

  /** A VM of 2 MiB with a devicetree, ready for START. */
  make(firmware = false): void {
    const { vmm, device } = this;
    this.vm =
      (device === "v6"
        ? vmm.loadedVmV6()
        : device === "v17"
        ? vmm.guestMemoryVm()
        : vmm.loadedVm({ lend: !PERSONAS[device].requests.includes(GH.SET_BOOT_CONTEXT) && firmware }))
        .vm;
    if (firmware) {
      assert.equal(vmm.call(this.vm, GH_ANDROID.SET_FW_CONFIG, VM_RANGE, { guest_phys_addr: BigInt(BASE), size: 0x2000n }), 0);
    } else if (PERSONAS[device].requests.includes(GH.SET_BOOT_CONTEXT) && device !== "union") {
      for (const [reg, value] of [[0x100, BigInt(BASE)], [5, 55n]] as const) {
        assert.equal(vmm.call(this.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg, value }), 0);
      }
    }
  }

  start(): number {
    return this.vmm.ioctl(this.vm, this.device === "v6" ? GH_V6.START : GH.START);
  }

  /** The last descriptor is closed. */
  close(): void {
    this.vmm.close(this.vm);
  }

  /** The process ends. */
  end(): void {
    if (!this.#ended) this.vmm.exit();
    this.#ended = true;
  }

  /** Nothing of the VM is left in the host, not even a page. */
  leavesNothing(): void {
    this.end();
    this.fake.visit(({ kernel, gunyah }) => {
      assert.deepEqual([gunyah.state.vms, kernel.state.files, kernel.state.memory.objects], [{}, {}, {}]);
    });
  }
}

const lines = (text: string) => text.trim().split("\n").filter((line) => line !== "");
const names = (log: readonly string[]) => log.map((line) => line.split(" ")[0]);

/** The same without repetitions. */
const once = (list: readonly string[]) => [...new Set(list)];

/** The tests of a generation. */
export function sequenceTests(device: PersonaName, sequences: Sequences): void {
  const begin = (firmware = false) => {
    const driver = new Driver(device);
    driver.make(firmware);
    assert.deepEqual(driver.news(), firmware ? driver.fake.platform.log : lines(sequences.made));
    return driver;
  };

  Deno.test(`${device}: START and the end of a VM that runs`, () => {
    const driver = begin();
    assert.equal(driver.start(), 0);
    assert.deepEqual(driver.news(), lines(sequences.start));
    driver.close();
    assert.deepEqual(driver.news(), lines(sequences.stopped));
    driver.leavesNothing();
  });

  Deno.test(`${device}: the end of a VM that has exited`, () => {
    const driver = begin();
    assert.equal(driver.start(), 0);
    driver.fake.platform.exited(driver.fake.guest, 0x80, 1);
    driver.news();
    driver.close();
    assert.deepEqual(driver.news(), lines(sequences.exited));
    driver.leavesNothing();
  });

  Deno.test(`${device}: the end of a VM that was never started`, () => {
    const driver = begin();
    driver.close();
    assert.deepEqual(driver.news(), lines(sequences.unstarted));
    driver.leavesNothing();
  });

  if (sequences.protectedStart !== undefined) {
    Deno.test(`${device}: START of a protected VM`, () => {
      const driver = begin(true);
      assert.equal(driver.start(), 0, driver.fake.lastRule()?.rule);
      assert.deepEqual(driver.news(), lines(sequences.protectedStart!));
      driver.close();
      driver.leavesNothing();
    });
  }

  Deno.test(`${device}: whichever request of START is refused, START says so, and the end takes back what was given`, () => {
    const requests = names(lines(sequences.start)).filter((name) => /^[A-Z]/.test(name));
    assert.deepEqual([...new Set(requests)].sort(), Object.keys(sequences.failures).sort());
    for (const [request, [errno, ...end]] of Object.entries(sequences.failures)) {
      const driver = begin();
      driver.fake.platform.refusals.set(request, RmError.NORESOURCE);
      assert.equal(errnoName(driver.start()), errno, request);
      const made = names(driver.news());
      assert.equal(made.at(-1), request, `${request} is the last call`);
      driver.close();
      assert.deepEqual(names(driver.news()), end, `after ${request}`);
      driver.leavesNothing();
    }
  });

  // v6 knows no VM_RESET, without which this Resource Manager keeps the memory of a VM that has
  // run.
  if (device !== "v6") {
    const start = names([sequences.made, sequences.start, sequences.missed ?? ""].flatMap(lines));
    linuxTest(device, { start: once(start), stop: once(names(lines(sequences.missedEnd ?? sequences.stopped))) });
  }

  const { missed, missedEnd } = sequences;
  if (missed === undefined || missedEnd === undefined) return;

  /** A VM whose guest has missed a page: what RUN answers so far. */
  const miss = (driver: Driver) => {
    const { vmm, fake } = driver;
    assert.equal(driver.start(), 0);
    driver.news();
    const fd = vmm.vcpu(driver.vm, 0);
    const page = vmm.runPage(fd);
    const { task } = vmm.kernel((kernel, pid) => kernel.ioctl(pid, fd, GH.RUN.code, 0n));
    fake.returnRun(VcpuRunState.PageFault, BigInt(MISSED), 1n);
    return { result: fake.await(task), exit: vmm.read(page, RUN_PAGE_FAULT.size) };
  };

  Deno.test(`${device}: a page that the guest misses is given, and taken back at the end`, () => {
    const driver = begin();
    const { result } = miss(driver);
    assert.equal(result, undefined, "RUN goes on");
    assert.deepEqual(driver.news(), lines(missed));
    assert.deepEqual([...driver.fake.platform.inside.values()].map(({ resume, action }) => [resume, action]), [[VcpuResume.Retry, 0n]]);
    driver.fake.returnRun(VcpuRunState.AddrspaceVmmioRead, 0x6000n, 8n);
    driver.end();
    assert.deepEqual(driver.news(), lines(missedEnd));
    driver.leavesNothing();
  });

  Deno.test(`${device}: a page that the hypervisor refuses leaves RUN, and what was given is taken back`, () => {
    for (const [call, name] of ["memextent_donate", "addrspace_map"].entries()) {
      const driver = begin();
      driver.fake.platform.hypercallErrors.push(...Array<ErrorCode>(call).fill(ErrorCode.OK), ErrorCode.NOMEM);
      const { result, exit } = miss(driver);
      const { phys_addr, attempt } = RUN_PAGE_FAULT.decode(exit);
      assert.deepEqual([result, RUN_PAGE.decode(exit).exit_reason], [0, ExitReason.PageFault]);
      assert.deepEqual([phys_addr, attempt], [BigInt(MISSED), -Errno.ENOMEM]);
      const log = names(driver.news());
      assert.equal(log.filter((each) => each === "memextent_donate").length, 1 + call, name);
      driver.leavesNothing();
    }
  });
}
