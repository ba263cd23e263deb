// Devices of QEMU by their models: what a `-device` becomes. Several models have a form for each
// bus: `virtio-blk-device` is on virtio-mmio, `virtio-blk-pci` and `virtio-blk` are PCI functions.

import { NO_ASSIGNMENT, NO_DISPLAY, NO_USB } from "./foreign-machine.ts";

/** A model becomes a device of a machine, nothing that a guest needs, or an absence. */
export type QemuModel =
  | { readonly becomes: "disk" | "net" | "9p" | "vsock" | "rng" | "balloon" | "console" }
  | { readonly becomes: "input"; readonly type: "keyboard" | "tablet" }
  | { readonly becomes: "nothing" }
  | { readonly becomes: "pvpanic" }
  /** A device of another model; `instead` says what differs. */
  | { readonly becomes: "disk" | "net"; readonly instead: string }
  | { readonly becomes: "absent"; readonly why: string };

const MODELS: Readonly<Record<string, QemuModel>> = {
  "virtio-blk": { becomes: "disk" },
  "virtio-net": { becomes: "net" },
  "virtio-9p": { becomes: "9p" },
  "vhost-vsock": { becomes: "vsock" },
  "virtio-rng": { becomes: "rng" },
  "virtio-balloon": { becomes: "balloon" },
  "virtio-keyboard": { becomes: "input", type: "keyboard" },
  "virtio-tablet": { becomes: "input", type: "tablet" },
  virtconsole: { becomes: "console" },
  "virtio-serial": { becomes: "nothing" },
  "virtio-scsi": { becomes: "nothing" },
  "pcie-root-port": { becomes: "nothing" },
  "pvpanic-pci": { becomes: "pvpanic" },
  "scsi-hd": { becomes: "disk", instead: "no SCSI: the disk is one of virtio, /dev/vda and so on instead of sda" },
  "scsi-cd": { becomes: "disk", instead: "no SCSI: the disk is one of virtio, /dev/vda and so on instead of sr0" },
  nvme: { becomes: "disk", instead: "no NVMe: the disk is one of virtio, /dev/vda and so on" },
  "ide-hd": { becomes: "disk", instead: "no IDE: the disk is one of virtio, /dev/vda and so on" },
  "usb-storage": { becomes: "disk", instead: "no USB: the disk is one of virtio, /dev/vda and so on" },
  e1000: { becomes: "net", instead: "no e1000: the card is one of virtio" },
  e1000e: { becomes: "net", instead: "no e1000e: the card is one of virtio" },
  rtl8139: { becomes: "net", instead: "no RTL8139: the card is one of virtio" },
  "usb-net": { becomes: "net", instead: "no USB: the card is one of virtio" },
  "virtio-gpu": { becomes: "absent", why: NO_DISPLAY },
  "virtio-gpu-gl": { becomes: "absent", why: NO_DISPLAY },
  ramfb: { becomes: "absent", why: NO_DISPLAY },
  VGA: { becomes: "absent", why: NO_DISPLAY },
  "qemu-xhci": { becomes: "absent", why: NO_USB },
  "nec-usb-xhci": { becomes: "absent", why: NO_USB },
  "usb-ehci": { becomes: "absent", why: NO_USB },
  "usb-kbd": { becomes: "absent", why: `${NO_USB}: keys go to the console` },
  "usb-tablet": { becomes: "absent", why: NO_USB },
  "usb-mouse": { becomes: "absent", why: NO_USB },
  "virtio-mouse": { becomes: "absent", why: "virtio has a keyboard and a tablet here" },
  virtserialport: { becomes: "absent", why: "no channel of virtio to a program of this computer: vsock is one" },
  "vfio-pci": { becomes: "absent", why: NO_ASSIGNMENT },
  "virtio-iommu": { becomes: "absent", why: "no IOMMU" },
  loader: { becomes: "absent", why: "the file is not loaded: an ELF file says where its parts are" },
};

/** Forms of a model for a bus. */
const FORMS = /-(pci|device|pci-non-transitional|pci-transitional|bus)$/;

/** The model of a name, and whether it is a PCI function: undefined if it chooses no bus. */
export function qemuModel(name: string): { readonly model: QemuModel; readonly pci: boolean | undefined } {
  const form = Object.hasOwn(MODELS, name) ? undefined : FORMS.exec(name)?.[1];
  const plain = form === undefined ? name : name.slice(0, -form.length - 1);
  const model: QemuModel = Object.hasOwn(MODELS, plain) ? MODELS[plain] : { becomes: "absent", why: "el2 has no such device" };
  const isVirtio = /^(virtio|vhost)-/.test(plain) && model.becomes !== "absent";
  return { model, pci: isVirtio ? form !== "device" : undefined };
}
