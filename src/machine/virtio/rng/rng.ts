// The entropy device (virtio 1.2 section 5.4): fills buffers with bytes of the machine's own
// generator, so that runs repeat.

import * as v from "valibot";
import { count, inForm } from "../../../kit/support/values/forms.ts";
import { LIMITS } from "../limits.ts";
import { AttachedDevice, serve, type VirtioDevice, VirtioId } from "../device.ts";

/** Bytes that one buffer gets at most: a driver asks again. */
const BUFFER_MAX = 4096;

/** Where the bytes come from. Its state is plain data, and saved with the device's. */
export interface RandomBytes {
  fill(into: Uint8Array): void;
  save(): unknown;
  restore(state: unknown): void;
}

export class RngDevice extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.Entropy;
  readonly name = "rng";
  readonly queueCount = 1;
  readonly features = [];
  #bytes = 0;

  constructor(readonly random: RandomBytes) {
    super();
  }

  limits() {
    return LIMITS.rng;
  }

  configuration(): Uint8Array {
    return new Uint8Array(0);
  }

  notify(): void {
    serve(this.port, this.port.queues[0], (chain) => {
      const bytes = new Uint8Array(Math.min(BUFFER_MAX, chain.writable));
      this.random.fill(bytes);
      this.#bytes += chain.write(bytes);
    });
  }

  reset(): void {}

  metrics(): Readonly<Record<string, number>> {
    return { bytes: this.#bytes };
  }

  save(): unknown {
    return { bytes: this.#bytes, generator: this.random.save() };
  }

  restore(state: unknown): void {
    const { bytes, generator } = inForm(v.strictObject({ bytes: count, generator: v.unknown() }), state);
    this.#bytes = bytes;
    this.random.restore(generator);
  }
}
