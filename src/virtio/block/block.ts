// The block device (virtio 1.2 section 5.2): one queue of reads, writes, flushes, discards and
// zeroing over a backing.

import * as v from "valibot";
import { count, countersLike, demand, inForm } from "../../support/forms.ts";
import { type VirtioDevice, VirtioId, type VirtioPort } from "../device.ts";
import { serve } from "../device.ts";
import { VirtioFault } from "../memory.ts";
import type { Chain, ChainState } from "../virtqueue.ts";
import type { BlockBacking } from "./backing.ts";

const SECTOR = 512;
const BlockFeature = { SIZE_MAX: 1, SEG_MAX: 2, RO: 5, BLK_SIZE: 6, FLUSH: 9, DISCARD: 13, WRITE_ZEROES: 14 } as const;
/** Request types (section 5.2.6). */
export const BlockRequest = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 } as const;
/** The byte that ends each request. */
export const BlockStatus = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

/** Names of the requests in rules of injected faults. */
const OPERATIONS: ReadonlyMap<number, string> = new Map([
  [BlockRequest.IN, "read"],
  [BlockRequest.OUT, "write"],
  [BlockRequest.FLUSH, "flush"],
  [BlockRequest.GET_ID, "identify"],
  [BlockRequest.DISCARD, "discard"],
  [BlockRequest.WRITE_ZEROES, "zero"],
] as [number, string][]);

const HEADER_SIZE = 16;
const RANGE_SIZE = 16;
const ID_SIZE = 20;
const SEGMENTS_MAX = 126;
/** Bytes of a segment. */
const SEGMENT_MAX = 1 << 16;
/**
 * Bytes that move in one turn. A driver that has not accepted the limits of segments makes requests
 * as long as it likes, and a guest must not keep the device busy for long.
 */
const TURN_MAX = SEGMENTS_MAX * SEGMENT_MAX;
/** A request with as many segments as it may have, its header and its status. */
const REQUEST_MAX = HEADER_SIZE + TURN_MAX + 1;
const RANGE_SECTORS_MAX = 1 << 22;
const RANGES_MAX = 16;
/** Bytes that move at a time. */
const PIECE = 1 << 16;

/** Sections 5.2.4: offsets in the configuration space. */
const Config = {
  Capacity: 0,
  SizeMax: 8,
  SegMax: 12,
  BlkSize: 20,
  NumQueues: 34,
  MaxDiscardSectors: 36,
  MaxDiscardSeg: 40,
  DiscardSectorAlignment: 44,
  MaxWriteZeroesSectors: 48,
  MaxWriteZeroesSeg: 52,
  WriteZeroesMayUnmap: 56,
  Size: 60,
} as const;

/** A read or write that takes several turns. */
interface Transfer {
  readonly chain: Chain;
  readonly write: boolean;
  readonly sector: number;
  /** Bytes. */
  readonly length: number;
  done: number;
}

const STATE = v.strictObject({
  metrics: countersLike({ reads: 0, writes: 0, read_bytes: 0, written_bytes: 0, flushes: 0, errors: 0 }),
  backing: v.unknown(),
  transfer: v.exactOptional(v.strictObject({ chain: v.unknown(), write: v.boolean(), sector: count, length: count, done: count })),
});

/** A disk. */
export class BlockDevice implements VirtioDevice {
  readonly id = VirtioId.Block;
  readonly name = "block";
  readonly queueCount = 1;
  readonly features: readonly number[];
  #port: VirtioPort | undefined;
  readonly #header = new Uint8Array(HEADER_SIZE);
  readonly #piece = new Uint8Array(PIECE);
  #reads = 0;
  #writes = 0;
  #readBytes = 0;
  #writtenBytes = 0;
  #flushes = 0;
  #errors = 0;
  #transfer: Transfer | undefined;

  /**
   * @param serial the disk's serial number for the guest, which reads at most 20 bytes
   * @param onError is called with the computer's error when it cannot serve a request
   */
  constructor(readonly backing: BlockBacking, readonly serial: string, readonly onError: (message: string) => void) {
    const { SIZE_MAX, SEG_MAX, BLK_SIZE, FLUSH, RO, DISCARD, WRITE_ZEROES } = BlockFeature;
    this.features = [SIZE_MAX, SEG_MAX, BLK_SIZE, FLUSH, ...backing.readOnly ? [RO] : [DISCARD, WRITE_ZEROES]];
  }

  attach(port: VirtioPort): void {
    this.#port = port;
  }

  start(): void {
    this.#limit();
  }

  /** The limits bind a driver that has accepted both (section 5.2.3). */
  #limit(): void {
    const port = this.#port!;
    const limited = [BlockFeature.SIZE_MAX, BlockFeature.SEG_MAX].every((feature) => port.accepted(feature));
    for (const queue of port.queues) queue.chainBytesMax = limited ? REQUEST_MAX : Infinity;
  }

  configuration(): Uint8Array {
    const bytes = new Uint8Array(Config.Size);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(Config.Capacity, BigInt(this.#sectors), true);
    view.setUint32(Config.SizeMax, SEGMENT_MAX, true);
    view.setUint32(Config.SegMax, SEGMENTS_MAX, true);
    view.setUint32(Config.BlkSize, SECTOR, true);
    view.setUint16(Config.NumQueues, 1, true);
    view.setUint32(Config.MaxDiscardSectors, RANGE_SECTORS_MAX, true);
    view.setUint32(Config.MaxDiscardSeg, RANGES_MAX, true);
    view.setUint32(Config.DiscardSectorAlignment, 4096 / SECTOR, true);
    view.setUint32(Config.MaxWriteZeroesSectors, RANGE_SECTORS_MAX, true);
    view.setUint32(Config.MaxWriteZeroesSeg, RANGES_MAX, true);
    view.setUint8(Config.WriteZeroesMayUnmap, 1);
    return bytes;
  }

  notify(): void {
    // Chains that come during a transfer of several turns are served after it.
    if (this.#transfer === undefined) {
      serve(this.#port!, this.#port!.queues[0], (chain) => this.#serve(chain), (chain) => this.#keeps(chain));
    }
  }

  operation(_queue: number, chain: Chain): string {
    if (chain.peek(this.#header) < HEADER_SIZE) return "malformed";
    return OPERATIONS.get(new DataView(this.#header.buffer).getUint32(0, true)) ?? "unknown";
  }

  fail(_queue: number, chain: Chain): void {
    this.#errors++;
    if (chain.writable > 0) chain.skipTo(1);
    chain.write(Uint8Array.of(BlockStatus.IOERR));
  }

  reset(): void {
    this.#transfer = undefined;
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      reads: this.#reads,
      writes: this.#writes,
      read_bytes: this.#readBytes,
      written_bytes: this.#writtenBytes,
      flushes: this.#flushes,
      errors: this.#errors,
    };
  }

  save(): unknown {
    const saved = { metrics: this.metrics(), backing: this.backing.save() };
    if (this.#transfer === undefined) return saved;
    const { chain, ...transfer } = this.#transfer;
    return { ...saved, transfer: { ...transfer, chain: chain.save() } };
  }

  restore(state: unknown): void {
    const { metrics, backing, transfer } = inForm(STATE, state);
    this.#limit();
    this.#reads = metrics.reads;
    this.#writes = metrics.writes;
    this.#readBytes = metrics.read_bytes;
    this.#writtenBytes = metrics.written_bytes;
    this.#flushes = metrics.flushes;
    this.#errors = metrics.errors;
    this.backing.restore(backing);
    if (transfer === undefined) return;
    const { write, sector, length, done } = transfer, chain = this.#port!.queues[0].kept(transfer.chain as ChainState);
    chain.rewind();
    demand(length === (write ? chain.readable - HEADER_SIZE : chain.writable - 1), "transfer", "its chain has another length");
    demand(done < length && this.#inside(sector, length), "transfer", "it is not inside the disk");
    demand(!write || !this.backing.readOnly, "transfer", "the disk is read-only");
    chain.skipReadable(HEADER_SIZE + (write ? done : 0));
    if (!write) chain.skipTo(chain.writable - done);
    this.#transfer = { ...transfer, chain };
    this.#port!.later(() => this.#turn());
  }

  get #sectors(): number {
    return Math.floor(this.backing.size / SECTOR);
  }

  /** Begins a read or write that is too long for one turn, if it is valid. */
  #keeps(chain: Chain): boolean {
    if (chain.readable + chain.writable <= REQUEST_MAX || chain.peek(this.#header) < HEADER_SIZE || chain.writable < 1) return false;
    const { type, sector } = this.#request();
    const write = type === BlockRequest.OUT;
    const length = write ? chain.readable - HEADER_SIZE : chain.writable - 1;
    if (!write && type !== BlockRequest.IN || write && this.backing.readOnly || !this.#inside(sector, length)) return false;
    chain.skipReadable(HEADER_SIZE);
    this.#transfer = { chain, write, sector, length, done: 0 };
    this.#turn();
    return true;
  }

  /** Moves the next bytes of the transfer; the last ones end it. */
  #turn(): void {
    const transfer = this.#transfer!;
    const { chain, write, sector, length } = transfer;
    const size = Math.min(TURN_MAX, length - transfer.done);
    const status = this.#attempt(() => {
      this.#move(chain, write, sector * SECTOR + transfer.done, size);
      return BlockStatus.OK;
    });
    transfer.done += size;
    if (status === BlockStatus.OK && transfer.done < length) return this.#port!.later(() => this.#turn());
    this.#transfer = undefined;
    if (status === BlockStatus.OK) this.#count(write, length);
    this.#finish(chain, status);
    this.#port!.queues[0].push(chain);
    this.notify();
  }

  #request(): { type: number; sector: number } {
    const view = new DataView(this.#header.buffer);
    return { type: view.getUint32(0, true), sector: view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32 };
  }

  #serve(chain: Chain): void {
    if (chain.read(this.#header) < HEADER_SIZE || chain.writable < 1) {
      throw new VirtioFault("5.2.6", "a request has a header of 16 bytes and room for its status", { head: chain.head });
    }
    const { type, sector } = this.#request();
    this.#finish(chain, this.#attempt(() => this.#perform(chain, type, sector)));
  }

  /** The status of what is done. */
  #attempt(act: () => number): number {
    try {
      return act();
    } catch (error) {
      if (error instanceof VirtioFault) throw error;
      // The computer's disk is full, or its file gone: the guest gets an I/O error, the user the
      // reason.
      this.onError(`the disk's file: ${error instanceof Error ? error.message : String(error)}`);
      return BlockStatus.IOERR;
    }
  }

  #finish(chain: Chain, status: number): void {
    if (status !== BlockStatus.OK) this.#errors++;
    chain.skipTo(1);
    chain.write(Uint8Array.of(status));
  }

  #perform(chain: Chain, type: number, sector: number): number {
    switch (type) {
      case BlockRequest.IN:
        return this.#read(chain, sector, chain.writable - 1);
      case BlockRequest.OUT:
        return this.#write(chain, sector, chain.readable);
      case BlockRequest.FLUSH:
        this.#flushes++;
        if (!this.backing.readOnly) this.backing.flush();
        return BlockStatus.OK;
      case BlockRequest.GET_ID: {
        const id = new Uint8Array(ID_SIZE);
        new TextEncoder().encodeInto(this.serial, id);
        chain.write(id.subarray(0, Math.min(ID_SIZE, chain.writable - 1)));
        return BlockStatus.OK;
      }
      case BlockRequest.DISCARD:
      case BlockRequest.WRITE_ZEROES:
        return this.#zero(chain);
      default:
        return BlockStatus.UNSUPP;
    }
  }

  #read(chain: Chain, sector: number, length: number): number {
    if (!this.#inside(sector, length)) return BlockStatus.IOERR;
    this.#move(chain, false, sector * SECTOR, length);
    this.#count(false, length);
    return BlockStatus.OK;
  }

  #write(chain: Chain, sector: number, length: number): number {
    if (this.backing.readOnly || !this.#inside(sector, length)) return BlockStatus.IOERR;
    this.#move(chain, true, sector * SECTOR, length);
    this.#count(true, length);
    return BlockStatus.OK;
  }

  /** Moves `length` bytes between the chain and the disk, `at` bytes into it. */
  #move(chain: Chain, write: boolean, at: number, length: number): void {
    for (let done = 0; done < length;) {
      const piece = this.#piece.subarray(0, Math.min(PIECE, length - done));
      if (write) {
        chain.read(piece);
        this.backing.write(at + done, piece);
      } else {
        this.backing.read(at + done, piece);
        chain.write(piece);
      }
      done += piece.length;
    }
  }

  #count(write: boolean, length: number): void {
    if (write) {
      this.#writes++;
      this.#writtenBytes += length;
    } else {
      this.#reads++;
      this.#readBytes += length;
    }
  }

  #zero(chain: Chain): number {
    const ranges = chain.readable / RANGE_SIZE;
    if (this.backing.readOnly || !Number.isInteger(ranges) || ranges < 1 || ranges > RANGES_MAX) return BlockStatus.IOERR;
    const view = new DataView(chain.readAll().buffer);
    for (let at = 0; at < view.byteLength; at += RANGE_SIZE) {
      const sector = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const sectors = view.getUint32(at + 8, true);
      if (sectors > RANGE_SECTORS_MAX || !this.#inside(sector, sectors * SECTOR)) return BlockStatus.IOERR;
      this.backing.zero(sector * SECTOR, sectors * SECTOR);
    }
    return BlockStatus.OK;
  }

  #inside(sector: number, length: number): boolean {
    return length % SECTOR === 0 && sector + length / SECTOR <= this.#sectors;
  }
}
