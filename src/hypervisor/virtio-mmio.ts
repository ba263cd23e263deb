// virtio-mmio objects (spec/hypervisor.md sections 4.11, 7.1). Their capabilities are checked; what they do is not built yet, so an
// object can be neither created nor used: the machine stops and names the call.

import { CspaceRight, MemextentRight, PartitionRight, VicRight, VirtioMmioRight } from "../abi/rights.ts";
import { active, configurable, hypercall, type HypercallDefinition } from "./hypercall-definition.ts";

const config = { virtio_mmio: active("virtio_mmio", VirtioMmioRight.Config) } as const;

export const calls: readonly HypercallDefinition[] = [
  hypercall("partition_create_virtio_mmio", {
    caps: { src_partition: active("partition", PartitionRight.ObjectCreate), cspace: active("cspace", CspaceRight.CapCreate) },
  }),
  hypercall("virtio_mmio_configure", {
    caps: { memextent: active("memextent", MemextentRight.Attach), virtio_mmio: configurable("virtio_mmio") },
  }),
  hypercall("virtio_mmio_backend_bind_virq", {
    caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindBackendVirq), vic: active("vic", VicRight.BindSource) },
  }),
  hypercall("virtio_mmio_backend_unbind_virq", { caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindBackendVirq) } }),
  hypercall("virtio_mmio_frontend_bind_virq", {
    caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindFrontendVirq), vic: active("vic", VicRight.BindSource) },
  }),
  hypercall("virtio_mmio_frontend_unbind_virq", { caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.BindFrontendVirq) } }),
  hypercall("virtio_mmio_backend_assert_virq", { caps: { virtio_mmio: active("virtio_mmio", VirtioMmioRight.AssertVirq) } }),
  hypercall("virtio_mmio_backend_set_dev_features", { caps: config }),
  hypercall("virtio_mmio_backend_set_queue_num_max", { caps: config }),
  hypercall("virtio_mmio_backend_get_drv_features", { caps: config }),
  hypercall("virtio_mmio_backend_get_queue_info", { caps: config }),
  hypercall("virtio_mmio_backend_get_notification", { caps: config }),
  hypercall("virtio_mmio_backend_acknowledge_reset", { caps: config }),
  hypercall("virtio_mmio_backend_update_status", { caps: config }),
  hypercall("virtio_input_configure", { caps: { virtio_mmio_cap: active("virtio_mmio", VirtioMmioRight.Config) } }),
  hypercall("virtio_input_set_data", { caps: { virtio_mmio_cap: active("virtio_mmio", VirtioMmioRight.Config) } }),
];
