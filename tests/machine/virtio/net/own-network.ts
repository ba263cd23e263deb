// A guest's NAT in a network namespace, with a listener on every address: what frames to every port
// reach. `policy_test.ts` starts it there.

import { ip6, parseIp } from "../../../../src/kit/formats/ip-addresses.ts";
import { type Route, TcpFlag, writeTcp, writeUdp } from "../../../../src/kit/formats/packets.ts";
import { computerSockets } from "../../../../src/session/outside/sockets.ts";
import { NatAddress } from "../../../../src/machine/virtio/net/nat/addresses.ts";
import { Nat } from "../../../../src/machine/virtio/net/nat/nat.ts";
import { NetDevice } from "../../../../src/machine/virtio/net/net.ts";
import { DEFAULT_NET_POLICY, type NetPolicy } from "../../../../src/machine/virtio/plan.ts";
import type { OutsideNetwork } from "../../../../src/machine/virtio/outside-network.ts";
import { TestDriver } from "../driver.ts";
import { LONG } from "../../../support/long.ts";

/** Effects of a guest's frames. */
export interface Reached {
  /** Sockets that the NAT asked for. */
  readonly opened: number;
  /** Connections and datagrams that listeners got. */
  readonly heard: number;
}

/** Of listeners of IPv4; those of IPv6 have the next. */
const PORT = 8080;
const GUEST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);

/** Sends frames of TCP and UDP to these ports of an address. */
async function reach(address: string, ports: Iterable<number>, policy: NetPolicy, heard: () => number): Promise<Reached> {
  const sockets = computerSockets();
  let opened = 0;
  const network: OutsideNetwork = {
    ...sockets,
    connect: (...args) => (opened++, sockets.connect(...args)),
    datagrams: (...args) => (opened++, sockets.datagrams(...args)),
  };
  const before = heard();
  const device = new NetDevice(GUEST_MAC);
  const nat = new Nat({ device, network, forward: [], policy, onProblem: () => {} });
  device.backend = nat;
  new TestDriver(device).initialize();
  const destination = parseIp(address) ?? ip6(address);
  const source = typeof destination === "number" ? NatAddress.Guest : ip6("fd10:0:2::15");
  const route: Route = { sourceMac: GUEST_MAC, source, destinationMac: new Uint8Array(6), destination };
  const none = { acknowledgment: 0, window: 1000, payload: new Uint8Array(0), mss: undefined, windowScale: undefined };
  for (const port of ports) {
    nat.send(writeTcp(route, { ...none, sequence: 1, flags: TcpFlag.SYN, sourcePort: 1000, destinationPort: port }));
    nat.send(writeUdp(route, 1000, port, Uint8Array.of(1)));
  }
  // Connections to addresses of this computer are settled within a turn of its loop or two.
  if (opened) await new Promise((resolve) => setTimeout(resolve, 200));
  nat.close();
  return { opened, heard: heard() - before };
}

if (import.meta.main) {
  const [refused, own, other] = JSON.parse(Deno.args[0]) as [string[], string[], string[]];
  let count = 0;
  for (const hostname of ["0.0.0.0", "::"]) {
    const listener = Deno.listen({ hostname, port: hostname === "::" ? PORT + 1 : PORT });
    (async () => {
      for await (const one of listener) {
        count++;
        one.close();
      }
    })();
  }
  const { createSocket } = await import("node:dgram");
  for (const [type, port, address] of [["udp4", PORT, "0.0.0.0"], ["udp6", PORT + 1, "::"]] as const) {
    const datagrams = createSocket(type);
    datagrams.on("message", () => void count++);
    await new Promise<void>((resolve) => datagrams.bind(port, address, () => resolve()));
  }
  const step = LONG ? 1 : 64;
  const all = [...Array.from({ length: 65_536 / step }, (_, index) => index * step), PORT, PORT + 1];
  const answer: Record<string, Reached> = {};
  for (const address of refused) answer[address] = await reach(address, all, DEFAULT_NET_POLICY, () => count);
  // An address of the internet is asked for; that it is this computer's turns out then.
  for (const address of own) answer[address] = await reach(address, [PORT, PORT + 1, 22], DEFAULT_NET_POLICY, () => count);
  for (const address of other) {
    answer[`${address} with host`] = await reach(
      address,
      [address.includes(":") ? PORT + 1 : PORT],
      { ...DEFAULT_NET_POLICY, host: true },
      () => count,
    );
  }
  console.log(JSON.stringify(answer));
  Deno.exit();
}
