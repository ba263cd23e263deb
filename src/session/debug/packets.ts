// Packets of gdb's remote serial protocol (GDB manual, appendix E.1): `$data#checksum`,
// acknowledgements, and the interrupt byte between them.

/** Bytes of a packet's data, as `PacketSize` promises them. Longer ones are thrown away. */
export const PACKET_SIZE = 0x4000;

const START = "$".charCodeAt(0), END = "#".charCodeAt(0), ESCAPE = "}".charCodeAt(0), REPEAT = "*".charCodeAt(0);
const ACK = "+".charCodeAt(0), NAK = "-".charCodeAt(0), INTERRUPT = 3;
/** An escaped byte is sent xor this. */
const ESCAPE_XOR = 0x20;

/** Whether a connection that begins with these bytes is gdb's. */
export function beginsLikeGdb(bytes: Uint8Array): boolean {
  return [START, ACK, NAK, INTERRUPT].includes(bytes[0]) && new PacketReader().push(bytes)[0]?.kind !== "foreign";
}

/**
 * Bytes between packets that a line of HTTP has, and gdb does not send. A page in a browser can
 * send requests to a port of this computer: `$`, `+` and `#` are letters of methods, so that a
 * request may begin with a whole packet. A space follows a method.
 */
const FOREIGN: ReadonlySet<number> = new Set([..." \r\n"].map((character) => character.charCodeAt(0)));
/** The end of a request's first line, which is within the first packet if the method opens one. */
const REQUEST = " HTTP/";

/** A received unit. */
export type Received =
  /** A packet's data, unescaped. Its characters are bytes (Latin-1). */
  | { readonly kind: "packet"; readonly data: string }
  /** A packet whose checksum is wrong, or that is too long. */
  | { readonly kind: "broken" }
  /** It does not come from gdb; neither do the other bytes of the connection. */
  | { readonly kind: "foreign" }
  | { readonly kind: "ack" | "nak" | "interrupt" };

/** Takes a stream of bytes apart, however it is cut. */
export class PacketReader {
  #state: "idle" | "data" | "checksum" | "foreign" = "idle";
  readonly #data: number[] = [];
  #length = 0;
  #sum = 0;
  #checksum = "";
  /** A packet has come before. */
  #known = false;

  /** The packets that these bytes complete. */
  push(bytes: Uint8Array): readonly Received[] {
    const all: Received[] = [];
    for (const byte of bytes) {
      const received = this.#parse(byte);
      if (received?.kind === "foreign") {
        this.#state = "foreign";
        return [received];
      }
      if (received) all.push(received);
    }
    return all;
  }

  #parse(byte: number): Received | undefined {
    switch (this.#state) {
      case "idle":
        if (byte === START) this.#start();
        else if (byte === ACK) return { kind: "ack" };
        else if (byte === NAK) return { kind: "nak" };
        else if (byte === INTERRUPT) return { kind: "interrupt" };
        else if (FOREIGN.has(byte)) return { kind: "foreign" };
        return undefined;
      case "data":
        if ((byte === START || byte === END) && this.#isRequest) return { kind: "foreign" };
        if (byte === END) this.#state = "checksum";
        else if (byte === START) this.#start(); // the end of the packet before was lost
        else this.#add(byte);
        return undefined;
      case "checksum":
        this.#checksum += String.fromCharCode(byte);
        return this.#checksum.length === 2 ? this.#finish() : undefined;
      case "foreign":
        return { kind: "foreign" };
    }
  }

  /** Whether this is the first packet, and a request, whose path may be longer than packets. */
  get #isRequest(): boolean {
    return !this.#known && (this.#length > PACKET_SIZE || String.fromCharCode(...this.#data).includes(REQUEST));
  }

  #start(): void {
    this.#state = "data";
    this.#data.length = 0;
    this.#length = 0;
    this.#sum = 0;
    this.#checksum = "";
  }

  #add(byte: number): void {
    this.#sum = this.#sum + byte & 0xff;
    if (++this.#length <= PACKET_SIZE) this.#data.push(byte);
  }

  #finish(): Received {
    this.#state = "idle";
    this.#known = true;
    const right = /^[0-9a-f]{2}$/i.test(this.#checksum) && parseInt(this.#checksum, 16) === this.#sum;
    if (!right || this.#length > PACKET_SIZE) return { kind: "broken" };
    return { kind: "packet", data: unescaped(this.#data) };
  }
}

function unescaped(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const escaped = bytes[at] === ESCAPE && at + 1 < bytes.length;
    text += String.fromCharCode(escaped ? bytes[++at] ^ ESCAPE_XOR : bytes[at]);
  }
  return text;
}

/** A packet with this data (characters are bytes), ready to be sent. */
export function encodePacket(data: string): Uint8Array<ArrayBuffer> {
  const bytes = [START];
  let sum = 0;
  const put = (byte: number) => {
    sum = sum + byte & 0xff;
    bytes.push(byte);
  };
  for (let at = 0; at < data.length; at++) {
    const byte = data.charCodeAt(at);
    if (byte === START || byte === END || byte === ESCAPE || byte === REPEAT) {
      put(ESCAPE);
      put(byte ^ ESCAPE_XOR);
    } else put(byte);
  }
  bytes.push(END, ...[...sum.toString(16).padStart(2, "0")].map((digit) => digit.charCodeAt(0)));
  return Uint8Array.from(bytes);
}

/** Acknowledges a packet, or asks for it again. */
export const acknowledgement = (right: boolean): Uint8Array<ArrayBuffer> => Uint8Array.of(right ? ACK : NAK);

/** Bytes as pairs of hexadecimal digits. */
export function toHex(bytes: Iterable<number>): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of pairs of hexadecimal digits; undefined if the text is something else. */
export function fromHex(text: string): Uint8Array | undefined {
  return text.length % 2 === 0 && /^[0-9a-f]*$/i.test(text) ? Uint8Array.fromHex(text) : undefined;
}

/** The characters' codes. */
export function toBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
