// The NAT's DHCP server (RFC 2131, 2132): it gives every guest the one address that the NAT
// translates.

import { type Ip } from "../../../../kit/formats/ip-addresses.ts";

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

/** The content of the server's answer. */
export interface Lease {
  readonly address: Ip;
  readonly netmask: Ip;
  readonly router: Ip;
  readonly dns: Ip;
  readonly server: Ip;
}

const Op = { REQUEST: 1, REPLY: 2 } as const;
const MessageType = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, NAK: 6, INFORM: 8 } as const;
const Option = { NETMASK: 1, ROUTER: 3, DNS: 6, MTU: 26, REQUESTED: 50, LEASE_TIME: 51, TYPE: 53, SERVER: 54, END: 255 } as const;
const MAGIC = 0x6382_5363;
const HEADER_SIZE = 240;
const LEASE_SECONDS = 86_400;

/** The answer to a client's message; undefined for what needs none. */
export function answerDhcp(request: Uint8Array, lease: Lease): Uint8Array | undefined {
  if (request.length < HEADER_SIZE || request[0] !== Op.REQUEST) return undefined;
  const view = new DataView(request.buffer, request.byteOffset, request.length);
  if (view.getUint32(236) !== MAGIC) return undefined;
  const options = readOptions(request.subarray(HEADER_SIZE));
  const type = options.get(Option.TYPE)?.[0];
  if (type === MessageType.DISCOVER) return reply(request, MessageType.OFFER, lease, lease.address);
  if (type === MessageType.INFORM) return reply(request, MessageType.ACK, lease, 0);
  if (type !== MessageType.REQUEST) return undefined;
  const wanted = options.get(Option.REQUESTED);
  const address = wanted?.length === 4 ? new DataView(wanted.buffer, wanted.byteOffset).getUint32(0) : view.getUint32(12);
  return reply(request, address === lease.address ? MessageType.ACK : MessageType.NAK, lease, lease.address);
}

function readOptions(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at + 1 < bytes.length && bytes[at] !== Option.END;) {
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    options.set(bytes[at], bytes.subarray(at + 2, at + 2 + bytes[at + 1]));
    at += 2 + bytes[at + 1];
  }
  return options;
}

function reply(request: Uint8Array, type: number, lease: Lease, address: Ip): Uint8Array {
  const refuses = type === MessageType.NAK;
  const options: number[] = [Option.TYPE, 1, type, ...word(Option.SERVER, lease.server)];
  if (!refuses) {
    options.push(...word(Option.NETMASK, lease.netmask), ...word(Option.ROUTER, lease.router), ...word(Option.DNS, lease.dns));
    if (address !== 0) options.push(...word(Option.LEASE_TIME, LEASE_SECONDS));
    options.push(Option.MTU, 2, 1500 >> 8, 1500 & 0xff);
  }
  const bytes = new Uint8Array(HEADER_SIZE + options.length + 1);
  // Hardware type and length, transaction, flags and hardware address are the client's.
  bytes.set(request.subarray(0, 44));
  const view = new DataView(bytes.buffer);
  bytes[0] = Op.REPLY;
  bytes[3] = 0;
  view.setUint32(16, refuses ? 0 : address);
  view.setUint32(20, lease.server);
  view.setUint32(236, MAGIC);
  bytes.set(options, HEADER_SIZE);
  bytes[HEADER_SIZE + options.length] = Option.END;
  return bytes;
}

function word(option: number, value: Ip): number[] {
  return [option, 4, value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff];
}
