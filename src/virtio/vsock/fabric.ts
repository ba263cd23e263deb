// Where packets of guests' sockets go: to another guest of the session, to the host, or nowhere.

import { Cid, resetOf, VsockOp, type VsockPacket } from "./packet.ts";
import type { VsockDevice, VsockFabric } from "./vsock.ts";

/** The host's end, for one guest. */
export interface VsockHost {
  send(packet: VsockPacket): void;
}

/** The fabric of a session. */
export class SessionFabric {
  readonly #devices = new Map<number, VsockDevice>();

  /** Connects a device; `host` is the host as this guest sees it, where it may. */
  plug(device: VsockDevice, host: VsockHost | undefined): void {
    if (this.#devices.has(device.cid)) throw new Error(`two socket devices have the context id ${device.cid}`);
    this.#devices.set(device.cid, device);
    device.fabric = { send: (packet) => this.#send(device, host, packet) } satisfies VsockFabric;
  }

  #send(from: VsockDevice, host: VsockHost | undefined, packet: VsockPacket): void {
    if (packet.destinationCid === Cid.HOST && host) return host.send(packet);
    const to = this.#devices.get(packet.destinationCid);
    if (to) to.receive(packet);
    else if (packet.op !== VsockOp.RST) from.receive(resetOf(packet));
  }
}
