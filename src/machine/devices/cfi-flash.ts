// NOR flash with the Intel command set (JEDEC JESD68.01 CFI, JEP137 command set 1; Intel 28F
// "StrataFlash" data sheet): two chips of 16 bits side by side on a bus of 32, as QEMU's `virt` has
// them. Its owner maps the array while reads return the array.

/**
 * Commands, in bits 7:0 of what is written; either chip of a pair gets its own, and firmware writes
 * the same to both.
 */
export const FlashCommand = {
  ReadArray: 0xff,
  ReadId: 0x90,
  ReadCfi: 0x98,
  ReadStatus: 0x70,
  ClearStatus: 0x50,
  WordProgram: 0x40,
  WordProgramAlternative: 0x10,
  BufferedProgram: 0xe8,
  BlockErase: 0x20,
  LockSetup: 0x60,
  Confirm: 0xd0,
} as const;

/** Bits of a chip's status register. */
const FlashStatus = { Ready: 0x80, EraseError: 0x20, ProgramError: 0x10 } as const;

/** Bytes of an erase block of both chips. */
export const FLASH_SECTOR = 0x4_0000;

/** The contents that reads return. */
export const READ_MODES = ["array", "id", "cfi", "status"] as const;
type ReadMode = typeof READ_MODES[number];
/** The meaning of the next write. */
export const WRITE_STATES = ["command", "program", "erase", "count", "buffer", "confirm", "lock"] as const;
type WriteState = typeof WRITE_STATES[number];

/** State of a `CfiFlash` besides its array: plain data. */
export interface CfiFlashState {
  readonly mode: ReadMode;
  readonly expects: WriteState;
  readonly status: number;
  /** Writes of a buffered program that are still to come, and what came. */
  readonly left: number;
  readonly buffer: readonly (readonly [offset: number, size: number, value: number])[];
}

/** The array, which belongs to the flash's owner. */
export interface FlashArray {
  readonly size: number;
  /** Bytes of it, which the caller does not change; fewer at its end. */
  read(offset: number, length: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  /** Earlier writes are safe when this returns. */
  flush(): void;
  /** The bytes are others than what was written: those of a state that was put back. */
  replaced(): void;
}

/** Width of the bus in bytes, and of a chip in bits. */
const BUS = 4;
const CHIP_BITS = 16;
/** Intel, device 0x18: what `virt` says. */
const MANUFACTURER = 0x89, DEVICE = 0x18;
/** Capacity of both chips' write buffers together: 2^10 bytes each. */
const BUFFER_LOG2 = 10;
const BUFFER_SIZE = 2 << BUFFER_LOG2;
/** Writes of 16 bits fill it as well. */
export const BUFFER_WRITES = BUFFER_SIZE / 2;
/** Offsets of the tables of the CFI query, in words of a chip. */
const Cfi = { Query: 0x10, System: 0x1b, Geometry: 0x27, Extended: 0x31, End: 0x40 } as const;

/** Identification that a chip of `size` bytes with `sectors` erase blocks gives, from word 0. */
function cfiTable(size: number, sectors: number): Uint8Array {
  const table = new Uint8Array(Cfi.End);
  const chipSector = size / sectors;
  // "QRY", command set 1, extended table; no alternatives.
  table.set([0x51, 0x52, 0x59, 1, 0, Cfi.Extended, 0, 0, 0, 0, 0], Cfi.Query);
  // Vcc 4.5 to 5.5 V, no Vpp; 2^7 us per word, 2^7 us per buffer, 2^10 ms per block, no chip erase;
  // at most 2^4 times that.
  table.set([0x45, 0x55, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0], Cfi.System);
  // log2 of the size, x16 interface, log2 of the write buffer, one region: its blocks less one, and
  // their size in 256 bytes.
  table.set([Math.log2(size), 1, 0, BUFFER_LOG2, 0, 1], Cfi.Geometry);
  new DataView(table.buffer).setUint16(Cfi.Geometry + 6, sectors - 1, true);
  new DataView(table.buffer).setUint16(Cfi.Geometry + 8, chipSector >> 8, true);
  // "PRI" 1.0, no optional feature.
  table.set([0x50, 0x52, 0x49, 0x31, 0x30], Cfi.Extended);
  return table;
}

/** One bank of flash. Offsets are bytes; sizes are 1, 2, 4 or 8. */
export class CfiFlash {
  /** Whether reads give the array has changed. */
  onMode: (readsArray: boolean) => void = () => {};
  readonly #cfi: Uint8Array;
  #mode: ReadMode = "array";
  #expects: WriteState = "command";
  #status: number = FlashStatus.Ready;
  #left = 0;
  #buffer: [number, number, number][] = [];

  /** @throws RangeError unless the array is a power of two of sectors */
  constructor(readonly array: FlashArray) {
    const sectors = array.size / FLASH_SECTOR;
    if (!Number.isInteger(Math.log2(sectors))) {
      throw new RangeError(`a flash of ${array.size} bytes does not have a power of two of sectors`);
    }
    this.#cfi = cfiTable(array.size / 2, sectors);
  }

  /** Whether reads give the array's bytes. */
  get readsArray(): boolean {
    return this.#mode === "array";
  }

  read(offset: number, size: number): bigint {
    let value = 0n;
    for (let index = 0; index < size; index++) value |= BigInt(this.#byte(offset + index)) << BigInt(8 * index);
    return value;
  }

  /** A store: a command, or what the command before it asks for. */
  write(offset: number, size: number, value: bigint): void {
    const low = Number(value & 0xffff_ffffn);
    switch (this.#expects) {
      case "command":
        return this.#command(low & 0xff);
      case "program":
        this.#expects = "command";
        return this.#program([[offset, size, low]]);
      case "erase":
        return this.#confirmed(low & 0xff, FlashStatus.EraseError, () => this.#erase(offset));
      case "count":
        this.#buffer = [];
        this.#left = (low & 0xffff) + 1;
        if (this.#left > BUFFER_WRITES) return this.#fail(FlashStatus.ProgramError);
        this.#expects = "buffer";
        return;
      case "buffer":
        this.#buffer.push([offset, size, low]);
        if (--this.#left === 0) this.#expects = "confirm";
        return;
      case "confirm":
        return this.#confirmed(low & 0xff, FlashStatus.ProgramError, () => this.#program(this.#buffer));
      case "lock":
        // No block is ever locked: lock and unlock are done at once.
        this.#expects = "command";
    }
  }

  save(): CfiFlashState {
    const buffer = this.#buffer.map((write) => [...write] as const);
    return { mode: this.#mode, expects: this.#expects, status: this.#status, left: this.#left, buffer };
  }

  /**
   * Restores a saved state, without a call about the mode: the listener has saved its own state.
   */
  restore(state: CfiFlashState): void {
    this.#mode = state.mode;
    this.#expects = state.expects;
    this.#status = state.status;
    this.#left = state.left;
    this.#buffer = state.buffer.map(([offset, size, value]) => [offset, size, value]);
    this.array.replaced();
  }

  #byte(offset: number): number {
    if (this.#mode === "array") return this.array.read(offset, 1)[0] ?? 0xff;
    // A word of either chip: its low byte, zero above.
    if (offset * 8 % CHIP_BITS !== 0) return 0;
    const word = Math.floor(offset / BUS);
    switch (this.#mode) {
      case "status":
        return this.#status;
      case "cfi":
        return this.#cfi[word & 0xff] ?? 0;
      case "id":
        // Words 0 and 1 of a block; word 2 says that it is not locked.
        return [MANUFACTURER, DEVICE][word & 0xff] ?? 0;
    }
  }

  #command(command: number): void {
    switch (command) {
      case FlashCommand.ReadId:
        return this.#setMode("id");
      case FlashCommand.ReadCfi:
        return this.#setMode("cfi");
      case FlashCommand.ReadStatus:
        return this.#setMode("status");
      case FlashCommand.ClearStatus:
        this.#status = FlashStatus.Ready;
        return;
      case FlashCommand.WordProgram:
      case FlashCommand.WordProgramAlternative:
        return this.#expect("program");
      case FlashCommand.BufferedProgram:
        return this.#expect("count");
      case FlashCommand.BlockErase:
        return this.#expect("erase");
      case FlashCommand.LockSetup:
        return this.#expect("lock");
      default:
        // Read array, and with it whatever the chip does not know.
        return this.#setMode("array");
    }
  }

  #expect(next: WriteState): void {
    this.#expects = next;
    this.#setMode("status");
  }

  #confirmed(command: number, error: number, act: () => void): void {
    if (command !== FlashCommand.Confirm) return this.#fail(error);
    this.#expects = "command";
    act();
  }

  #fail(error: number): void {
    this.#status |= error;
    this.#expects = "command";
    this.#left = 0;
    this.#buffer = [];
  }

  /**
   * Programming clears bits; only erasing sets them. All writes go to the part of the array that
   * the buffer stands for.
   */
  #program(writes: readonly (readonly [offset: number, size: number, value: number])[]): void {
    const start = writes[0][0] - writes[0][0] % BUFFER_SIZE;
    const bytes = this.array.read(start, BUFFER_SIZE).slice();
    for (const [offset, size, value] of writes) {
      if (offset < start || offset >= start + BUFFER_SIZE) return this.#fail(FlashStatus.ProgramError);
      for (let index = 0; index < Math.min(size, BUS); index++) bytes[offset - start + index] &= value >>> 8 * index;
    }
    this.array.write(start, bytes);
  }

  #erase(offset: number): void {
    this.array.write(offset - offset % FLASH_SECTOR, new Uint8Array(FLASH_SECTOR).fill(0xff));
  }

  #setMode(mode: ReadMode): void {
    const before = this.readsArray;
    this.#mode = mode;
    if (this.readsArray === before) return;
    if (this.readsArray) this.array.flush();
    this.onMode(this.readsArray);
  }
}
