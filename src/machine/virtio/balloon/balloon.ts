// The memory balloon (virtio 1.2 section 5.5): pages that the guest gives back, on demand (inflate)
// or because it does not use them (free page reporting). They are zero from then on, so that a
// snapshot has none of them.

import * as v from "valibot";
import { count, countersLike, inForm, list, ofBits } from "../../../kit/support/values/forms.ts";
import { LIMITS } from "../limits.ts";
import { AttachedDevice, serve, type Turn, type VirtioDevice, VirtioId } from "../device.ts";
import { VirtioFault } from "../memory.ts";
import type { Chain, ChainState } from "../virtqueue.ts";

const BalloonFeature = { STATS_VQ: 1, DEFLATE_ON_OOM: 2, PAGE_REPORTING: 5 } as const;
const INFLATE = 0, DEFLATE = 1, STATS = 2;
/**
 * Section 5.5.2 has five queues; drivers leave out the numbers of those that were not negotiated.
 */
const QUEUES = 5;
const Config = { NumPages: 0, Actual: 4, Size: 8 } as const;
/** Bytes of a balloon's page, whatever pages the guest has. */
const BALLOON_PAGE = 4096;
/** Page numbers in one chain: Linux sends 256. */
const PAGES_MAX = 4096;
const STAT_SIZE = 10;
/** Statistics that are kept of what a driver sends. */
const STATS_MAX = 32;

/**
 * Names of the statistics by tag (section 5.5.6.4); those of memory are bytes, the others counts.
 */
const STAT_NAMES = [
  "swap_in_bytes",
  "swap_out_bytes",
  "major_faults",
  "minor_faults",
  "free_bytes",
  "total_bytes",
  "available_bytes",
  "disk_caches_bytes",
  "hugetlb_allocations",
  "hugetlb_failures",
];

interface BalloonState {
  readonly target: number;
  readonly actual: number;
  readonly stats: readonly (readonly [name: string, value: number])[];
  /** The guest's buffer for statistics. */
  readonly statsChain: ChainState | undefined;
  readonly metrics: Readonly<Record<string, number>>;
}

const STATE = v.strictObject({
  target: ofBits(32),
  actual: ofBits(32),
  stats: list(v.strictTuple([v.picklist(STAT_NAMES), count])),
  statsChain: v.unknown(),
  metrics: countersLike({ inflated_pages: 0, deflated_pages: 0, reported_bytes: 0, unreachable_pages: 0 }),
});

export class BalloonDevice extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.Balloon;
  readonly name = "balloon";
  readonly queueCount = QUEUES;
  readonly features = [BalloonFeature.STATS_VQ, BalloonFeature.DEFLATE_ON_OOM, BalloonFeature.PAGE_REPORTING];
  /** Pages that the guest is asked to give, and that it reports as given. */
  #target = 0;
  #actual = 0;
  #stats = new Map<string, number>();
  #statsChain: Chain | undefined;
  #metrics = { inflated_pages: 0, deflated_pages: 0, reported_bytes: 0, unreachable_pages: 0 };

  /** Which queue has reports depends on what the driver accepts. */
  override takesInput(queue: number): boolean {
    return queue === STATS;
  }

  limits(queue: number) {
    return queue < STATS ? LIMITS.balloon : LIMITS.balloonReports;
  }

  configuration(): Uint8Array {
    const bytes = new Uint8Array(Config.Size);
    const view = new DataView(bytes.buffer);
    view.setUint32(Config.NumPages, this.#target, true);
    view.setUint32(Config.Actual, this.#actual, true);
    return bytes;
  }

  /** The driver writes how many pages it has given (`actual`). */
  configure(offset: number, bytes: Uint8Array): void {
    if (offset !== Config.Actual || bytes.length !== 4) return;
    this.#actual = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    this.#askForStats();
  }

  notify(number: number): void {
    const port = this.port;
    const queue = port.queues[number];
    const reports = port.accepted(BalloonFeature.STATS_VQ) ? STATS + 1 : STATS;
    if (number === INFLATE) return serve(port, queue, (chain, turn) => this.#inflate(chain, turn));
    if (number === DEFLATE) return serve(port, queue, (chain) => void (this.#metrics.deflated_pages += pagesOf(chain).length));
    if (port.accepted(BalloonFeature.PAGE_REPORTING) && number >= reports) {
      return serve(port, queue, (chain, turn) => this.#report(chain, turn));
    }
    if (number === STATS && port.accepted(BalloonFeature.STATS_VQ)) this.#takeStats();
  }

  /** Asks the guest for this many bytes, in whole pages. */
  setTarget(bytes: number): void {
    this.#target = Math.floor(bytes / BALLOON_PAGE);
    this.port.configurationChanged();
  }

  /** Asks the guest for fresh statistics, which come when the guest gets to it. */
  askForStats(): void {
    this.port.perform(() => this.#askForStats());
  }

  reset(): void {
    this.#actual = 0;
    this.#statsChain = undefined;
    this.#stats.clear();
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      target_bytes: this.#target * BALLOON_PAGE,
      actual_bytes: this.#actual * BALLOON_PAGE,
      ...this.#metrics,
      ...Object.fromEntries([...this.#stats].map(([name, value]) => [`guest_${name}`, value])),
    };
  }

  save(): BalloonState {
    return {
      target: this.#target,
      actual: this.#actual,
      stats: [...this.#stats],
      statsChain: this.#statsChain?.save(),
      metrics: { ...this.#metrics },
    };
  }

  restore(state: unknown): void {
    const { target, actual, stats, statsChain, metrics } = inForm(STATE, state);
    this.#target = target;
    this.#actual = actual;
    this.#stats = new Map(stats);
    this.#statsChain = statsChain === undefined ? undefined : this.port.queues[STATS].kept(statsChain as ChainState);
    Object.assign(this.#metrics, metrics);
  }

  #inflate(chain: Chain, turn: Turn): void {
    const { memory } = this.port.queues[INFLATE];
    for (const page of pagesOf(chain)) {
      turn.left -= BALLOON_PAGE;
      if (memory.write(page * BALLOON_PAGE, ZEROES)) this.#metrics.inflated_pages++;
      else this.#metrics.unreachable_pages++;
    }
  }

  /** The buffers of a report are the free pages themselves. */
  #report(chain: Chain, turn: Turn): void {
    for (let left = Math.min(chain.writable, turn.left); left > 0;) {
      const written = chain.write(ZEROES.subarray(0, Math.min(BALLOON_PAGE, left)));
      this.#metrics.reported_bytes += written;
      left -= written;
    }
    turn.continues = chain.writable > 0;
  }

  /**
   * The driver sends its statistics in a buffer that it gets back when others are wanted (section
   * 5.5.6.3).
   */
  #takeStats(): void {
    const queue = this.port.queues[STATS];
    for (let count = 0; count < queue.size; count++) {
      const chain = queue.pop();
      if (!chain) return;
      this.#askForStats();
      this.#statsChain = chain;
      const bytes = new Uint8Array(Math.min(chain.readable, STATS_MAX * STAT_SIZE));
      chain.read(bytes);
      const view = new DataView(bytes.buffer);
      for (let at = 0; at + STAT_SIZE <= bytes.length; at += STAT_SIZE) {
        const name = STAT_NAMES[view.getUint16(at, true)];
        if (name) this.#stats.set(name, Number(view.getBigUint64(at + 2, true)));
      }
    }
  }

  #askForStats(): void {
    const chain = this.#statsChain;
    if (!chain || !this.port.running) return;
    this.#statsChain = undefined;
    const queue = this.port.queues[STATS];
    queue.push(chain);
    this.port.signal(queue);
  }
}

const ZEROES = new Uint8Array(BALLOON_PAGE);

/** The page numbers that a chain lists. */
function pagesOf(chain: Chain): Uint32Array {
  const count = Math.floor(chain.readable / 4);
  if (count > PAGES_MAX) throw new VirtioFault("5.5.6", `a chain lists at most ${PAGES_MAX} pages here`, { pages: count });
  const bytes = chain.readAll();
  return new Uint32Array(bytes.buffer, 0, count);
}
