// A machine whose VM of QEMU's platform has an ITS is saved and loaded while its tables, its
// pending LPIs and a device with MSI-X are in use.

import assert from "node:assert/strict";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import {
  QEMU_ECAM,
  QEMU_GICD,
  QEMU_ITS,
  QEMU_PCI_MEMORY,
  QEMU_UART,
  qemuDeviceId,
  qemuGicr,
} from "../../../src/machine/host/boards/qemu-virt/map.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { buildAccesses, reported, type Step, withSteps } from "../../guests/accesses/accesses.ts";
import { deviceSteps, itsSteps, requestSteps } from "../../guests/accesses/messages.ts";
import { rows } from "../inspection/system.ts";
import { hashesOf, runTo } from "../snapshots/systems.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { assertPlanned } from "../../support/planned.ts";
import { LONG } from "../../support/long.ts";

const RAM = 0x8000_0000, MIB = 2 ** 20;
const MS = 1e6;
const LPI = 8192, EVENT = 3;
/** How often the guest asks the device. */
const REQUESTS = 5;
/** Instructions after which an interrupted and an uninterrupted machine are compared. */
const ON = 20_000;

const PLACE = { ecam: QEMU_ECAM.base, slot: 1, bar: QEMU_PCI_MEMORY.base, queue: RAM + 2 * MIB };
const GICR = qemuGicr(1).base;

/** Each request's LPI stays pending for a while, and is then acknowledged. */
function steps(): Step[] {
  const requests = Array.from({ length: REQUESTS }, (_, index): Step[] => [
    ...requestSteps(PLACE, index + 1),
    { do: "spin", ns: MS },
    { do: "irq" },
    { do: "load", at: PLACE.queue + 0x2002, size: 2 },
  ]);
  const device = qemuDeviceId(0);
  return [
    ...itsSteps({ its: QEMU_ITS.base, gicr: GICR, tables: RAM + 3 * MIB, device }),
    ...deviceSteps(PLACE, { address: QEMU_ITS.translater, data: EVENT }),
    ...requests.flat(),
    { do: "load", at: QEMU_ITS.base + 0x90, size: 8 },
  ];
}

async function planIn(folder: string): Promise<SessionPlan> {
  const platform = { uart: QEMU_UART.base, gicd: QEMU_GICD.base, gicr: GICR };
  await Deno.writeFile(`${folder}/guest.bin`, withSteps(await buildAccesses(), platform, steps()));
  const vm = 'platform = "qemu-virt"\nmsi = "its"\nimage = "guest.bin"\nmemory = "16MiB"\ndevices = [{ kind = "rng" }]\n';
  const text = `el2 = 1\n[machine]\nmemory = "128MiB"\ncheck = true\n[host]\nmemory = "64MiB"\n[vm.a]\n${vm}`;
  const result = await planText(text, undefined, folder);
  assertPlanned(result);
  return { ...result.run, turbo: true };
}

type Whole = ReturnType<typeof assemble>;

/** Runs to the machine's end; what the VM's console shows. */
function finish(system: Whole): string {
  let text = "";
  while (!system.ended()) {
    const result = system.machine.run(Infinity, 1_000);
    for (const { console, bytes } of system.consoles.drain()) if (console === "a") text += new TextDecoder().decode(bytes);
    if (result.kind === "idle") system.machine.skipTo(result.next);
  }
  return text;
}

const lpis = (system: Whole) => rows(system, "irq.ls").filter(({ kind, pend }) => kind === "lpi" && pend);

Deno.test("a machine with a VM's ITS continues with the same hashes and LPIs wherever it was saved and loaded", () =>
  inFolder(async (folder) => {
    const plan = await planIn(folder);
    const whole = assemble(plan);
    const text = finish(whole), results = [...reported(text).values()].map(([value]) => Number(value));
    const expected = Array.from({ length: REQUESTS }, (_, index) => [LPI + EVENT, index + 1]).flat();
    assert.deepEqual(results, [...expected, 6 * 32]);
    const end = whole.instructions(), last = hashesOf(whole);

    const system = assemble(plan);
    // Where an LPI is pending: a request's message has come, and nothing has acknowledged it.
    let before = 0;
    for (let from = 0; lpis(system).length === 0; from += 10_000) {
      assert.ok(from < end, "no LPI is ever pending");
      runTo(system, before = from);
    }
    const places = LONG ? 100 : 5;
    const step = Math.floor((end - before - ON) / places);
    let pending = 0;
    for (let count = before; count < end - ON; count += step) {
      runTo(system, count);
      const copy = assembleEmpty(plan);
      copy.load(system.save(), true);
      assert.deepEqual(lpis(copy), lpis(system));
      pending += lpis(copy).length;
      assert.equal(hashesOf(copy), hashesOf(system));
      runTo(copy, count + ON), runTo(system, count + ON);
      assert.equal(hashesOf(copy), hashesOf(system), `${ON} instructions after ${count}`);
      if (count !== before) continue;
      // To the end, with the LPIs that are still to come.
      finish(copy);
      assert.equal(hashesOf(copy), last);
    }
    assert.ok(pending > 1, `${pending} LPIs pending where the machine was saved`);
  }));
