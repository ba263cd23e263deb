// Addresses of IPv4 and IPv6 as values and as text (RFC 4291, 5952).

/** Address of IPv4 as an unsigned 32-bit number, most significant byte first. */
export type Ip = number;
/** Address of IPv6 as 32 lower-case hexadecimal digits. */
export type Ip6 = string;
export type Address = Ip | Ip6;

/** Where name servers are asked (RFC 1035 section 4.2). */
export const DNS_PORT = 53;

/** Bits of an address of IPv4, of IPv6. */
export const IP_BITS = 32, IP6_BITS = 128;
/** Hexadecimal digits of a group between two colons, and groups of an address. */
const GROUP_DIGITS = 4, GROUPS = 8;
const DIGIT_BITS = 4;
const IP_PATTERN = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** `10.0.2.15` as a number. */
export function ip(text: string): Ip {
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function ipText(address: Ip): string {
  return [24, 16, 8, 0].map((shift) => address >>> shift & 0xff).join(".");
}

/** An IPv4 address in its text form; undefined for anything else. */
export function parseIp(text: string): Ip | undefined {
  const parts = IP_PATTERN.exec(text)?.slice(1).map(Number);
  return parts?.every((part) => part <= 255) ? ip(text) : undefined;
}

/** An IPv6 address in its text form, without a zone; undefined for anything else. */
export function parseIp6(text: string): Ip6 | undefined {
  // The last two groups may be written as an address of IPv4.
  const dotted = /^(.*:)([\d.]+)$/.exec(text);
  if (dotted?.[2].includes(".")) {
    const last = parseIp(dotted[2]);
    if (last === undefined) return undefined;
    text = `${dotted[1]}${(last >>> 16).toString(16)}:${(last & 0xffff).toString(16)}`;
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [first, second = []] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = GROUPS - first.length - second.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...first, ...Array<string>(missing).fill("0"), ...second];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => group.toLowerCase().padStart(GROUP_DIGITS, "0")).join("");
}

/** A constant of this program. @throws if it is not an address */
export function ip6(text: string): Ip6 {
  const address = parseIp6(text);
  if (address === undefined) throw new Error(`${text} is not an IPv6 address`);
  return address;
}

/** An address as text; that of IPv6 without its longest run of zero groups. */
export function addressText(address: Address): string {
  if (typeof address === "number") return ipText(address);
  const groups = Array.from(
    { length: GROUPS },
    (_, index) => parseInt(address.slice(GROUP_DIGITS * index, GROUP_DIGITS * (index + 1)), 16).toString(16),
  );
  let start = 0, longest = 0;
  for (let at = 0; at < GROUPS; at++) {
    let length = 0;
    while (groups[at + length] === "0") length++;
    if (length > longest) [start, longest] = [at, length];
  }
  if (longest < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + longest).join(":")}`;
}

/** An address and a port as text: `10.0.2.2:80`, `[::1]:80`. */
export function endpointText(address: Address, port: number): string {
  return typeof address === "number" ? `${ipText(address)}:${port}` : `[${addressText(address)}]:${port}`;
}

/** The address of IPv6 in 16 bytes. */
export function readIp6(bytes: Uint8Array): Ip6 {
  return bytes.toHex();
}

/** The 16 bytes of an address of IPv6. */
export function ip6Bytes(address: Ip6): Uint8Array {
  return Uint8Array.fromHex(address);
}

/** 32 bits of an address of IPv6, from this bit on, which is a multiple of four. */
export function ipWithin6(address: Ip6, bit: number): Ip {
  return parseInt(address.slice(bit / DIGIT_BITS, bit / DIGIT_BITS + IP_BITS / DIGIT_BITS), 16);
}

/** The first `bits` of an address, the rest zero. */
export function networkOf(address: Address, bits: number): Address {
  if (typeof address === "number") {
    const size = 2 ** (IP_BITS - bits);
    return Math.floor(address / size) * size;
  }
  const whole = Math.floor(bits / DIGIT_BITS), rest = bits % DIGIT_BITS;
  const digit = rest === 0 ? "" : (parseInt(address[whole], 16) & 0xf << DIGIT_BITS - rest).toString(16);
  return (address.slice(0, whole) + digit).padEnd(IP6_BITS / DIGIT_BITS, "0");
}

/**
 * Whether an address is in a network of the same version. Bits of `network` past the first `bits`
 * do not matter.
 */
export function inNetwork(address: Address, network: Address, bits: number): boolean {
  return typeof address === typeof network && networkOf(address, bits) === networkOf(network, bits);
}
