// A producer of message-signaled interrupts and its binding to a VIC: each value that it sends is a
// message to the VIC's ITS, the DeviceID in bits 63:32 and the EventID in 31:0.

import type { ObjectArchive } from "../archive/archive.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { Vic } from "./vic.ts";

export class MsiSource {
  #vic: Vic | undefined;

  /** @param object whose source it is */
  constructor(readonly object: HypervisorObject) {}

  /** The VIC that it is bound to, or undefined. */
  get vic(): Vic | undefined {
    return this.#vic;
  }

  /** Sends a message; false while unbound. */
  send(message: bigint): boolean {
    const its = this.#vic?.gic.its;
    if (its === undefined) return false;
    its.translate(Number(message >> 32n), Number(message & 0xffff_ffffn));
    return true;
  }

  /** Called by the VIC. */
  bound(vic: Vic): void {
    this.#vic = vic;
  }

  /** Ends the binding, if any. */
  unbind(): void {
    this.#vic?.unboundMsis(this);
    this.#vic = undefined;
  }

  /** The binding, saved or loaded. */
  archive(name: string, archive: ObjectArchive): void {
    const vic = archive.objectOrNone(name, this.#vic, "vic");
    // The VIC's ITS is loaded by then.
    if (vic !== undefined) archive.later(() => vic.rebindMsis(archive, this));
  }
}
