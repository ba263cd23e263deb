// One TCP connection of a guest, terminated here and continued as a stream of the computer (RFC
// 9293). Only the guest itself drops segments on this wire, so a timer that resends from the last
// acknowledgment is enough.

import { CarriedConnection, CONNECTION_BUFFER } from "../../carried-connection.ts";
import type { OutsideStream } from "../../outside-network.ts";
import { TcpFlag, type TcpSegment } from "../../../../kit/formats/packets.ts";

const { FIN, SYN, RST, PSH, ACK } = TcpFlag;
const DEFAULT_MSS = 536;
const WINDOW_SCALE = 3;
/** Milliseconds until what was not acknowledged is sent again, and how often. */
const RETRANSMIT_MS = 1000;
const RETRANSMITS_MAX = 8;

/** A connection's requirements on the NAT. */
interface TcpPort {
  /** Bytes of data that a segment carries. */
  readonly mss: number;
  /** Sends a segment to the guest; false when the guest has no space; `drained` follows. */
  send(segment: Omit<TcpSegment, "sourcePort" | "destinationPort">): boolean;
  /** It is over. */
  closed(): void;
  /** Calls back after some milliseconds of wall time; gives what takes that back. */
  later(milliseconds: number, action: () => void): () => void;
  /** An initial sequence number, 32 bits. */
  initialSequence(): number;
}

type State = "connecting" | "syn-sent" | "syn-received" | "open" | "closed";
const NOTHING = new Uint8Array(0);

/** Signed distance from `b` to `a` among sequence numbers. */
function distance(a: number, b: number): number {
  return a - b | 0;
}

/** A connection. The backlog begins with the oldest byte that the guest has not acknowledged. */
export class TcpConnection extends CarriedConnection {
  #state: State;
  /** Next byte expected of the guest. */
  #receiveNext = 0;
  /** Oldest byte that the guest has not acknowledged, next byte to send. */
  #unacknowledged: number;
  #sendNext: number;
  #guestWindow = 0;
  #guestScale = 0;
  #scales = false;
  #guestMss = DEFAULT_MSS;
  #finSent = false;
  #guestEnded = false;
  #cancelTimer: (() => void) | undefined;
  #retransmits = 0;

  /**
   * `incoming`: the guest has sent a SYN; otherwise the computer has accepted a connection for a
   * forwarded port.
   */
  constructor(readonly port: TcpPort, incoming: boolean) {
    super();
    this.#state = incoming ? "connecting" : "syn-sent";
    this.#unacknowledged = this.#sendNext = port.initialSequence();
  }

  override carry(stream: OutsideStream): void {
    super.carry(stream);
    if (this.#state === "syn-sent") {
      this.backlog.hold();
      this.#synchronize();
    }
  }

  connected(): void {
    if (this.#state !== "connecting") return;
    this.#state = "syn-received";
    this.#synchronize();
  }

  // Handles a segment of the guest.

  receive(segment: TcpSegment): void {
    if (segment.flags & RST) return this.#finish();
    if (segment.flags & SYN) return this.#receiveSyn(segment);
    if (!(segment.flags & ACK) || this.#state === "connecting" || this.#state === "syn-sent" || this.#state === "closed") return;
    this.#receiveAck(segment);
    if (this.isOver) return;
    if (segment.payload.length || segment.flags & FIN) this.#receiveData(segment);
  }

  /** The guest has room for frames again. */
  roomAgain(): void {
    this.transmit();
  }

  /** Ends it without a word. */
  destroy(): void {
    this.#finish();
  }

  /** Whether the computer is still being asked. */
  get connecting(): boolean {
    return this.#state === "connecting";
  }

  override data(bytes: Uint8Array): void {
    if (this.#state !== "closed") super.data(bytes);
  }

  protected get isOver(): boolean {
    return this.#state === "closed";
  }

  protected get hasRest(): boolean {
    return this.#state === "open";
  }

  protected unstuck(): void {
    if (this.#state === "open") this.#acknowledge();
  }

  #receiveSyn(segment: TcpSegment): void {
    if (this.#state === "connecting" || this.#state === "syn-received") {
      // The first, or one sent again while the computer was asked.
      this.#receiveNext = segment.sequence + 1 >>> 0;
      this.#learn(segment);
      if (this.#state === "syn-received") this.#synchronize();
    } else if (this.#state === "syn-sent" && segment.flags & ACK && segment.acknowledgment === this.#sendNext) {
      this.#receiveNext = segment.sequence + 1 >>> 0;
      this.#learn(segment);
      this.#unacknowledged = segment.acknowledgment;
      this.#guestWindow = segment.window;
      this.#establish();
      this.#acknowledge();
    }
  }

  #learn(segment: TcpSegment): void {
    this.#guestMss = Math.min(this.port.mss, segment.mss ?? DEFAULT_MSS);
    this.#scales = segment.windowScale !== undefined;
    this.#guestScale = segment.windowScale ?? 0;
    this.#guestWindow = segment.window;
  }

  #receiveAck(segment: TcpSegment): void {
    if (this.#state === "syn-received") {
      if (segment.acknowledgment !== this.#sendNext) return;
      this.#unacknowledged = segment.acknowledgment;
      this.#establish();
    }
    const acknowledged = distance(segment.acknowledgment, this.#unacknowledged);
    if (acknowledged > 0 && distance(segment.acknowledgment, this.#sendNext) <= 0) this.#release(acknowledged);
    if (acknowledged >= 0) this.#guestWindow = segment.window << this.#guestScale;
    // A guest may keep its window closed as long as it likes, while it answers (RFC 9293 section
    // 3.8.6.1).
    if (this.#guestWindow === 0) this.#retransmits = 0;
    this.transmit();
  }

  #establish(): void {
    this.#state = "open";
    this.#stopTimer();
    this.backlog.flow();
    this.transmit();
  }

  /** The guest has this many more bytes. */
  #release(count: number): void {
    this.#unacknowledged = this.#unacknowledged + count >>> 0;
    this.backlog.drop(count);
    this.#stopTimer();
    if (this.#unacknowledged !== this.#sendNext) this.#startTimer();
    this.backlog.relieve();
    if (this.#finSent && this.#unacknowledged === this.#sendNext && this.#guestEnded) this.#finish();
  }

  #receiveData(segment: TcpSegment): void {
    const skip = distance(this.#receiveNext, segment.sequence);
    // A hole: the guest will send it again. Unwanted data is acknowledged, and so is a probe of a
    // closed window.
    if (skip < 0 || this.stuck || skip > segment.payload.length) return this.#acknowledge();
    const payload = segment.payload.subarray(skip);
    if (payload.length && !this.#guestEnded) {
      this.#receiveNext = this.#receiveNext + payload.length >>> 0;
      // The frame's memory is the device's.
      this.carrier.write(payload.slice());
    }
    if (segment.flags & FIN && !this.#guestEnded) {
      this.#receiveNext = this.#receiveNext + 1 >>> 0;
      this.#guestEnded = true;
      this.carrier.end();
    }
    this.#acknowledge();
    if (this.#guestEnded && this.#finSent && this.#unacknowledged === this.#sendNext) this.#finish();
  }

  /** Sends what the guest's window lets through, and the end when all is sent. */
  protected transmit(): void {
    if (this.#state !== "open") return;
    let inFlight = distance(this.#sendNext, this.#unacknowledged) - (this.#finSent ? 1 : 0);
    while (inFlight < this.backlog.length && inFlight < this.#guestWindow) {
      const size = Math.min(this.#guestMss, this.backlog.length - inFlight, this.#guestWindow - inFlight);
      const payload = this.backlog.copy(inFlight, size);
      const last = inFlight + size === this.backlog.length;
      if (!this.#segment(this.#sendNext, ACK | (last ? PSH : 0), payload)) return;
      this.#sendNext = this.#sendNext + size >>> 0;
      inFlight += size;
      this.#startTimer();
    }
    if (this.streamEnded && !this.#finSent && inFlight === this.backlog.length && this.#segment(this.#sendNext, FIN | ACK, NOTHING)) {
      this.#finSent = true;
      this.#sendNext = this.#sendNext + 1 >>> 0;
      this.#startTimer();
    }
    // A closed window is probed by the same timer.
    if (this.backlog.length > 0 && this.#guestWindow === 0) this.#startTimer();
  }

  #synchronize(): void {
    this.#sendNext = this.#unacknowledged;
    const flags = this.#state === "syn-received" ? SYN | ACK : SYN;
    const offersScale = this.#state === "syn-sent" || this.#scales;
    this.port.send({
      sequence: this.#sendNext,
      acknowledgment: this.#receiveNext,
      flags,
      window: 0xffff,
      mss: this.port.mss,
      windowScale: offersScale ? WINDOW_SCALE : undefined,
      payload: NOTHING,
    });
    this.#sendNext = this.#sendNext + 1 >>> 0;
    this.#startTimer();
  }

  #acknowledge(): void {
    this.#segment(this.#sendNext, ACK, NOTHING);
  }

  #segment(sequence: number, flags: number, payload: Uint8Array): boolean {
    const window = this.stuck ? 0 : this.#scales ? CONNECTION_BUFFER >> WINDOW_SCALE : 0xffff;
    return this.port.send({ sequence, acknowledgment: this.#receiveNext, flags, window, mss: undefined, windowScale: undefined, payload });
  }

  #startTimer(): void {
    this.#cancelTimer ??= this.port.later(RETRANSMIT_MS, () => {
      this.#cancelTimer = undefined;
      this.#again();
    });
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#retransmits = 0;
  }

  /** Nothing was acknowledged for a while: from there again. */
  #again(): void {
    if (++this.#retransmits > RETRANSMITS_MAX) return this.reset();
    if (this.#state !== "open") return this.#synchronize();
    this.#sendNext = this.#unacknowledged;
    this.#finSent = false;
    if (this.backlog.length > 0 && this.#guestWindow === 0) {
      this.#segment(this.#sendNext, ACK, this.backlog.copy(0, 1));
      this.#startTimer();
    }
    this.transmit();
  }

  protected reset(): void {
    if (this.#state === "connecting") this.port.send(refusal(this.#receiveNext));
    else if (this.#state !== "closed") this.#segment(this.#sendNext, RST | ACK, NOTHING);
    this.#finish();
  }

  #finish(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#stopTimer();
    this.stream?.destroy();
    this.port.closed();
  }
}

/** The answer to a SYN that is refused. */
export function refusal(acknowledgment: number): Omit<TcpSegment, "sourcePort" | "destinationPort"> {
  return { sequence: 0, acknowledgment, flags: RST | ACK, window: 0, mss: undefined, windowScale: undefined, payload: NOTHING };
}
