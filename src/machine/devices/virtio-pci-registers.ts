// Registers of virtio over PCI (virtio 1.2 section 4.1): BAR 0 as crosvm lays it out
// (docs/spec/phones.md §C2), and the common configuration in it.

/** Bytes of BAR 0. */
export const VIRTIO_BAR_SIZE = 0x8000;
/** Offset at which a driver notifies queue 0; each further queue has the next word. */
export const VIRTIO_BAR_NOTIFY = 0x3000;
export const NOTIFY_MULTIPLIER = 4;

/** The common configuration (section 4.1.4.3); fields of 64 bits are written in halves. */
export const CommonConfig = {
  device_feature_select: 0x00,
  device_feature: 0x04,
  driver_feature_select: 0x08,
  driver_feature: 0x0c,
  config_msix_vector: 0x10,
  num_queues: 0x12,
  device_status: 0x14,
  config_generation: 0x15,
  queue_select: 0x16,
  queue_size: 0x18,
  queue_msix_vector: 0x1a,
  queue_enable: 0x1c,
  queue_notify_off: 0x1e,
  queue_desc: 0x20,
  queue_driver: 0x28,
  queue_device: 0x30,
} as const;
