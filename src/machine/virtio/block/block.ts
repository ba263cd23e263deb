// The block device (virtio 1.2 section 5.2): one queue of reads, writes, flushes, discards and
// zeroing over a backing.

import * as v from "valibot";
import { countersLike, inForm } from "../../../kit/support/values/forms.ts";
import { AttachedDevice, serve, type Turn, type VirtioDevice, VirtioId } from "../device.ts";
import { LIMITS } from "../limits.ts";
import { VirtioFault } from "../memory.ts";
import type { Chain } from "../virtqueue.ts";
import { GPT_SIGNATURE } from "../../../kit/formats/gpt.ts";
import { sameBytes } from "../../../kit/support/values/bytes.ts";
import { SECTOR_SIZES, type SectorSize } from "../plan.ts";
import { type BlockBacking, ZERO_CHUNK } from "./backing.ts";
import { BlockRequest, MALFORMED, OPERATIONS, UNKNOWN } from "./requests.ts";

const SECTOR = 512;
const BlockFeature = { SIZE_MAX: 1, SEG_MAX: 2, RO: 5, BLK_SIZE: 6, FLUSH: 9, DISCARD: 13, WRITE_ZEROES: 14 } as const;
/** The byte that ends each request. */
export const BlockStatus = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

const HEADER_SIZE = 16;
const RANGE_SIZE = 16;
const ID_SIZE = 20;
const SEGMENTS_MAX = 126;
/** Bytes of a segment. */
const SEGMENT_MAX = 1 << 16;
/** A request with as many segments as it may have, its header and its status. */
const REQUEST_MAX = HEADER_SIZE + SEGMENTS_MAX * SEGMENT_MAX + 1;
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

const STATE = v.strictObject({
  metrics: countersLike({ reads: 0, writes: 0, read_bytes: 0, written_bytes: 0, flushes: 0, errors: 0 }),
  backing: v.unknown(),
});

export class BlockDevice extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.Block;
  readonly name = "block";
  readonly queueCount = 1;
  readonly features: readonly number[];
  readonly #header = new Uint8Array(HEADER_SIZE);
  readonly #range = new Uint8Array(RANGE_SIZE);
  readonly #piece = new Uint8Array(PIECE);
  #reads = 0;
  #writes = 0;
  #readBytes = 0;
  #writtenBytes = 0;
  #flushes = 0;
  #errors = 0;

  /**
   * @param serial the disk's serial number for the guest, which reads at most 20 bytes
   * @param onError is called with the computer's error when it cannot serve a request
   * @param sector bytes of a sector for the guest; requests count in units of 512
   */
  constructor(
    readonly backing: BlockBacking,
    readonly serial: string,
    readonly onError: (message: string) => void,
    readonly sector: SectorSize = SECTOR,
  ) {
    super();
    const { SIZE_MAX, SEG_MAX, BLK_SIZE, FLUSH, RO, DISCARD, WRITE_ZEROES } = BlockFeature;
    this.features = [SIZE_MAX, SEG_MAX, BLK_SIZE, FLUSH, ...backing.readOnly ? [RO] : [DISCARD, WRITE_ZEROES]];
  }

  start(): void {
    this.#limit();
  }

  /** The limits bind a driver that has accepted both (section 5.2.3). */
  #limit(): void {
    const port = this.port;
    const limited = [BlockFeature.SIZE_MAX, BlockFeature.SEG_MAX].every((feature) => port.accepted(feature));
    for (const queue of port.queues) queue.limits = { ...LIMITS.block, ...limited && { chain: REQUEST_MAX } };
  }

  limits() {
    return LIMITS.block;
  }

  configuration(): Uint8Array {
    const bytes = new Uint8Array(Config.Size);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(Config.Capacity, BigInt(this.#sectors), true);
    view.setUint32(Config.SizeMax, SEGMENT_MAX, true);
    view.setUint32(Config.SegMax, SEGMENTS_MAX, true);
    view.setUint32(Config.BlkSize, this.sector, true);
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
    serve(this.port, this.port.queues[0], (chain, turn) => this.#serve(chain, turn));
  }

  operation(_queue: number, chain: Chain): string {
    if (chain.peek(this.#header) < HEADER_SIZE) return MALFORMED;
    return OPERATIONS.get(new DataView(this.#header.buffer).getUint32(0, true)) ?? UNKNOWN;
  }

  fail(_queue: number, chain: Chain): void {
    this.#errors++;
    if (chain.writable > 0) chain.skipTo(1);
    chain.write(Uint8Array.of(BlockStatus.IOERR));
  }

  reset(): void {}

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
    return { metrics: this.metrics(), backing: this.backing.save() };
  }

  restore(state: unknown): void {
    const { metrics, backing } = inForm(STATE, state);
    this.#limit();
    this.#reads = metrics.reads;
    this.#writes = metrics.writes;
    this.#readBytes = metrics.read_bytes;
    this.#writtenBytes = metrics.written_bytes;
    this.#flushes = metrics.flushes;
    this.#errors = metrics.errors;
    this.backing.restore(backing);
  }

  /** The parts that the guest does not find, in words that follow the disk's name. */
  *unseen(): Generator<string> {
    const { backing, sector } = this;
    const has = (size: SectorSize) => {
      const bytes = new Uint8Array(GPT_SIGNATURE.length);
      if (backing.size >= size + bytes.length) backing.read(size, bytes);
      return sameBytes(bytes, GPT_SIGNATURE);
    };
    const other = SECTOR_SIZES.find((size) => size !== sector && has(size));
    if (other !== undefined && !has(sector)) yield `has a partition table for sectors of ${other} bytes: set sector = ${other}`;
    const rest = backing.size % sector;
    if (rest > 0) yield `has ${rest} bytes after its last sector of ${sector} bytes, which the guest does not see`;
  }

  get #sectors(): number {
    return Math.floor(this.backing.size / this.sector) * this.sector / SECTOR;
  }

  #request(): { type: number; sector: number } {
    const view = new DataView(this.#header.buffer);
    return { type: view.getUint32(0, true), sector: view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32 };
  }

  /**
   * A request, or what is left of it after earlier turns. Its header may be another by then: each
   * turn checks what it finds.
   */
  #serve(chain: Chain, turn: Turn): void {
    const header = chain.begun ? chain.peekFirst(this.#header) : chain.read(this.#header);
    if (header < HEADER_SIZE || chain.writable < 1) {
      throw new VirtioFault("5.2.6", "a request has a header of 16 bytes and room for its status", { head: chain.head });
    }
    const { type, sector } = this.#request();
    const status = this.#attempt(() => this.#perform(chain, turn, type, sector));
    if (status !== BlockStatus.OK) turn.continues = false;
    if (!turn.continues) this.#finish(chain, status);
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

  /** Does what the turn has room for; the status counts unless the chain continues. */
  #perform(chain: Chain, turn: Turn, type: number, sector: number): number {
    switch (type) {
      case BlockRequest.IN:
      case BlockRequest.OUT:
        return this.#transfer(chain, turn, type === BlockRequest.OUT, sector);
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
        return this.#zero(chain, turn, type === BlockRequest.DISCARD);
      default:
        return BlockStatus.UNSUPP;
    }
  }

  #transfer(chain: Chain, turn: Turn, write: boolean, sector: number): number {
    const left = write ? chain.readable : chain.writable - 1;
    const length = chain.done + left, at = sector * SECTOR + chain.done;
    if (write && this.backing.readOnly || !this.#inside(sector, length)) return BlockStatus.IOERR;
    const size = Math.min(left, Math.ceil(turn.left / PIECE) * PIECE);
    this.#move(chain, write, at, size);
    if (size < left) {
      chain.done += size;
      turn.continues = true;
    } else this.#count(write, length);
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

  /** Zeroes or discards the ranges that are left; of the first, `chain.done` bytes are done. */
  #zero(chain: Chain, turn: Turn, discard: boolean): number {
    const ranges = chain.readable / RANGE_SIZE;
    if (this.backing.readOnly || !Number.isInteger(ranges) || ranges < 1 || ranges > RANGES_MAX) return BlockStatus.IOERR;
    for (; chain.readable > 0; chain.skipReadable(RANGE_SIZE), chain.done = 0) {
      chain.peek(this.#range);
      const view = new DataView(this.#range.buffer);
      const sector = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
      const sectors = view.getUint32(8, true);
      if (sectors > RANGE_SECTORS_MAX || !this.#inside(sector, sectors * SECTOR)) return BlockStatus.IOERR;
      if (discard && !this.backing.discard) continue;
      const end = (sector + sectors) * SECTOR, at = Math.min(end, sector * SECTOR + chain.done);
      if (at < end && turn.left <= 0) {
        turn.continues = true;
        return BlockStatus.OK;
      }
      // Whole chunks, which cost backings the least.
      const next = Math.min(end, Math.ceil((at + turn.left) / ZERO_CHUNK) * ZERO_CHUNK);
      if (discard && this.backing.discard) this.backing.discard(at, next - at);
      else this.backing.zero(at, next - at);
      turn.left -= next - at;
      chain.done += next - at;
      if (next < end) {
        turn.continues = true;
        return BlockStatus.OK;
      }
    }
    return BlockStatus.OK;
  }

  #inside(sector: number, length: number): boolean {
    return length % SECTOR === 0 && sector + length / SECTOR <= this.#sectors;
  }
}
