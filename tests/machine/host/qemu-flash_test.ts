// A VM on the platform of QEMU's `virt` that starts in flash, on the whole stack: what its vCPU
// finds there is memory of the VMM, and commands come to the VMM. The VM's vCPU executes a script.

import assert from "node:assert/strict";
import { Stage2Flags } from "../../../src/cpu/core/interface.ts";
import { FLASH_SECTOR, FlashCommand } from "../../../src/machine/devices/cfi-flash.ts";
import { BANK_MIN } from "../../../src/machine/host/boards/flash-size.ts";
import { ConsoleInput } from "../../../src/machine/host/data/console-input.ts";
import { nativeHost } from "../../../src/machine/host/native-host.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { QEMU_DEVICETREE_SIZE, QEMU_FLASH_BASES, QEMU_RAM_BASE } from "../../../src/machine/host/boards/qemu-virt/map.ts";
import { VcpuRunState } from "../../../src/machine/abi/words.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { DONE, FIRST_VMID, type Guest, load, off, store } from "./crosvm-guest.ts";
import { FakePlatform } from "./fake-platform.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";
import { Stack } from "./stack.ts";

const [CODE_AT, VARIABLES] = QEMU_FLASH_BASES;
const MEMORY = 16 * MIB;
const CODE = Uint8Array.from({ length: 0x3000 }, (_, index) => index >>> 8 ^ index);
const DEVICETREE_MAGIC = 0xedfe_0dd0n;
const ERASED = 0xffff_ffffn;

function plan(): VmPlan {
  const image = { bytes: new Uint8Array(0), offset: 0, size: 0, entry: 0 };
  const flash = { code: CODE, size: BANK_MIN };
  return vmPlan("a", { platform: "qemu-virt", memory: MEMORY, base: QEMU_RAM_BASE, image, flash });
}

/** The page of the VM at an IPA: its rights and its first word; undefined if none is mapped. */
function page(stack: Stack, ipa: number): string | undefined {
  const vcpu = [...stack.hypervisor.scheduler.vcpus].find(({ addressSpace }) => addressSpace?.vmid === FIRST_VMID)!;
  const found = vcpu.addressSpace!.stage2.lookup(ipa);
  if (found === undefined) return undefined;
  const { Read, Write, ExecuteEl1: Execute } = Stage2Flags;
  const rights = [["r", Read], ["w", Write], ["x", Execute]].map(([letter, flag]) => found.flags & Number(flag) ? letter : "-").join("");
  const word = new DataView(stack.machine.ram.bytes(found.pa, 4).slice().buffer).getUint32(0, true);
  return `${rights} ${word.toString(16)}`;
}

/** Runs a VM with this guest in its flash. */
function run(guest: (stack: Stack) => Guest) {
  const options = { cpus: 1, device: "union", memory: 128 * MIB, scripts: { [CODE_AT]: () => guest(stack) } } as const;
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [plan()] }, options);
  stack.run(1e9);
  return { log: stack.log(), stack };
}

Deno.test("a VM starts in its flash, which it reads and executes, with the devicetree where RAM begins", () => {
  const pages: Record<string, string | undefined> = {};
  const { log, stack } = run(function* (stack) {
    pages.code = page(stack, CODE_AT);
    pages["code + 4 KiB"] = page(stack, CODE_AT + 0x1000);
    pages["end of the bank"] = page(stack, CODE_AT + BANK_MIN - 0x1000);
    pages["after the bank"] = page(stack, CODE_AT + BANK_MIN);
    pages.variables = page(stack, VARIABLES);
    pages.ram = page(stack, QEMU_RAM_BASE);
    pages["Resource Manager's devicetree"] = page(stack, QEMU_RAM_BASE + MEMORY);
    // The info page is the first that is left.
    pages["info page"] = page(stack, QEMU_RAM_BASE + MEMORY + QEMU_DEVICETREE_SIZE);
    yield* off();
  });
  assert.deepEqual(pages, {
    code: "r-x 3020100",
    "code + 4 KiB": "r-x 13121110",
    "end of the bank": "r-x ffffffff",
    "after the bank": undefined,
    variables: "r-x ffffffff",
    ram: `rwx ${DEVICETREE_MAGIC.toString(16)}`,
    "Resource Manager's devicetree": `rwx ${DEVICETREE_MAGIC.toString(16)}`,
    "info page": "r-- 0",
  });
  assert.deepEqual(log, DONE);
  checkInvariants(stack.hypervisor);
});

Deno.test("commands to flash end the view of its array until it reads as one again, with what was programmed", () => {
  const values: bigint[] = [], pages: (string | undefined)[] = [];
  const { log, stack } = run(function* (stack) {
    const see = function* (address: number): Guest {
      pages.push(page(stack, VARIABLES));
      values.push(yield* load(address, 4));
    };
    yield* store(VARIABLES, 4, FlashCommand.WordProgram);
    yield* store(VARIABLES + 4, 4, 0x1234_5678);
    yield* see(VARIABLES);
    yield* store(VARIABLES, 4, FlashCommand.ReadId);
    yield* see(VARIABLES);
    yield* store(VARIABLES, 4, FlashCommand.ReadArray);
    yield* see(VARIABLES + 4);
    yield* store(VARIABLES, 4, FlashCommand.WordProgram);
    yield* store(VARIABLES, 4, 0xcafe);
    yield* store(VARIABLES, 4, FlashCommand.ReadArray);
    pages.push(page(stack, VARIABLES));
    yield* store(VARIABLES + FLASH_SECTOR, 4, FlashCommand.BlockErase);
    yield* store(VARIABLES + FLASH_SECTOR, 4, FlashCommand.Confirm);
    yield* store(VARIABLES, 4, FlashCommand.BlockErase);
    yield* store(VARIABLES, 4, FlashCommand.Confirm);
    yield* store(VARIABLES, 4, FlashCommand.ReadArray);
    yield* see(VARIABLES + 4);
    // The other bank is seen all the time.
    pages.push(page(stack, CODE_AT));
    yield* off();
  });
  assert.deepEqual(values, [0x0080_0080n, 0x0089_0089n, 0x1234_5678n, ERASED]);
  assert.deepEqual(pages, [undefined, undefined, "r-x ffffffff", "r-x cafe", "r-x ffffffff", "r-x 3020100"]);
  assert.deepEqual(log, DONE);
  checkInvariants(stack.hypervisor);
});

Deno.test("a VM whose flash is in the middle of a command ends without a remnant, and its memory comes back", () => {
  const locked: number[] = [];
  const { log, stack } = run(function* (stack) {
    const [{ used }] = stack.input.locked!();
    locked.push(used);
    yield* store(VARIABLES, 4, FlashCommand.BlockErase);
    locked.push(stack.input.locked!()[0].used);
    yield* off();
  });
  assert.deepEqual(log, DONE);
  assert.deepEqual(locked, [MEMORY + QEMU_DEVICETREE_SIZE + 2 * BANK_MIN, MEMORY + QEMU_DEVICETREE_SIZE + BANK_MIN]);
  assert.deepEqual(stack.input.locked!(), []);
  checkInvariants(stack.hypervisor);
});

Deno.test("flash continues in the middle of a command after its host was saved and restored", () => {
  const driver = { device: "union", memlock: Number.MAX_SAFE_INTEGER, gzvm: false } as const;
  const host = { memory: HOST_MEMORY, vcpus: 1, vms: [plan()], driver };
  const make = () => nativeHost({ plan: host, events: () => {}, input: new ConsoleInput(() => {}) })();
  const platform = new FakePlatform(HOST_MEMORY + 64 * MIB, 1);
  const write = (to: ReturnType<typeof make>, address: number, value: number) =>
    platform.returnRun(to, 0, VcpuRunState.AddrspaceVmmioWrite, BigInt(address), 4n, BigInt(value));
  const first = make();
  platform.boot(first);
  write(first, VARIABLES, FlashCommand.BufferedProgram);
  write(first, VARIABLES, 1);
  write(first, VARIABLES + 8, 0x55);
  const saved = structuredClone(first.save());
  const second = make();
  second.restore(saved);
  assert.deepEqual(second.save(), saved);
  write(second, VARIABLES + 12, 0x66);
  write(second, VARIABLES, FlashCommand.Confirm);
  const text = JSON.stringify(second.save(), (_, value) => typeof value === "bigint" ? String(value) : value);
  assert.match(text, /"mode":"status","expects":"command","status":128/);
});
