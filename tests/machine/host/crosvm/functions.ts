// Ids and classes of the functions on crosvm's PCI bus (docs/spec/phones.md §C2, from crosvm's
// devices/src/pci and devices/src/virtio), as `lspci -nn` and sysfs show them.

/** A function: numbers in hexadecimal, without 0x. */
interface CrosvmFunction {
  readonly vendor: string;
  readonly device: string;
  /** Class, subclass and interface. */
  readonly class: string;
  readonly revision: string;
}

const virtio = (type: number, classCode: string): CrosvmFunction => {
  return { vendor: "1af4", device: (0x1040 + type).toString(16), class: `${classCode}8000`, revision: "01" };
};

/** By kind of `devices`; `bridge` is the first function, and `pvpanic` the last. */
export const CROSVM_FUNCTIONS = {
  bridge: { vendor: "8086", device: "1237", class: "060000", revision: "00" },
  net: virtio(1, "02"),
  block: virtio(2, "01"),
  console: virtio(3, "07"),
  rng: virtio(4, "08"),
  balloon: virtio(5, "08"),
  "9p": virtio(9, "02"),
  input: virtio(18, "09"),
  vsock: virtio(19, "02"),
  pvpanic: { vendor: "1b36", device: "0011", class: "ffff00", revision: "01" },
} as const;

/** A kind of device. */
export type CrosvmKind = Exclude<keyof typeof CROSVM_FUNCTIONS, "bridge" | "pvpanic">;

/** The functions of a VM with these devices, by slot. */
function functionsOf(devices: readonly CrosvmKind[]): [string, CrosvmFunction][] {
  const kinds = ["bridge", ...devices, "pvpanic"] as const;
  return kinds.map((kind, slot) => [`00:${slot.toString(16).padStart(2, "0")}.0`, CROSVM_FUNCTIONS[kind]]);
}

/** `SLOT VENDOR DEVICE CLASS REVISION` of each function, as files of sysfs have them. */
export function sysfsLines(devices: readonly CrosvmKind[]): string[] {
  return functionsOf(devices).map(([slot, { vendor, device, class: code, revision }]) =>
    `0000:${slot} 0x${vendor} 0x${device} 0x${code} 0x${revision}`
  );
}

/** The shell's command that prints `sysfsLines`. */
export const SYSFS = "for i in /sys/bus/pci/devices/*; do " +
  "echo ${i##*/} $(cat $i/vendor $i/device $i/class $i/revision); done";

/** Slot, `[CLASS]`, `[VENDOR:DEVICE]` and revision of each function, as `lspci -nn` has them. */
export function lspciLines(devices: readonly CrosvmKind[]): string[] {
  return functionsOf(devices).map(([slot, { vendor, device, class: code, revision }]) =>
    `${slot} [${code.slice(0, 4)}] [${vendor}:${device}]${revision === "00" ? "" : ` (rev ${revision})`}`
  );
}

/** The same of a line that lspci prints, whose names are left out. */
export function withoutNames(line: string): string {
  return line.replace(/^(\S+) .*?(\[[0-9a-f]{4}\]): .*(\[[0-9a-f]{4}:[0-9a-f]{4}\])/, "$1 $2 $3");
}
