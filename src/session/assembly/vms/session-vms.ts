// A session's knowledge of its VMs: names by VMID, states as their host reports them, and how they
// ended. VMs that are gone keep their entries.

import { imageHeader } from "../../../inside/images/kernel-image.ts";
import * as v from "valibot";
import {
  endedByOwnWill,
  type HostEvent,
  VM_EXIT_REASONS,
  VM_PHASES,
  type VmExitReason,
  type VmPhase,
} from "../../../machine/host/interface.ts";
import type { Hypervisor } from "../../../machine/hypervisor/boot.ts";
import { Vmid } from "../../inspection/readers/guest-names.ts";
import type { KnownVms, PlannedVm } from "../../inspection/readers/inspected.ts";
import type { BootFinding } from "../../../model/queries/facts/boot-finding.ts";
import type { KnownVm } from "../../../model/queries/fault-rule.ts";
import type { SessionEnd } from "../../../model/protocol/protocol.ts";

/** How a program in a VM ended it: its exit status, and the call in words. */
const GUEST_EXIT = v.strictObject({ code: v.number(), text: v.string() });
type GuestExit = Readonly<v.InferOutput<typeof GUEST_EXIT>>;

const byVmid = v.array(v.tuple([v.number(), v.string()]));
const SAVED = v.strictObject({
  names: byVmid,
  states: byVmid,
  exits: v.array(v.tuple([v.string(), v.picklist(VM_EXIT_REASONS)])),
  lives: v.array(v.tuple([v.string(), v.picklist(VM_PHASES)])),
  guestExits: v.array(v.tuple([v.string(), GUEST_EXIT])),
  firstError: v.undefinedable(v.string()),
  crashed: v.undefinedable(v.array(v.string())),
});

export class SessionVms implements KnownVms {
  readonly #names = new Map<number, string>([[Vmid.Primary, "host"], [Vmid.ResourceManager, "rm"]]);
  readonly #states = new Map<number, string>();
  readonly #exits = new Map<string, VmExitReason>();
  /** Ends that programs in VMs asked their debugger for. */
  readonly #guestExits = new Map<string, GuestExit>();
  /** State of each VM as the host reports it, by name. */
  readonly #lives = new Map<string, VmPhase>();
  known: readonly KnownVm[] = [];
  #changes = 0;
  /** VMs of the configuration. */
  readonly plans = new Map<string, PlannedVm>();
  readonly findings = new Map<string, readonly BootFinding[]>();
  /** Images of VMs by name: bytes, and the addresses (IPA) at which they are loaded. */
  readonly images = new Map<string, readonly { readonly address: number; readonly bytes: Uint8Array }[]>();
  /** Whether images have a banner: each is searched once. */
  readonly #banners = new WeakMap<Uint8Array, boolean>();
  #firstError: string | undefined;
  #crashed: readonly string[] | undefined;

  constructor(readonly hypervisor: () => Pick<Hypervisor, "names">) {}

  get names(): ReadonlyMap<number, string> {
    return this.#names;
  }

  /** Name of a VM. */
  nameOf(vmid: number): string {
    return this.#names.get(vmid) ?? `vm-0x${vmid.toString(16)}`;
  }

  /** Whether the host reports states: its VMs are not an image's own. */
  get reported(): boolean {
    return this.#states.size > 0;
  }

  /** State of a VM as the Resource Manager calls it. */
  stateOf(vmid: number): string {
    return this.#states.get(vmid) ?? "RUNNING";
  }

  hasFailed(vmid: number): boolean {
    return this.#states.get(vmid) === "FAILED";
  }

  /** State of a VM as the host reports it; undefined before it is first created. */
  lifeOf(vm: string): VmPhase | undefined {
    return this.#lives.get(vm);
  }

  planned(vm: string): PlannedVm | undefined {
    return this.plans.get(vm);
  }

  loadedWord(vm: string, ipa: number): number | undefined {
    for (const { address, bytes } of this.images.get(vm) ?? []) {
      const offset = ipa - address;
      if (offset < 0 || offset + 4 > bytes.length) continue;
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(offset, true);
    }
  }

  /** Whether the image of a VM has the header of a Linux kernel. */
  isLinux(vm: string): boolean {
    return this.images.get(vm)?.some(({ bytes }) => imageHeader(bytes) !== undefined) ?? false;
  }

  /** Whether the image of a VM has the banner of Linux: bare-metal guests may have its header. */
  runsLinux(vm: string): boolean {
    return this.images.get(vm)?.some(({ bytes }) => {
      const known = this.#banners.get(bytes) ?? (imageHeader(bytes) !== undefined && hasText(bytes, BANNER));
      this.#banners.set(bytes, known);
      return known;
    }) ?? false;
  }

  /** Whether the native host makes this VM and reports its states. */
  hosted(vm: string): boolean {
    return this.#lives.has(vm);
  }

  exitOf(vm: string): string | undefined {
    return this.#exits.get(vm);
  }

  /** A program in a VM asks its debugger for its end. */
  endsItself(vm: string, exit: GuestExit): void {
    this.#guestExits.set(vm, exit);
  }

  /** How a program in a VM ended itself in this life of the VM. */
  guestExitOf(vm: string): GuestExit | undefined {
    return this.#guestExits.get(vm);
  }

  gone(): number[] {
    const isGone = (vmid: number, name: string) => this.#exits.has(name) || this.hasFailed(vmid) || this.#lives.get(name) === "creating";
    return [...this.#names].filter(([vmid, name]) => vmid !== 0 && isGone(vmid, name)).map(([vmid]) => vmid);
  }

  withoutVmid(listed: ReadonlySet<string>): string[] {
    return [...this.plans.keys()].filter((vm) => !listed.has(vm) && this.#lives.get(vm) === "failed");
  }

  /** The names that it begins with are the hypervisor's. */
  install(): void {
    for (const [vmid, name] of this.#names) this.hypervisor().names.set(vmid, name);
  }

  /** How often a VM has got another state. */
  get changes(): number {
    return this.#changes;
  }

  /** A VM has another state. */
  changed({ vm, vmid, state, exit }: Extract<HostEvent, { kind: "state" }>): void {
    // A VM that is being created has no VMID yet, and its previous life is over.
    this.#changes++;
    this.#lives.set(vm, state);
    if (state === "creating") this.#forget(vm);
    if (state !== "creating" || vmid !== 0) {
      this.#name(vmid, vm);
      this.#states.set(vmid, state.toUpperCase());
    }
    if (exit) this.#exits.set(vm, exit);
  }

  /** The host has reported an error. */
  failed({ vm, message }: Extract<HostEvent, { kind: "error" }>): void {
    this.#firstError ??= vm === undefined ? message : `${vm}: ${message}`;
  }

  /** All VMs have ended; `crashed` names those that did not by themselves. */
  finished(crashed: readonly string[]): void {
    this.#crashed = crashed;
  }

  /** VMs that have failed, or ended unasked, and do not run again. */
  broken(): string[] {
    const crashed = (vm: string) => this.#exits.has(vm) && !endedByOwnWill(this.#exits.get(vm)!);
    return [...this.#lives].filter(([vm, life]) => life === "failed" || life === "stopped" && crashed(vm)).map(([vm]) => vm);
  }

  /** How the session ended, where its VMs have ended. */
  ended(): SessionEnd | undefined {
    if (!this.#crashed) return undefined;
    const crashed = this.#crashed;
    const failed = [...this.#guestExits].filter(([vm, { code }]) => code !== 0 && !crashed.includes(vm));
    if (failed.length) return { code: 1, message: failed.map(([vm, { text }]) => `${vm}: ${text}`).join("; ") };
    if (!this.#crashed.length) return { code: 0, message: "every VM has ended" };
    const how = this.#crashed.map((vm) => `${vm}${this.#exits.has(vm) ? ` (${this.#exits.get(vm)})` : ""}`).join(", ");
    return { code: 1, message: `crashed: ${how}${this.#firstError === undefined ? "" : `; first error: ${this.#firstError}`}` };
  }

  save(): unknown {
    return v.parse(SAVED, {
      names: [...this.#names],
      states: [...this.#states],
      exits: [...this.#exits],
      lives: [...this.#lives],
      guestExits: [...this.#guestExits],
      firstError: this.#firstError,
      crashed: this.#crashed && [...this.#crashed],
    });
  }

  restore(saved: unknown): void {
    const { names, states, exits, lives, guestExits, firstError, crashed } = v.parse(SAVED, saved);
    for (const [vmid, name] of names) this.#name(vmid, name);
    for (const [vmid, state] of states) this.#states.set(vmid, state);
    for (const [vm, reason] of exits) this.#exits.set(vm, reason);
    for (const [vm, life] of lives) this.#lives.set(vm, life);
    for (const [vm, exit] of guestExits) this.#guestExits.set(vm, exit);
    this.#firstError = firstError;
    this.#crashed = crashed;
  }

  #name(vmid: number, name: string): void {
    this.#names.set(vmid, name);
    this.hypervisor().names.set(vmid, name);
  }

  /** A VM is created again: its earlier end or failure no longer counts. */
  #forget(vm: string): void {
    this.#exits.delete(vm);
    this.#guestExits.delete(vm);
    for (const [vmid, name] of this.#names) if (name === vm && this.hasFailed(vmid)) this.#states.set(vmid, "STOPPED");
  }
}

/** The start of the text with which a Linux begins its log. */
const BANNER = new TextEncoder().encode("Linux version ");

/** Whether bytes have a text in them. */
function hasText(bytes: Uint8Array, text: Uint8Array): boolean {
  for (let at = bytes.indexOf(text[0]); at >= 0; at = bytes.indexOf(text[0], at + 1)) {
    if (text.every((byte, index) => bytes[at + index] === byte)) return true;
  }
  return false;
}
