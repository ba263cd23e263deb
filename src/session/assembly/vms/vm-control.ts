// Requests of users to VMs: start, stop, a break on a console's line, a request to the Resource
// Manager. A native host performs them; an image controls its VMs itself.

import type { RecallOperation, TraceId } from "../../../machine/abi/trace.ts";
import type { ConsoleInput, KnownDevices, LockedMemory, StartWanted } from "../../../machine/host/interface.ts";
import { QueryError, type VmControl } from "../../inspection/readers/inspected.ts";
import type { Consoles } from "./consoles.ts";
import type { SessionVms } from "./session-vms.ts";
import { vmId } from "../../../model/queries/ids.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** The control of one session's VMs. */
export class SessionControl implements VmControl {
  /** The interface to the native host, if there is one. */
  host: ConsoleInput | undefined;
  /** VMs of the configuration. */
  configured: readonly string[] = [];

  constructor(readonly vms: SessionVms, readonly consoles: Consoles, readonly recall: RecallOperation) {}

  stop(vm: string, force: boolean): void {
    const host = this.#hostFor(vm), names = [...this.vms.names.values()];
    if (!names.includes(vm)) throw new QueryError(`no ${vmId(vm)}`, `there are ${names.join(", ")}`);
    if (!this.vms.reported || vm === "host" || vm === "rm") {
      throw new QueryError(`${vmId(vm)} cannot be stopped: the others need it`, way`end the session with ${hint("down")}`);
    }
    host.stop(vm, force);
  }

  sendBreak(console: string): void {
    const closed = this.consoles.closed(console);
    if (closed !== undefined) throw new QueryError(closed);
    const sent = this.consoles.sendBreak(console);
    if (sent === undefined) throw new QueryError(`no console ${console}`, `there are ${this.consoles.names.join(", ") || "none"}`);
    if (!sent) throw new QueryError(`${console} is a virtio console, not a serial line, and has no break`, "Linux takes ctrl-o there");
  }

  start(vm: string, how: StartWanted["start"]): void {
    const host = this.#hostFor(vm);
    if (!this.configured.includes(vm)) {
      throw new QueryError(`no ${vmId(vm)} in the configuration`, `there are ${this.configured.join(", ")}`);
    }
    host.start(vm, how);
  }

  sendRpc(id: number, payload: Uint8Array): void {
    this.#hostFor("a request").request(id, payload);
  }

  lockedMemory(): readonly LockedMemory[] {
    return this.host?.locked() ?? [];
  }

  gated(): readonly string[] {
    return this.host?.gated() ?? [];
  }

  requests(vm: string): readonly TraceId[] | undefined {
    return this.host?.requests(vm, this.recall);
  }

  devices(vm: string): KnownDevices | undefined {
    return this.host?.devices(vm);
  }

  #hostFor(what: string): ConsoleInput {
    if (!this.host) {
      throw new QueryError(`${what}: the primary VM is an image, which controls its VMs and its link to the Resource Manager itself`);
    }
    return this.host;
  }
}
