// A shared folder as an input source of the machine: the server's answers enter as data, between
// two slices. A replay has no server and touches no file; the answers come from the recording.

import * as v from "valibot";
import { bytes, count, inForm, list, maybe } from "../../kit/support/values/forms.ts";
import type { P9Backend } from "../../machine/virtio/p9/p9.ts";
import { P9Server, type P9ServerState } from "../../machine/virtio/p9/server.ts";
import type { KeptStatuses } from "./kept-statuses.ts";
import type { OutsideDoor, OutsideSource, OutsideUser } from "./outside.ts";

/** An answer on its way into the machine. */
interface Answer {
  readonly ticket: number;
  readonly bytes: Uint8Array | undefined;
}

interface ShareState {
  readonly server: P9ServerState | undefined;
  readonly underWay: readonly Answer[];
}

const STATE = v.strictObject({
  server: v.unknown(),
  underWay: list<Answer>(v.strictObject({ ticket: count, bytes: maybe(bytes) })),
});

/** The names of files that a recorded answer tells. */
export const namesInAnswer = (answer: Uint8Array): readonly string[] => P9Server.namesIn(answer);

/** The backend of a share's device. */
export class OutsideShare implements P9Backend, OutsideUser {
  /** Where answers go: the device, once there is one. */
  answer: (ticket: number, bytes: Uint8Array | undefined) => void = () => {};
  readonly listens = false;
  readonly #source: OutsideSource;
  /** Inputs that had entered at the last request, and this share's own answers since. */
  #arrivals = 0;
  #underWay: Answer[] = [];
  #waiting = 0;

  /**
   * @param server undefined in a replay
   * @param statuses of its folder
   */
  constructor(
    readonly outside: Pick<OutsideDoor, "open" | "add" | "soon" | "arrivals">,
    readonly server: P9Server | undefined,
    readonly statuses?: KeptStatuses,
  ) {
    this.#source = outside.open((data) => {
      const { ticket, bytes } = data as Answer;
      // A share's own answers tell the guest nothing that happened after the kept statuses.
      this.#arrivals++;
      this.#waiting--;
      this.#underWay.shift();
      this.answer(ticket, bytes);
    });
    outside.add(this);
  }

  get busy(): boolean {
    return this.#waiting > 0;
  }

  request(ticket: number, bytes: Uint8Array, room: number): void {
    this.#waiting++;
    if (!this.server) return;
    if (this.outside.arrivals !== this.#arrivals) this.statuses?.drop();
    this.#arrivals = this.outside.arrivals;
    const answer = { ticket, bytes: this.server.serve(bytes, room) };
    this.#underWay.push(answer);
    this.outside.soon(() => this.#source.emit(answer));
  }

  reset(): void {
    this.server?.reset();
  }

  close(): void {
    this.server?.reset();
    this.#source.close();
  }

  metrics(): Readonly<Record<string, number>> {
    return { ...this.server?.counters, fids: this.server?.fids ?? 0 };
  }

  save(): ShareState {
    return { server: this.server?.save(), underWay: [...this.#underWay] };
  }

  restore(state: unknown): void {
    const { server, underWay } = inForm(STATE, state);
    if (server !== undefined) this.server?.restore(server as P9ServerState);
    this.#underWay = [...underWay];
    this.#waiting = underWay.length;
    for (const answer of underWay) this.outside.soon(() => this.#source.emit(answer));
  }
}
