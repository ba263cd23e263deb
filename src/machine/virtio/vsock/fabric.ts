// Where packets of guests' sockets go: to another guest of the session, to the computer, or
// nowhere.

import { Cid, resetOf, VsockOp, type VsockPacket } from "./packet.ts";
import type { VsockDevice, VsockFabric } from "./vsock.ts";

/** The computer's end, for one guest. */
interface VsockOutside {
  send(packet: VsockPacket): void;
}

export class SessionFabric {
  readonly #devices = new Map<number, VsockDevice>();

  /** Connects a device; `outside` is the computer as this guest may reach it, if at all. */
  plug(device: VsockDevice, outside: VsockOutside | undefined): void {
    if (this.#devices.has(device.cid)) throw new Error(`two socket devices have the context id ${device.cid}`);
    this.#devices.set(device.cid, device);
    device.fabric = { send: (packet) => this.#send(device, outside, packet) } satisfies VsockFabric;
  }

  #send(from: VsockDevice, outside: VsockOutside | undefined, packet: VsockPacket): void {
    if (packet.destinationCid === Cid.HOST && outside) return outside.send(packet);
    const to = this.#devices.get(packet.destinationCid);
    if (to) to.receive(packet);
    else if (packet.op !== VsockOp.RST) from.receive(resetOf(packet));
  }
}
