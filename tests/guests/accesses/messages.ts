// Steps by which a guest drives an entropy device over PCI with MSI-X, and an ITS that takes its
// messages.

import { CommonConfig as C } from "../../../src/machine/devices/virtio-pci-registers.ts";
import { Gicr } from "../../../src/machine/hypervisor/gic/gic-registers.ts";
import { Baser, COMMAND_SIZE, Gits } from "../../../src/machine/hypervisor/gic/its/its-registers.ts";
import { Feature } from "../../../src/machine/virtio/device.ts";
import { words } from "../../machine/hypervisor/gic/its/rig.ts";
import type { Step } from "./accesses.ts";

const PAGE = 0x1000;
/** Offset of the MSI-X capability's control word in configuration space. */
const MSIX_CONTROL = 0x9a, MSIX_ENABLE = 0x8000;
const MSIX_TABLE = 0x6000;
/** Of the entropy device's vectors: that of configuration comes first. */
const QUEUE_VECTOR = 1;
/** Bytes that the device fills. */
export const BUFFER_SIZE = 16;

const store = (at: number, size: number, value: number | bigint): Step => ({ do: "store", at, size, value });

/**
 * Enables LPIs of the first vCPU, and an ITS whose device has events 0 to 3, LPIs 8192 to 8195.
 * @param tables the first of 32 pages of zeros
 */
export function itsSteps({ its, gicr, tables, device }: Record<"its" | "gicr" | "tables" | "device", number>): Step[] {
  const [queue, devices, collections, properties, itt, pendings] = [0, 1, 2, 3, 4, 16].map((page) => tables + page * PAGE);
  const commands = [
    words("MAPC", { collection: 0, cpu: 0 }),
    words("MAPD", { device, bits: 2, itt }),
    ...[0, 1, 2, 3].map((event) => words("MAPTI", { device, event, intid: 8192 + event })),
  ];
  return [
    store(properties, 4, 0xa1a1_a1a1),
    store(gicr + Gicr.PROPBASER, 8, properties + 13),
    store(gicr + Gicr.PENDBASER, 8, 2 ** 62 + pendings),
    store(gicr + Gicr.CTLR, 4, 1),
    store(its + Gits.BASER, 8, Baser.Valid | BigInt(devices)),
    store(its + Gits.BASER + 8, 8, Baser.Valid | BigInt(collections)),
    store(its + Gits.CBASER, 8, Baser.Valid | BigInt(queue)),
    store(its + Gits.CTLR, 4, 1),
    ...commands.flat().map((word, index) => store(queue + 8 * index, 8, word)),
    store(its + Gits.CWRITER, 8, commands.length * COMMAND_SIZE),
  ];
}

/** A function of a PCI bus with ECAM. */
export interface FunctionPlace {
  readonly ecam: number;
  readonly slot: number;
  /** Where the guest puts BAR 0. */
  readonly bar: number;
  /** Four pages for the queue and its buffer. */
  readonly queue: number;
}

/** Sets an entropy device up, with the message of its queue if it is to send one. */
export function deviceSteps(
  { ecam, slot, bar, queue }: FunctionPlace,
  message?: { readonly address: number; readonly data: number },
): Step[] {
  const config = ecam + (slot << 15), set = (field: number, size: number, value: number) => store(bar + field, size, value);
  const entry = bar + MSIX_TABLE + 16 * QUEUE_VECTOR;
  return [
    store(config + 0x10, 4, bar),
    store(config + 0x14, 4, 0),
    store(config + 4, 2, 6),
    ...message
      ? [
        ...[message.address, 0, message.data, 0].map((word, index) => store(entry + 4 * index, 4, word)),
        store(config + MSIX_CONTROL, 2, MSIX_ENABLE),
      ]
      : [],
    set(C.device_status, 1, 3),
    set(C.driver_feature_select, 4, 1),
    set(C.driver_feature, 4, 2 ** (Feature.VERSION_1 - 32)),
    set(C.device_status, 1, 0xb),
    set(C.queue_size, 2, 4),
    ...[[C.queue_desc, queue], [C.queue_driver, queue + PAGE], [C.queue_device, queue + 2 * PAGE]].flatMap(([field, at]) => [
      set(field, 4, at),
      set(field + 4, 4, 0),
    ]),
    ...message ? [set(C.queue_msix_vector, 2, QUEUE_VECTOR)] : [],
    set(C.queue_enable, 2, 1),
    set(C.device_status, 1, 0xf),
    store(queue, 8, queue + 3 * PAGE),
    store(queue + 8, 4, BUFFER_SIZE),
    store(queue + 12, 4, 2),
  ];
}

/** Offers the buffer for the time `count`, from 1 on. */
export function requestSteps({ bar, queue }: FunctionPlace, count: number): Step[] {
  return [store(queue + PAGE + 2, 2, count), store(bar + 0x3000, 2, 0)];
}
