// Letters and colors of VMs. A VM keeps its own while the session lives: on every screen, whatever
// becomes of the others.

import { type Role, SLOTS, VM_FILLS, VM_INKS } from "../terminal/roles.ts";

/** A VM's distinguishing mark. */
export interface VmMark {
  readonly letter: string;
  /** Of its name and ids. */
  readonly ink: Role;
  /** Of chips, bars and histories; text on it is `fink`. */
  readonly fill: Role;
}

/** The kept part of a mark: its letter, and its slot of the colors. */
export type KeptMark = readonly [letter: string, slot: number];

/** `r` and `v` are states in lanes that have letters. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqstuwxyz";
/** VMs that every machine has, in the order of their slots. */
const PLATFORM = ["host", "rm"] as const;

/** Memory and time of the hypervisor itself. */
export const HYPERVISOR_MARK: VmMark = { letter: "#", ink: "hyp", fill: "fillhyp" };

/** The marks of a session's VMs, by name. */
export class VmMarks {
  readonly #kept = new Map<string, KeptMark>();
  readonly #marks = new Map<string, VmMark>();
  /** Marks of an earlier look may be of VMs that have ended since. */
  #restored = false;

  /** Gives marks to VMs that have none: host, rm, then the others by VMID. */
  assign(vms: readonly { readonly name: string; readonly vmid: number }[]): void {
    if (this.#restored) {
      this.#restored = false;
      for (const name of this.#kept.keys()) if (!vms.some((vm) => vm.name === name)) this.#forget(name);
    }
    const rank = (name: string) => PLATFORM.findIndex((one) => one === name) >>> 0;
    for (const { name } of [...vms].sort((a, b) => rank(a.name) - rank(b.name) || a.vmid - b.vmid)) this.of(name);
  }

  of(name: string): VmMark {
    return this.#marks.get(name) ?? this.#add(name, [this.#letterFor(name), this.#slotFor(name)]);
  }

  /** The marks to keep between runs. */
  get kept(): Readonly<Record<string, KeptMark>> {
    return Object.fromEntries(this.#kept);
  }

  /** Marks of an earlier view of the same session. */
  restore(kept: Readonly<Record<string, KeptMark>>): void {
    for (const [name, mark] of Object.entries(kept)) this.#add(name, mark);
    this.#restored = true;
  }

  #forget(name: string): void {
    this.#kept.delete(name);
    this.#marks.delete(name);
  }

  #add(name: string, kept: KeptMark): VmMark {
    const [letter, slot] = kept;
    const mark: VmMark = { letter, ink: VM_INKS[slot % SLOTS], fill: VM_FILLS[slot % SLOTS] };
    this.#kept.set(name, kept);
    this.#marks.set(name, mark);
    return mark;
  }

  /** The first letter of its name that is free. Once all are taken they repeat, in other colors. */
  #letterFor(name: string): string {
    const taken = new Set([...this.#kept.values()].map(([letter]) => letter));
    const reserved = PLATFORM.filter((one) => one !== name && !this.#kept.has(one)).map((one) => one[0].toUpperCase());
    const candidates = [...name.toUpperCase().replaceAll(/[^A-Z]/g, ""), ...ALPHABET];
    return candidates.find((letter) => !taken.has(letter) && !reserved.includes(letter)) ??
      ALPHABET[this.#kept.size % ALPHABET.length];
  }

  /** Slots of host and rm are theirs; the others follow. From the ninth VM on colors repeat. */
  #slotFor(name: string): number {
    const own = PLATFORM.findIndex((one) => one === name);
    if (own >= 0) return own;
    const taken = new Set([...this.#kept.values()].map(([, slot]) => slot));
    let slot: number = PLATFORM.length;
    while (taken.has(slot)) slot++;
    return slot;
  }
}
