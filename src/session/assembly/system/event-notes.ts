// Events for the client of a session: refusals, states of VMs, accesses to unmapped addresses,
// problems. They are kept here until the slice ends.

import type { UndefinedInstruction } from "../../../cpu/core/boot.ts";
import { endedByOwnWill, type HostEvent } from "../../../machine/host/interface.ts";
import type { Hypervisor, Vcpu } from "../../../machine/hypervisor/boot.ts";
import { eventSentence } from "../../inspection/trace/event-sentence.ts";
import { fieldsText } from "../../inspection/readers/objects/read-trace.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import { BOOT_FINDINGS, type BootFinding } from "../../../model/queries/facts/boot-finding.ts";
import { type MachineEvent, SESSION } from "../../../model/protocol/protocol.ts";
import type { TakenEvents } from "./system.ts";
import { HOST, isOf, paId, vmId, withKind } from "../../../model/queries/ids.ts";
import { problemText } from "../../../kit/support/problem.ts";

/** Events kept between two slices. */
const EVENT_RING = 1000;

/** The events of one machine. */
export class EventNotes {
  #events: MachineEvent[] = [];
  #dropped = 0;
  /** Number of the newest refusal that was reported. */
  #reasons = 0;

  constructor(readonly machine: Pick<Machine, "time">, readonly hypervisor: () => Hypervisor) {}

  /** Listens to the hypervisor. */
  install(): void {
    const hypervisor = this.hypervisor();
    hypervisor.trace.listen(
      ["rule"],
      (event) => this.#tell(event.time, "rule", event.vcpu, eventSentence(event) ?? `${event.name} ${fieldsText(event.fields)}`, true),
    );
    hypervisor.onUnmappedDevice = (vcpu, pa) => this.#unmapped(vcpu, paId(pa));
    hypervisor.onUnmappedMemory = (vcpu, ipa) => this.#unmapped(vcpu, withKind("ipa", `0x${ipa.toString(16)}`));
  }

  /** Skips the reasons so far: another machine of this run has reported them. */
  recall(): void {
    this.#reasons = this.hypervisor().trace.reasons.count;
  }

  drain(): TakenEvents {
    this.#takeReasons();
    const taken = { events: this.#events.sort((a, b) => a.time - b.time), dropped: this.#dropped };
    this.#events = [];
    this.#dropped = 0;
    return taken;
  }

  /** An instruction took an UNDEFINED exception for the first time. */
  undefinedInstruction({ word, text, lack, pc, pa }: UndefinedInstruction): void {
    const place = `PC 0x${pc.toString(16).padStart(16, "0")}, ${paId(pa)}`;
    const what = `instruction 0x${word.toString(16).padStart(8, "0")} (${text.replace("\t", " ")}) is UNDEFINED at ${place}${
      lack && `: it needs ${lack}`
    }`;
    this.#note(this.machine.time, "trap", this.hypervisor().trace.actor?.name() ?? "core", what, true);
  }

  /** Reports a guest's access that a CPU may refuse. @param vm `vm:NAME` */
  unpredictable(vm: string, text: string): void {
    this.#note(this.machine.time, "log", vm, text, true);
  }

  /** Reports what the machine and its guest's image or devicetree do not agree about. */
  bootFinding(vm: string, finding: BootFinding): void {
    this.#note(this.machine.time, "log", vmId(vm), problemText(BOOT_FINDINGS.problem(finding)), true);
  }

  /** Reports a problem of a device. */
  deviceProblem(device: string, message: string): void {
    this.#note(this.machine.time, "dev", device, message, true);
  }

  /** An exception in el2 itself has ended a part of the machine. */
  contained(where: string, what: string): void {
    const kind = isOf("dev", where) ? "dev" : "state";
    this.#note(
      this.machine.time,
      kind,
      where,
      `out of order: ${what}, an exception in el2 itself; the rest of the machine continues`,
      true,
    );
  }

  sessionProblem(message: string): void {
    this.#note(this.machine.time, "log", SESSION, message, true);
  }

  /** A VM of the host has another state. */
  vmState({ at, vm, state, exit }: Extract<HostEvent, { kind: "state" }>): void {
    const refused = state === "failed" || exit !== undefined && !endedByOwnWill(exit);
    this.#note(at, "state", vmId(vm), `${state}${exit ? ` (${exit})` : ""}`, refused);
  }

  /** The host has reported an error. */
  hostError({ at, vm, message }: Extract<HostEvent, { kind: "error" }>): void {
    this.#note(at, "log", vmId(vm ?? HOST), message, true);
  }

  /** A guest's access to an unmapped address, which it takes as a synchronous external abort. */
  #unmapped(vcpu: Vcpu, address: string): void {
    const text = `access to the unmapped address ${address} at PC 0x${vcpu.registers.pc.toString(16).padStart(16, "0")}`;
    this.#note(this.machine.time, "mmio", vcpu.name, text, true);
  }

  #takeReasons(): void {
    const { reasons } = this.hypervisor().trace;
    const fresh = reasons.list(this.#reasons);
    this.#dropped += reasons.count - this.#reasons - fresh.length;
    this.#reasons = reasons.count;
    for (const { time, askedBy, rule, chain, ended, settled } of fresh) {
      const last = chain.at(-1);
      if (!last) {
        this.#tell(time, "state", vmId(ended ?? "?"), `ended: ${rule}`, !settled);
        continue;
      }
      const { name, result } = last;
      this.#note(time, "hvc", askedBy, `${name} -> ${result.name}: ${rule}`, true);
    }
  }

  #note(time: number, kind: MachineEvent["kind"], vcpu: string, text: string, refused: boolean): void {
    // The trace already has refused calls.
    if (kind !== "hvc") this.hypervisor().trace.event(kind, text, refused ? { about: vcpu, refused } : { about: vcpu });
    this.#tell(time, kind, vcpu, text, refused);
  }

  #tell(time: number, kind: MachineEvent["kind"], vcpu: string, text: string, refused: boolean): void {
    if (this.#events.length >= EVENT_RING) this.#dropped++;
    else this.#events.push({ time, pcpu: undefined, kind, vcpu, text, refused });
  }
}
