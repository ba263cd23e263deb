// The hypercalls on virtio-mmio devices, which backends make (docs/spec/hypervisor.md §4.11).

import { ErrorCode } from "../../abi/errors.ts";
import { MemextentRight, VicRight, VirtioMmioRight } from "../../abi/rights.ts";
import { active, configurable } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { type Call, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { readUser } from "../memory/user-access.ts";
import { INPUT_LIMITS, InputSelect } from "./virtio-input.ts";
import { VirtioMmio } from "./virtio-mmio.ts";

const config = { virtio_mmio: active("virtio_mmio", VirtioMmioRight.Config) } as const;
const inputConfig = { virtio_mmio_cap: active("virtio_mmio", VirtioMmioRight.Config) } as const;

function noSuchQueue(call: Call, sel: number): ErrorCode {
  return call.refuse(ErrorCode.ARGUMENT_INVALID, "the device has no such queue", { sel });
}

function configureInput(call: Call, device: VirtioMmio, devids: bigint, prop_bits: number, evTypes: number, absAxes: number): ErrorCode {
  const { input } = device;
  if (!input) return call.refuse(ErrorCode.OBJECT_CONFIG, "not an input device", { device: device.name });
  if (evTypes > INPUT_LIMITS.evTypes || absAxes > INPUT_LIMITS.absAxes) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "at most 32 event types and 64 axes", { evTypes, absAxes });
  }
  if (evTypes && input.evTypes || absAxes && input.absAxes) {
    return call.refuse(ErrorCode.BUSY, "event types and axes are configured once", { device: device.name });
  }
  input.configure(evTypes, absAxes);
  input.set(InputSelect.DevIds, 0, new Uint8Array(BigUint64Array.of(devids).buffer));
  input.set(InputSelect.PropBits, 0, new Uint8Array(Uint32Array.of(prop_bits).buffer));
  return ErrorCode.OK;
}

function setInputData(call: Call, device: VirtioMmio, sel: number, subsel: number, size: number, data: bigint): ErrorCode {
  const { input } = device;
  const values = { sel, subsel, size };
  if (!input) return call.refuse(ErrorCode.CSPACE_WRONG_OBJECT_TYPE, "not an input device", { device: device.name });
  const limit = input.limit(sel, subsel);
  if (limit === undefined) return call.refuse(ErrorCode.ARGUMENT_INVALID, "no such selection", values);
  if (size === 0 || size > limit) return call.refuse(ErrorCode.ARGUMENT_SIZE, "the entry is empty or too big", { ...values, limit });
  if (!input.hasRoom(sel, subsel)) return call.refuse(ErrorCode.NORESOURCES, "as many entries are set as were configured", values);
  const bytes = readUser(call.caller, data, size);
  if (typeof bytes === "number") return bytes;
  input.set(sel, subsel, bytes);
  return ErrorCode.OK;
}

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_virtio_mmio", VirtioMmio),

  hypercall("virtio_mmio_configure", {
    caps: { memextent: active("memextent", MemextentRight.Attach), virtio_mmio: configurable("virtio_mmio") },
    handler: (_call, { virtio_mmio, memextent, vqs_num, flags, device_type }) =>
      virtio_mmio.configure(memextent, vqs_num, flags, device_type),
  }),
  hypercall("virtio_mmio_backend_bind_virq", {
    caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindBackendVirq), vic: active("vic", VicRight.BindSource) },
    handler: (_call, { virtio_mmio, vic, virq }) => vic.bindShared(virtio_mmio.backendVirq, virq),
  }),
  hypercall("virtio_mmio_backend_unbind_virq", {
    caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindBackendVirq) },
    handler(_call, { virtio_mmio }) {
      virtio_mmio.backendVirq.unbind();
      return ErrorCode.OK;
    },
  }),
  hypercall("virtio_mmio_frontend_bind_virq", {
    caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindFrontendVirq), vic: active("vic", VicRight.BindSource) },
    handler: (_call, { virtio_mmio, vic, virq }) => vic.bindShared(virtio_mmio.frontendVirq, virq),
  }),
  hypercall("virtio_mmio_frontend_unbind_virq", {
    caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindFrontendVirq) },
    handler(_call, { virtio_mmio }) {
      virtio_mmio.frontendVirq.unbind();
      return ErrorCode.OK;
    },
  }),
  hypercall("virtio_mmio_backend_assert_virq", {
    caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.AssertVirq) },
    handler: (_call, { virtio_mmio, interrupt_status }) => virtio_mmio.interrupt(interrupt_status),
  }),
  hypercall("virtio_mmio_backend_set_dev_features", {
    caps: config,
    handler: (_call, { virtio_mmio, sel, dev_feat }) => virtio_mmio.setDeviceFeatures(sel, dev_feat),
  }),
  hypercall("virtio_mmio_backend_set_queue_num_max", {
    caps: config,
    handler(call, { virtio_mmio, sel, queue_num_max }) {
      const queue = virtio_mmio.queue(sel);
      if (!queue) return noSuchQueue(call, sel);
      queue.numMax = queue_num_max;
      return ErrorCode.OK;
    },
  }),
  hypercall("virtio_mmio_backend_get_drv_features", {
    caps: config,
    handler(call, { virtio_mmio, sel }) {
      const drv_feat = virtio_mmio.driverFeatures(sel);
      if (drv_feat === undefined) return call.refuse(ErrorCode.ARGUMENT_INVALID, "there are two banks of features", { sel });
      return { drv_feat };
    },
  }),
  hypercall("virtio_mmio_backend_get_queue_info", {
    caps: config,
    handler(call, { virtio_mmio, sel }) {
      const queue = virtio_mmio.queue(sel);
      if (!queue) return noSuchQueue(call, sel);
      const { num, ready, desc, driver, device } = queue;
      return { queue_num: num, queue_ready: ready, queue_desc: desc, queue_drv: driver, queue_dev: device };
    },
  }),
  hypercall("virtio_mmio_backend_get_notification", {
    caps: config,
    handler(_call, { virtio_mmio }) {
      const { queues, reason } = virtio_mmio.takeNotification();
      return { vqs_bitmap: queues, reason };
    },
  }),
  hypercall("virtio_mmio_backend_acknowledge_reset", {
    caps: config,
    handler(_call, { virtio_mmio }) {
      virtio_mmio.acknowledgeReset();
      return ErrorCode.OK;
    },
  }),
  hypercall("virtio_mmio_backend_update_status", {
    caps: config,
    handler(_call, { virtio_mmio, val }) {
      virtio_mmio.updateStatus(val);
      return ErrorCode.OK;
    },
  }),
  hypercall("virtio_input_configure", {
    caps: inputConfig,
    handler: (call, { virtio_mmio_cap, devids, prop_bits, num_evtypes, num_absaxes }) =>
      configureInput(call, virtio_mmio_cap, devids, prop_bits, num_evtypes, num_absaxes),
  }),
  hypercall("virtio_input_set_data", {
    caps: inputConfig,
    handler: (call, { virtio_mmio_cap, sel, subsel, size, data }) => setInputData(call, virtio_mmio_cap, sel, subsel, size, data),
  }),
];
