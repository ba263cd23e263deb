// Network interfaces of a kernel, in the network that it begins with.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

type NetRow = RowOf<LinuxTables["linux.net"]>;

const OF = "interfaces";
/** `net_device.flags`. */
const UP = 1;
/** `net_device.operstate` (RFC 2863), as /sys/class/net names it. */
const STATES = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"] as const;
const ADDRESS_MAX = 32, ADDRESSES_MAX = 256, BYTES_OF_IPV4 = 4;

export function readInterfaces(reading: Reading): NetRow[] {
  const devices = () => reading.list(OF, reading.global("net", "init_net").addressOf("dev_base_head"), "net_device", "dev_list");
  return reading.rows(OF, devices, (device) => deviceRow(reading, device));
}

function deviceRow(reading: Reading, device: Struct): NetRow {
  const name = device.text("name"), state = STATES[device.number("operstate")];
  if (state === undefined) throw new BadMemory("invalid", "an interface in no state", device.address);
  const size = Math.min(device.number("addr_len"), ADDRESS_MAX);
  const hardware = size === 0 ? undefined : reading.memory.bytes(device.pointer("dev_addr"), size);
  return {
    id: formatId({ kind: "netdev", vm: reading.vm, name }),
    vm: vmId(reading.vm),
    name,
    up: (device.number("flags") & UP) !== 0,
    state,
    mtu: device.number("mtu"),
    hardware: hardware ? [...hardware].map((byte) => byte.toString(16).padStart(2, "0")).join(":") : null,
    addresses: reading.tried(OF, () => addressesOf(reading, device)) ?? [],
  };
}

/** Its IPv4 addresses, with the bits of their networks. */
function addressesOf(reading: Reading, device: Struct): string[] {
  const addresses: string[] = [];
  for (let one = device.at("ip_ptr", "in_device")?.at("ifa_list", "in_ifaddr"); one; one = one.at("ifa_next", "in_ifaddr")) {
    if (addresses.length === ADDRESSES_MAX) throw new BadMemory("invalid", "an interface with too many addresses", device.address);
    addresses.push(`${reading.memory.bytes(one.addressOf("ifa_local"), BYTES_OF_IPV4).join(".")}/${one.number("ifa_prefixlen")}`);
  }
  return addresses;
}
