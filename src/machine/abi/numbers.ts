// Numbers that are easily mistaken for each other, each kind with its own type. At run time they
// are plain numbers; the functions here only say what a number from outside is.

declare const meaning: unique symbol;

/** A capability id in some cspace. */
export type CapId = bigint & { readonly [meaning]: "capability" };

/** The id of a VM for the Resource Manager and the hypervisor, 16 bits. */
export type Vmid = number & { readonly [meaning]: "VMID" };

/** An intermediate physical address: a byte in the address space of a VM. */
export type Ipa = number & { readonly [meaning]: "IPA" };

/** A physical address. */
export type Pa = number & { readonly [meaning]: "PA" };

/** A capability id that comes from a message, a file or a test. */
export function asCapId(value: bigint): CapId {
  return value as CapId;
}

/** A VMID that comes from a message, a file or a test. */
export function asVmid(value: number): Vmid {
  return value as Vmid;
}

/** An IPA that comes from a message or a devicetree, or is computed. */
export function asIpa(value: number): Ipa {
  return value as Ipa;
}

/** A physical address that is computed. */
export function asPa(value: number): Pa {
  return value as Pa;
}
