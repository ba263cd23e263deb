// QEMU's firmware configuration device, MMIO form (QEMU docs/specs/fw_cfg.rst): items of bytes by
// key, a directory of named ones, and DMA.

import { fixed, type SeenRegister } from "./seen-register.ts";

export const FwCfgRegister = {
  /** Bytes of the selected item, in their order, at any width. */
  Data: 0x00,
  /** Selector, 16 bits, big endian. */
  Selector: 0x08,
  /** DMA address, 64 bits, big endian; writing its low half starts the transfer. */
  DmaHigh: 0x10,
  DmaLow: 0x14,
} as const;
/** Bytes of the device. */
export const FW_CFG_SIZE = 0x18;

/** Keys that are not in the directory. */
export const FwCfgKey = {
  Signature: 0x00,
  Id: 0x01,
  CpuCount: 0x05,
  KernelSize: 0x08,
  InitrdSize: 0x0b,
  KernelData: 0x11,
  InitrdData: 0x12,
  CommandLineSize: 0x14,
  CommandLineData: 0x15,
  Directory: 0x19,
  FirstFile: 0x20,
} as const;

/** Bits of the control word of a DMA descriptor. */
export const FwCfgDma = { Error: 1, Read: 2, Skip: 4, Select: 8, Write: 16 } as const;

const SIGNATURE = "QEMU";
/** The value that reads of the DMA register return. */
const DMA_SIGNATURE = "QEMU CFG";
/** Bits of the id: the traditional interface, and DMA. */
const FEATURES = 3;
/** The bits of a key that choose the item. */
const KEY_MASK = 0x3fff;
/** A directory entry: size, key, reserved, name. */
const DirectoryEntry = { key: 4, name: 8, nameSize: 56, size: 64 } as const;
/** A DMA descriptor: control, length, address; big endian. */
const Descriptor = { length: 4, address: 8, size: 16 } as const;
const CHUNK = 0x1_0000;
/** Bytes that a transfer moves before the guest continues: a long one takes several turns. */
const TURN = 0x10_0000;
/** Virtual time (ns) from one turn to the next. */
export const FW_CFG_TURN_INTERVAL = 100_000;
const text = new TextEncoder();

/** The guest's memory. Each answers false if a byte is not reachable. */
interface FwCfgMemory {
  read(address: number, into: Uint8Array): boolean;
  write(address: number, from: Uint8Array): boolean;
}

/** The features that the device offers. */
interface FwCfgItems {
  readonly cpus: number;
  /** Linux's Image, for firmware that boots one by itself. */
  readonly kernel: Uint8Array | undefined;
  readonly initrd: Uint8Array | undefined;
  readonly commandLine: string | undefined;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** State of a `FwCfg`: plain data. */
export interface FwCfgState {
  readonly key: number;
  readonly offset: number;
  readonly dmaHigh: number;
  /** The transfer under way. */
  readonly transfer?: FwCfgTransfer;
}

/** The rest of a transfer to the guest: addresses and bytes. */
interface FwCfgTransfer {
  readonly descriptor: number;
  readonly address: number;
  readonly left: number;
}

/** The device. Only its selector can be written. */
export class FwCfg {
  readonly #items: ReadonlyMap<number, Uint8Array>;
  #key: number = FwCfgKey.Signature;
  #offset = 0;
  #dmaHigh = 0;
  #underWay: FwCfgTransfer | undefined;

  /** @param later calls back after `FW_CFG_TURN_INTERVAL`; one call is pending at a time */
  constructor(items: FwCfgItems, readonly memory: FwCfgMemory, readonly later: (act: () => void) => void) {
    this.#items = itemsByKey(items);
  }

  /** A load of 1, 2, 4 or 8 bytes. */
  read(offset: number, size: number): bigint {
    if (offset < FwCfgRegister.Selector) return little(this.#take(size));
    if (offset >= FwCfgRegister.DmaHigh) {
      return little(text.encode(DMA_SIGNATURE).subarray(offset - FwCfgRegister.DmaHigh).subarray(0, size));
    }
    return 0n;
  }

  /** The value that a load would give, without its effects; undefined for bytes of an item. */
  seen(offset: number, size: number): SeenRegister | undefined {
    const isData = offset < FwCfgRegister.Selector;
    if (isData && this.#offset < (this.#items.get(this.#key)?.length ?? 0) || size > 4) return undefined;
    return fixed(isData ? 0 : Number(this.read(offset, size)));
  }

  /** Whether a transfer is under way, which will write the guest's memory. */
  get isBusy(): boolean {
    return this.#underWay !== undefined;
  }

  write(offset: number, size: number, value: bigint): void {
    const swapped = swap(value, size);
    switch (offset) {
      case FwCfgRegister.Selector:
        if (size === 2) this.#select(Number(swapped));
        return;
      case FwCfgRegister.DmaHigh:
        if (size === 8) this.#transfer(Number(swapped));
        else if (size === 4) this.#dmaHigh = Number(swapped);
        return;
      case FwCfgRegister.DmaLow:
        if (size === 4) this.#transfer(this.#dmaHigh * 2 ** 32 + Number(swapped));
        return;
    }
  }

  save(): FwCfgState {
    const state = { key: this.#key, offset: this.#offset, dmaHigh: this.#dmaHigh };
    return this.#underWay ? { ...state, transfer: this.#underWay } : state;
  }

  restore(state: FwCfgState): void {
    this.#key = state.key;
    this.#offset = state.offset;
    this.#dmaHigh = state.dmaHigh;
    this.#underWay = state.transfer;
    if (this.#underWay) this.later(() => this.#continue());
  }

  #select(key: number): void {
    this.#key = key & KEY_MASK;
    this.#offset = 0;
  }

  /** The next bytes of the selected item; zeros after its end. */
  #take(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    const item = this.#items.get(this.#key);
    if (item) bytes.set(item.subarray(this.#offset, this.#offset + size));
    this.#skip(size);
    return bytes;
  }

  #skip(size: number): void {
    this.#offset = (this.#offset + size) % 2 ** 32;
  }

  /**
   * Does what the descriptor at `address` says, and leaves the result in its control word. Nothing
   * happens during a transfer: the guest waits for its control word.
   */
  #transfer(address: number): void {
    this.#dmaHigh = 0;
    if (this.#underWay) return;
    const descriptor = new Uint8Array(Descriptor.size);
    // If not even the descriptor can be read, there is nowhere to put an error.
    if (!this.memory.read(address, descriptor)) return;
    const view = new DataView(descriptor.buffer);
    const control = view.getUint32(0);
    if (control & FwCfgDma.Select) this.#select(control >>> 16);
    const length = view.getUint32(Descriptor.length);
    if (control & FwCfgDma.Read) {
      this.#underWay = { descriptor: address, address: Number(view.getBigUint64(Descriptor.address)), left: length };
      return this.#continue();
    }
    // No item takes bytes from the guest.
    if (control & FwCfgDma.Write) return this.#finish(address, false);
    if (control & FwCfgDma.Skip) this.#skip(length);
    this.#finish(address, true);
  }

  /** Moves the next bytes of the transfer; the last ones end it. */
  #continue(): void {
    let { descriptor, address, left } = this.#underWay!;
    this.#underWay = undefined;
    for (const end = Math.max(0, left - TURN); left > end;) {
      const bytes = this.#take(Math.min(CHUNK, left));
      if (!this.memory.write(address, bytes)) return this.#finish(descriptor, false);
      address += bytes.length;
      left -= bytes.length;
    }
    if (left === 0) return this.#finish(descriptor, true);
    this.#underWay = { descriptor, address, left };
    this.later(() => this.#continue());
  }

  #finish(descriptor: number, done: boolean): void {
    const word = new Uint8Array(Descriptor.length);
    new DataView(word.buffer).setUint32(0, done ? 0 : FwCfgDma.Error);
    this.memory.write(descriptor, word);
  }
}

function itemsByKey({ cpus, kernel, initrd, commandLine, files }: FwCfgItems): Map<number, Uint8Array> {
  const items = new Map<number, Uint8Array>([
    [FwCfgKey.Signature, text.encode(SIGNATURE)],
    [FwCfgKey.Id, word(FEATURES)],
    [FwCfgKey.CpuCount, word(cpus)],
    [FwCfgKey.Directory, directory(files)],
  ]);
  const pairs = [
    [FwCfgKey.KernelSize, FwCfgKey.KernelData, kernel],
    [FwCfgKey.InitrdSize, FwCfgKey.InitrdData, initrd],
    [FwCfgKey.CommandLineSize, FwCfgKey.CommandLineData, commandLine === undefined ? undefined : text.encode(`${commandLine}\0`)],
  ] as const;
  for (const [sizeKey, dataKey, bytes] of pairs) {
    items.set(sizeKey, word(bytes?.length ?? 0));
    if (bytes) items.set(dataKey, bytes);
  }
  [...files.values()].forEach((bytes, index) => items.set(FwCfgKey.FirstFile + index, bytes));
  return items;
}

function directory(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const bytes = new Uint8Array(4 + files.size * DirectoryEntry.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.size);
  [...files].forEach(([name, content], index) => {
    const at = 4 + index * DirectoryEntry.size;
    view.setUint32(at, content.length);
    view.setUint16(at + DirectoryEntry.key, FwCfgKey.FirstFile + index);
    text.encodeInto(name, bytes.subarray(at + DirectoryEntry.name, at + DirectoryEntry.name + DirectoryEntry.nameSize - 1));
  });
  return bytes;
}

/** 32 bits, little endian, as all items but the directory have them. */
function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function little(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function swap(value: bigint, size: number): bigint {
  let swapped = 0n;
  for (let index = 0; index < size; index++) swapped = swapped << 8n | value >> BigInt(8 * index) & 0xffn;
  return swapped;
}
