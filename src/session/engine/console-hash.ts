// SHA-256 of what consoles show.

import { Bytes } from "../../kit/support/values/bytes.ts";
import { node } from "../../kit/support/node-modules.ts";
import { KiB } from "../../kit/support/values/sizes.ts";

/** Bytes that wait before they are hashed: the output of a boot needs no module of Node. */
const WAITING = 256 * KiB;

/** The hash of a text that grows. */
export class ConsoleHash {
  #hash: ReturnType<typeof node.crypto.createHash> | undefined;
  readonly #waiting = new Bytes();

  update(bytes: Uint8Array): void {
    this.#waiting.pushAll(bytes);
    if (this.#waiting.length > WAITING) this.#enter();
  }

  /** Of all bytes so far, in hexadecimal digits. */
  get digest(): string {
    return this.#enter().copy().digest("hex");
  }

  #enter() {
    const hash = this.#hash ??= node.crypto.createHash("sha256");
    hash.update(this.#waiting.view);
    this.#waiting.clear();
    return hash;
  }
}
