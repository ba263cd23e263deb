// PCI functions and the host bridge's view of bus 0 (PCI Local Bus Specification 3.0, chapter 6):
// configuration headers of type 0 with one memory BAR, and the two ways to reach them, CAM with 256
// bytes and ECAM with 4 KiB per function.

/** Register offsets of a configuration header of type 0. */
export const PciRegister = {
  VENDOR: 0x00,
  DEVICE: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION: 0x08,
  CLASS: 0x09,
  CACHE_LINE: 0x0c,
  LATENCY: 0x0d,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR: 0x2c,
  SUBSYSTEM: 0x2e,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

const R = PciRegister;
/** Bits of the command register. */
export const PciCommand = { MEMORY: 2, MASTER: 4, INTX_DISABLE: 0x400 } as const;
/** Bits of the status register. */
const PciStatus = { INTERRUPT: 8, CAPABILITIES: 0x10 } as const;
const BAR_64_BIT = 4;
const BAR_FLAGS = 0xf;
/** Bytes of a configuration header, and of the whole of it without PCI Express. */
const HEADER_SIZE = 0x40, CONFIG_SIZE = 0x100;
/** A vendor-specific capability (chapter 6.7). */
export const PCI_CAPABILITY_VENDOR = 9;

/** The fixed part of a function. */
export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** Base class, subclass and programming interface, a byte each from the top. */
  readonly classCode: number;
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
  readonly bar?: { readonly address: number; readonly size: number; readonly wide: boolean };
  /** Number of the interrupt line at which INTA arrives. */
  readonly line?: number;
  /** Each with its id and a byte for the offset of the next one; they are adjacent. */
  readonly capabilities?: readonly Uint8Array[];
}

export interface PciDevice {
  read(offset: number, size: number): bigint;
  write(offset: number, size: number, value: bigint): void;
  /** Whether INTA is asserted. */
  readonly interrupt?: boolean;
}

/** The part of a function that a guest can change: plain data. */
export interface PciFunctionState {
  readonly command: number;
  /** Cache line, latency and interrupt line. */
  readonly scratch: readonly [number, number, number];
  readonly bar: number;
  /** Words of its windows. */
  readonly window: readonly number[];
}

/** Gives a capability its own bytes of configuration space: replaces what the header has. */
export interface PciWindow {
  /** Its offset and length. */
  readonly offset: number;
  readonly size: number;
  /** How many words its state has. */
  readonly words: number;
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
  save(): number[];
  restore(words: readonly number[]): void;
}

/** One function of bus 0. */
export class PciFunction {
  readonly #config = new Uint8Array(CONFIG_SIZE);
  readonly #view = new DataView(this.#config.buffer);
  #bar: number;

  /** @param windows bytes of configuration space that do more than hold what was written */
  constructor(readonly identity: PciIdentity, readonly device?: PciDevice, readonly windows: readonly PciWindow[] = []) {
    const { capabilities = [], line, bar } = identity;
    const view = this.#view;
    view.setUint16(R.VENDOR, identity.vendor, true);
    view.setUint16(R.DEVICE, identity.device, true);
    view.setUint8(R.REVISION, identity.revision);
    for (let byte = 0; byte < 3; byte++) view.setUint8(R.CLASS + byte, identity.classCode >> 8 * byte & 0xff);
    view.setUint16(R.SUBSYSTEM_VENDOR, identity.subsystemVendor ?? 0, true);
    view.setUint16(R.SUBSYSTEM, identity.subsystem ?? 0, true);
    if (line !== undefined) {
      view.setUint8(R.INTERRUPT_LINE, line);
      view.setUint8(R.INTERRUPT_PIN, 1);
    }
    let pointer: number = R.CAPABILITIES, at = HEADER_SIZE;
    for (const capability of capabilities) {
      this.#config.set(capability, at);
      this.#config[pointer] = at;
      pointer = at + 1;
      at += Math.ceil(capability.length / 4) * 4;
    }
    if (capabilities.length > 0) view.setUint16(R.STATUS, PciStatus.CAPABILITIES, true);
    this.#bar = bar?.address ?? 0;
  }

  /** Address of its BAR; undefined while it does not answer accesses to memory. */
  get address(): number | undefined {
    return this.identity.bar !== undefined && this.#command & PciCommand.MEMORY ? this.#bar : undefined;
  }

  /** Whether its interrupt may reach the line. */
  get interrupts(): boolean {
    return (this.#command & PciCommand.INTX_DISABLE) === 0;
  }

  /** A load of 1, 2 or 4 bytes that does not cross a word. */
  read(offset: number, size: number): number {
    const window = this.#windowAt(offset);
    if (window !== undefined) return window.read(offset - window.offset, size);
    const word = this.#word(offset & ~3) >>> 8 * (offset & 3);
    return size === 4 ? word : word & 2 ** (8 * size) - 1;
  }

  write(offset: number, size: number, value: number): void {
    const window = this.#windowAt(offset);
    if (window !== undefined) return window.write(offset - window.offset, size, value);
    const shift = 8 * (offset & 3), mask = size === 4 ? 0xffff_ffff : (2 ** (8 * size) - 1) << shift;
    const word = this.#word(offset & ~3) & ~mask | value << shift & mask;
    this.#setWord(offset & ~3, word >>> 0);
  }

  save(): PciFunctionState {
    const scratch = [R.CACHE_LINE, R.LATENCY, R.INTERRUPT_LINE].map((register) => this.#config[register]) as [number, number, number];
    return { command: this.#command, scratch, bar: this.#bar, window: this.windows.flatMap((each) => each.save()) };
  }

  restore({ command, scratch, bar, window }: PciFunctionState): void {
    let at = 0;
    for (const each of this.windows) each.restore(window.slice(at, at += each.words));
    this.#view.setUint16(R.COMMAND, command, true);
    [R.CACHE_LINE, R.LATENCY, R.INTERRUPT_LINE].forEach((register, index) => this.#config[register] = scratch[index]);
    this.#bar = bar;
  }

  #windowAt(offset: number): PciWindow | undefined {
    return this.windows.find((each) => offset >= each.offset && offset < each.offset + each.size);
  }

  get #command(): number {
    return this.#view.getUint16(R.COMMAND, true);
  }

  #word(offset: number): number {
    const { bar } = this.identity;
    switch (offset) {
      case R.COMMAND:
        return (this.#view.getUint32(offset, true) | (this.device?.interrupt ? PciStatus.INTERRUPT << 16 : 0)) >>> 0;
      case R.BAR0:
        return bar === undefined ? 0 : (this.#bar % 2 ** 32 | (bar.wide ? BAR_64_BIT : 0)) >>> 0;
      case R.BAR0 + 4:
        return bar?.wide ? Math.floor(this.#bar / 2 ** 32) : 0;
      default:
        return this.#view.getUint32(offset, true);
    }
  }

  #setWord(offset: number, word: number): void {
    const { bar, line } = this.identity;
    switch (offset) {
      case R.COMMAND: {
        const settable = (bar ? PciCommand.MEMORY : 0) | PciCommand.MASTER | (line === undefined ? 0 : PciCommand.INTX_DISABLE);
        return this.#view.setUint16(R.COMMAND, word & settable, true);
      }
      case R.CACHE_LINE:
        this.#config[R.CACHE_LINE] = word;
        this.#config[R.LATENCY] = word >> 8;
        return;
      case R.BAR0:
        // The low bits are fixed: all ones, read back, give the size.
        if (bar) this.#bar = Math.floor(this.#bar / 2 ** 32) * 2 ** 32 + ((word & ~BAR_FLAGS & ~(bar.size - 1)) >>> 0);
        return;
      case R.BAR0 + 4:
        if (bar?.wide) this.#bar = word * 2 ** 32 + this.#bar % 2 ** 32;
        return;
      case R.INTERRUPT_LINE:
        this.#config[R.INTERRUPT_LINE] = word;
        return;
    }
  }
}

const SLOTS = 32;
/** Log2 of a function's bytes of configuration space. */
export const CAM_SHIFT = 8, ECAM_SHIFT = 12;

/** Bus 0, with function 0 of each of its devices. */
export class PciBus {
  /** @param shift `CAM_SHIFT` or `ECAM_SHIFT` */
  constructor(readonly functions: readonly PciFunction[], readonly shift: number) {}

  /** A load from configuration space: all ones if there is no function. */
  readConfig(offset: number, size: number): bigint {
    const found = this.#find(offset);
    const register = offset & (1 << this.shift) - 1;
    if (found === undefined || size > 4 || (register & 3) + size > 4) return BigInt.asUintN(8 * size, -1n);
    return register >= CONFIG_SIZE ? 0n : BigInt(found.read(register, size) >>> 0);
  }

  writeConfig(offset: number, size: number, value: bigint): void {
    const register = offset & (1 << this.shift) - 1;
    if (register >= CONFIG_SIZE || size > 4 || (register & 3) + size > 4) return;
    this.#find(offset)?.write(register, size, Number(BigInt.asUintN(32, value)));
  }

  /** A load from memory, or with `value` a store, which gives 0; undefined if there is no BAR. */
  access(address: number, size: number, value: bigint | undefined): bigint | undefined {
    for (const { address: base, identity, device } of this.functions) {
      if (base === undefined || device === undefined || address < base || address >= base + identity.bar!.size) continue;
      if (value === undefined) return device.read(address - base, size);
      device.write(address - base, size, value);
      return 0n;
    }
    return undefined;
  }

  /** Function 0 of a device of bus 0; no device has others. */
  #find(offset: number): PciFunction | undefined {
    const slot = Math.floor(offset / 2 ** (this.shift + 3));
    const number = Math.floor(offset / 2 ** this.shift) % 8;
    return slot < SLOTS && number === 0 ? this.functions[slot] : undefined;
  }
}
