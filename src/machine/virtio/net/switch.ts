// A switch between the VMs of a session: it learns the port of each address, and floods frames to
// unknown ones.

import type { NetDevice } from "./net.ts";
import type { Offload } from "./offload.ts";

/** Addresses that are remembered. */
const ADDRESSES_MAX = 1024;

/** One switch. A frame reaches its receiver at once, if that has room. */
export class NetSwitch {
  readonly #ports: NetDevice[] = [];
  /** Devices by MAC, as a number of 48 bits. */
  readonly #addresses = new Map<number, NetDevice>();

  plug(device: NetDevice): void {
    this.#ports.push(device);
    device.backend = {
      send: (frame, offload) => this.#forward(device, frame, offload),
      drained: () => {},
      others: () => this.#ports.filter((port) => port !== device),
    };
  }

  /** Learned entries: addresses, and numbers of ports in the order of plugging. */
  save(): [number, number][] {
    return [...this.#addresses].map(([mac, device]) => [mac, this.#ports.indexOf(device)]);
  }

  restore(addresses: readonly [number, number][]): void {
    this.#addresses.clear();
    for (const [mac, port] of addresses) if (this.#ports[port]) this.#addresses.set(mac, this.#ports[port]);
  }

  #forward(from: NetDevice, frame: Uint8Array, offload: Offload): void {
    if (!this.#addresses.has(macOf(frame, 6)) && this.#addresses.size >= ADDRESSES_MAX) this.#addresses.clear();
    this.#addresses.set(macOf(frame, 6), from);
    const multicast = (frame[0] & 1) === 1;
    const to = multicast ? undefined : this.#addresses.get(macOf(frame, 0));
    if (to) {
      if (to !== from) to.receive(frame, offload);
      return;
    }
    for (const port of this.#ports) if (port !== from) port.receive(frame, offload);
  }
}

function macOf(frame: Uint8Array, at: number): number {
  let mac = 0;
  for (let i = 0; i < 6; i++) mac = mac * 256 + frame[at + i];
  return mac;
}
