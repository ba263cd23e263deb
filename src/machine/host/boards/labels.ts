// Labels of the objects that the host gives a VM besides its links.

/** Labels from here up are the host's own; those of links lie below. */
export const FIRST_RESERVED_LABEL = 0x8000_0000;
/** Label of the doorbell that drives a shared interrupt of the VM. */
export function bellLabel(spi: number): number {
  return FIRST_RESERVED_LABEL + spi;
}

/** Label of the virtio-mmio object of a slot, where the hypervisor has the registers. */
export function backendLabel(slot: number): number {
  return FIRST_RESERVED_LABEL + 0x1000 + slot;
}
/** Label of the page that the Resource Manager wants to be shared for such objects. */
export const DEVICE_BUFFER_LABEL = FIRST_RESERVED_LABEL + 0x2000;
