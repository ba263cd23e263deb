// The calls that a generation's driver makes, one by one: the host's own driver makes exactly them
// on a scripted platform, whatever call of START fails (docs/spec/vm-manager.md §7, §11, §13).

import assert from "node:assert/strict";
import { ErrorCode } from "../../../src/abi/errors.ts";
import { BOOT_CONTEXT, GH, GH_ANDROID, GH_V6, VM_RANGE } from "../../../src/abi/ioctl/gunyah.ts";
import { errnoName } from "../../../src/abi/ioctl/errno.ts";
import type { PersonaName } from "../../../src/abi/ioctl/personas.ts";
import { RmError } from "../../../src/abi/rpc/errors.ts";
import { BASE, Client } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { linuxTest } from "./on-resource-manager.ts";

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

/** What a process does of a generation. */
class Driver {
  readonly fake: FakeHost;
  readonly vmm: Client;
  vm = -1;
  #seen = 0;

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
      (device === "v6" ? vmm.loadedVmV6() : device === "v17" ? vmm.guestMemoryVm() : vmm.loadedVm({ lend: device === "v14" && firmware }))
        .vm;
    if (firmware) {
      assert.equal(vmm.call(this.vm, GH_ANDROID.SET_FW_CONFIG, VM_RANGE, { guest_phys_addr: BigInt(BASE), size: 0x2000n }), 0);
    } else if (device === "v17" || device.startsWith("ack")) {
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

  /** Nothing of the VM is left in the host, not even a page. */
  leavesNothing(): void {
    this.vmm.exit();
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

  // v6 knows no VM_RESET, without which this resource manager keeps the memory of a VM that has
  // run.
  if (device !== "v6") {
    const start = names([...lines(sequences.made), ...lines(sequences.start)]);
    linuxTest(device, { start: once(start), stop: once(names(lines(sequences.stopped))) });
  }

  if (!sequences.start.includes("memextent_donate")) return;
  Deno.test(`${device}: a page that the hypervisor refuses fails START, and what was given before is taken back`, () => {
    const given = lines(sequences.start).filter((line) => /^[a-z]/.test(line)).length;
    for (let call = 0; call < given; call++) {
      const driver = begin();
      driver.fake.platform.hypercallErrors.push(...Array<ErrorCode>(call).fill(ErrorCode.OK), ErrorCode.NOMEM);
      assert.equal(errnoName(driver.start()), "ENOMEM");
      driver.close();
      const log = names(driver.news());
      const count = (name: string) => log.filter((each) => each === name).length;
      // Each donation that was made is undone, and each mapping.
      assert.equal(count("memextent_donate"), 2 * Math.ceil(call / 2) + (call % 2 === 0 ? 1 : 0), `${call}`);
      assert.equal(count("addrspace_unmap"), Math.floor(call / 2), `${call}`);
      assert.deepEqual(log.slice(-3), sequences.failures.VM_INIT.slice(1));
      driver.leavesNothing();
    }
  });
}
