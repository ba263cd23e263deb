// The variables of firmware in a VM's flash, which outlive the VM: a file keeps them, and the
// machine's state has what has changed since its start.

import type { FlashVariables } from "../../../machine/host/boot.ts";
import type { VariablesPlan } from "../../../machine/host/interface.ts";
import { machineDisk } from "../../outside/computer.ts";
import type { OutsideDoor } from "../../outside/outside.ts";
import type { SavedPart } from "../../state/parts.ts";
import { type BlockBacking, OverlayBacking } from "../../../machine/virtio/block/backing.ts";

/** The variables of one VM. */
export class KeptVariables implements FlashVariables {
  readonly part: SavedPart;
  readonly #bytes: OverlayBacking;
  readonly #file: BlockBacking | undefined;
  /** The file is outdated, as the machine was loaded. */
  #behind = false;
  /** Something was written since the last flush. */
  #changed = false;

  /** A machine whose outside sources are recorded is a second one: the file has another owner. */
  constructor(vm: string, { path, content }: VariablesPlan, outside: OutsideDoor) {
    const read = (offset: number, into: Uint8Array) => into.set(content.subarray(offset, offset + into.length));
    this.#bytes = new OverlayBacking({ size: content.length, read });
    this.#file = outside.replayed ? undefined : machineDisk(path, false, outside);
    this.part = {
      name: `firmware variables of ${vm}`,
      save: () => this.#bytes.save(),
      restore: (state) => {
        this.#bytes.restore(state);
        this.#behind = true;
      },
    };
  }

  get content(): Uint8Array {
    const all = new Uint8Array(this.#bytes.size);
    this.#bytes.read(0, all);
    return all;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#bytes.write(offset, bytes);
    if (this.#behind) this.#file?.write(0, this.content);
    else this.#file?.write(offset, bytes);
    this.#behind = false;
    this.#changed = true;
  }

  flush(): void {
    if (this.#changed) this.#file?.flush();
    this.#changed = false;
  }
}
