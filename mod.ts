/**
 * el2 as a library: a machine with hypervisor and Resource Manager in the caller's own thread,
 * without a terminal; or the machine of a recording, at any place of its run.
 *
 * ```ts
 * import { PrimaryMachine } from "@el2/el2";
 *
 * const image = await Deno.readFile("assets/guests/hello.bin");
 * const machine = new PrimaryMachine({ image, append: "ticks=3", memory: 64 << 20 });
 * while (machine.run(machine.time + 1e9) === "running");
 * console.log(machine.takeOutput());
 * ```
 *
 * @module
 */

export { disassemble } from "./src/cpu/isa/disassemble.ts";
export { PrimaryMachine, type PrimaryMachineOptions, type PrimaryMachineState } from "./src/app/library/primary-machine.ts";
export type {
  DevicePlan,
  DiskImage,
  DiskPartition,
  INPUT_TYPES,
  InputType,
  NetBackend,
  NetPolicy,
  NetRule,
  PortForward,
  SectorSize,
} from "./src/machine/virtio/plan.ts";
export {
  type Devicetree,
  devicetree,
  type DevicetreeNode,
  type MemoryReservation,
  node,
  type PropertyValue,
} from "./src/machine/devicetree/tree.ts";
export { writeDevicetree } from "./src/machine/devicetree/writer.ts";
export { HostMachine, type HostMachineOptions, type HostRefusal } from "./src/app/library/host-machine.ts";
export { PERSONA_NAMES, type PersonaName } from "./src/machine/abi/ioctl/personas.ts";
export { openRecording } from "./src/app/replays/opening.ts";
export type { OpenRecording, RecordedAnswer, RecordedEnd, RecordedPlace } from "./src/app/replays/open-recording.ts";
export type { Json, Row } from "./src/model/queries/table.ts";
