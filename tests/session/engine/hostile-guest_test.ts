// A guest that asks for all the work that it can get: each queue of each virtio device has 256
// chains that name the same 4 MiB, fw_cfg moves 4 MiB again and again, and flash is erased. Its
// session answers, remembers little, and ends with a recording that is whole.

import assert from "node:assert/strict";
import { FwCfgDma, FwCfgKey, FwCfgRegister } from "../../../src/machine/devices/fw-cfg.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import { FLASH_BASES, FW_CFG_BASE, RAM_BASE, VIRTIO_MMIO_BASE, VIRTIO_MMIO_STRIDE } from "../../../src/machine/hardware/memory-map.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { isSealed } from "../../../src/session/recordings/file/recording-reader.ts";
import { withTable } from "../../support/plan-tables.ts";
import { recordingHeader } from "../../../src/session/recordings/file/recording-writer.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { asFirmware, buildAccesses, type Step, withSteps } from "../../guests/accesses/accesses.ts";
import { PRIMARY_PLATFORM } from "../../guests/accesses/primary.ts";
import { allDevices } from "../state/random-stores.ts";
import { cpuTime } from "../../support/cpu-time.ts";
import { heap } from "../../support/heap.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { machinesOf, startEngine } from "./session-in-thread.ts";

const ENTRIES = 256, QUEUES = 6, WRITE = 2;
const TABLE = RAM_BASE + 16 * MiB, DRIVER = TABLE + 0x1000, DEVICE = TABLE + 0x2000, DESCRIPTOR = TABLE + 0x3000;
const BUFFER = RAM_BASE + 20 * MiB, BUFFER_SIZE = 4 * MiB, CHAIN = 16 << 10;
/** Transfers of fw_cfg, and erased blocks of flash. */
const TIMES = 64;
/** CPU time (ms) from an answer to the next request. */
const INTERVAL = 10;
/** CPU time (ms) after which a session answers at the latest, and bytes of its heap. */
const ANSWER_MAX = 100, HEAP_MAX = 16 * MiB;

const store = (at: number, value: number | bigint, size = 4): Step => ({ do: "store", at, size, value });
/** A number whose bytes are in the other order. */
const swapped = (value: number, size: number): bigint =>
  BigInt.asUintN(64, new DataView(new BigUint64Array([BigInt(value)]).buffer).getBigUint64(0)) >> BigInt(64 - 8 * size);

/** Fills a queue of the device in a slot, and notifies it. */
function queue(slot: number, number: number, size: number, flags: number): Step[] {
  const set = (register: number, value: number) => store(VIRTIO_MMIO_BASE + slot * VIRTIO_MMIO_STRIDE + register, value);
  const ready = VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK;
  return [
    ...[store(TABLE, BUFFER, 8), store(TABLE + 8, size), store(TABLE + 12, flags, 2)],
    ...[store(DRIVER + 2, ENTRIES, 2), store(DEVICE + 2, 0, 2)],
    ...[set(R.Status, 0), set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER)],
    ...[set(R.DriverFeaturesSel, 1), set(R.DriverFeatures, 1), set(R.Status, ready)],
    ...[set(R.QueueSel, number), set(R.QueueNum, ENTRIES)],
    ...[set(R.QueueDescLow, TABLE), set(R.QueueDriverLow, DRIVER), set(R.QueueDeviceLow, DEVICE), set(R.QueueReady, 1)],
    ...[set(R.Status, ready | VirtioStatus.DRIVER_OK), set(R.QueueNotify, number)],
    { do: "spin", ns: 1e6 },
  ];
}

/** Reads of the kernel, which the guest's firmware asks for. */
const TRANSFER: readonly Step[] = [
  store(DESCRIPTOR, swapped(FwCfgKey.KernelData << 16 | FwCfgDma.Select | FwCfgDma.Read, 4)),
  ...[store(DESCRIPTOR + 4, swapped(BUFFER_SIZE, 4)), store(DESCRIPTOR + 8, swapped(BUFFER, 8), 8)],
  ...[store(FW_CFG_BASE + FwCfgRegister.DmaHigh, 0), store(FW_CFG_BASE + FwCfgRegister.DmaLow, swapped(DESCRIPTOR, 4))],
];
const ERASE: readonly Step[] = [store(FLASH_BASES[1], 0x20), store(FLASH_BASES[1], 0xd0)];

function steps(devices: number): Step[] {
  const queues: Step[] = [];
  for (let slot = 0; slot < devices; slot++) {
    for (let number = 0; number < QUEUES; number++) {
      for (const size of [BUFFER_SIZE, CHAIN]) for (const flags of [0, WRITE]) queues.push(...queue(slot, number, size, flags));
    }
  }
  return [{ do: "skip" }, ...queues, ...Array.from({ length: TIMES }, () => [...TRANSFER, ...ERASE]).flat()];
}

async function planIn(folder: string): Promise<SessionPlan> {
  const devices = [...await allDevices(folder), { kind: "net", backend: "none", forward: [] } as const];
  const code = asFirmware(withSteps(await buildAccesses(), PRIMARY_PLATFORM, steps(devices.length)));
  const image = new Uint8Array(BUFFER_SIZE);
  const what = {
    kind: "boot",
    image,
    initrd: undefined,
    dtb: undefined,
    append: undefined,
    firmware: { code, vars: undefined },
    devices,
  } as const;
  const plan: SessionPlan = withTable({ cpus: 1, memory: 80 * MiB, turbo: true, seed: 1, what });
  return { ...plan, record: { path: `${folder}/run.rec`, header: await recordingHeader(plan) } };
}

Deno.test("a session whose guest asks all its devices for 256 times 4 MiB answers, stays small, and its recording is whole", () =>
  inFolder(async (folder) => {
    const plan = await planIn(folder), slow: number[] = [];
    let answers = 0, end: string | undefined, due = cpuTime();
    const engine = startEngine(plan, machinesOf(plan), (event) => {
      if (event.kind === "answer") answers++;
      if (event.kind === "ended") end = event.end.message;
    }, () => cpuTime() >= due);
    const before = heap();
    due = cpuTime();
    for (let asked = 0; end === undefined; asked++) {
      // A request comes in after what the engine does when it comes.
      await new Promise((resolve) => setTimeout(resolve, 0));
      const took = cpuTime() - due;
      if (took > ANSWER_MAX) slow.push(took);
      engine.query(asked, { table: "vm.ls", args: {} });
      const grown = heap(before + HEAP_MAX) - before;
      assert.ok(grown < HEAP_MAX, `the heap grows by ${grown} bytes`);
      due = cpuTime() + INTERVAL;
    }
    assert.equal(end, "SYSTEM_OFF");
    assert.ok(answers > 20, `${answers}`);
    // V8's compilers have threads in this process, too.
    assert.ok(slow.length < 3, `answers after ${slow} ms of CPU time`);
    assert.ok(isSealed(plan.record!.path));
  }));
