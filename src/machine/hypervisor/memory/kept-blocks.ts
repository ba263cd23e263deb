// The 1 GiB blocks of an address space's stage 2, for quirks as observed: the recorded build
// leaves a block as it is when it takes out pages after the block's first (docs/spec/observed.md
// §6). el2's own tables have blocks of other sizes, so these are remembered here.

import { asIpa, asPa, type Ipa, type Pa } from "../../abi/numbers.ts";
import type { Archive } from "../../hardware/archive.ts";
import { PHYSICAL_END } from "../../hardware/memory-map.ts";
import { GiB } from "../../../kit/support/values/sizes.ts";

/** A gibibyte of an address space that was mapped at once, in one block. */
interface Block {
  readonly pa: Pa;
  /** No page of it was entered or taken out since. */
  readonly isWhole: boolean;
}

/** Pages in order; `size` in bytes. */
interface Range {
  readonly ipa: Ipa;
  readonly pa: Pa;
  readonly size: number;
}

/** The blocks of one address space. Addresses and sizes are multiples of the page size. */
export class KeptBlocks {
  readonly #blocks = new Map<Ipa, Block>();

  /** IPAs of the gibibytes that are or were blocks. */
  get ipas(): Iterable<Ipa> {
    return this.#blocks.keys();
  }

  /** Pages are entered: a gibibyte of them is a block, fewer split one. Gives the new blocks. */
  enter(ipa: Ipa, pa: Pa, size: number): Ipa[] {
    const fresh: Ipa[] = [];
    for (const part of gibibytes(ipa, pa, size)) {
      const base = baseOf(part.ipa);
      if (part.size === GiB && part.pa % GiB === 0) {
        if (!this.#blocks.has(base)) fresh.push(base);
        this.#blocks.set(base, { pa: part.pa, isWhole: true });
      } else this.#split(base);
    }
    return fresh;
  }

  /**
   * Pages are taken out, where the range maps to `pa` onward. Gives the parts of it that leave; a
   * whole block that begins below the range stays.
   */
  *takeOut(ipa: Ipa, pa: Pa, size: number): Generator<Range> {
    for (const part of gibibytes(ipa, pa, size)) {
      const base = baseOf(part.ipa);
      if (part.ipa > base && this.#blocks.get(base)?.isWhole) continue;
      if (this.explains(part.ipa, part.pa)) this.#split(base);
      yield part;
    }
  }

  /** Whether a page at `ipa` that maps to `pa` may be left of a block. */
  explains(ipa: Ipa, pa: Pa): boolean {
    const base = baseOf(ipa), block = this.#blocks.get(base);
    return block !== undefined && block.pa + ipa - base === pa;
  }

  /** IPAs at which a physical page may be left of a block. */
  ipasOf(pa: Pa): Ipa[] {
    const inside = [...this.#blocks].filter(([, block]) => pa >= block.pa && pa < block.pa + GiB);
    return inside.map(([ipa, block]) => asIpa(ipa + pa - block.pa));
  }

  archive(archive: Archive, addressSpaceSize: number): void {
    const blocks = archive.list("blocks", [...this.#blocks].sort(([a], [b]) => a - b), (block): [Ipa, Block] => [
      asIpa(archive.multiple("ipa", block?.[0], GiB, 0, addressSpaceSize - GiB)),
      { pa: asPa(archive.multiple("pa", block?.[1].pa, GiB, 0, PHYSICAL_END - GiB)), isWhole: archive.bool("isWhole", block?.[1].isWhole) },
    ]);
    if (!archive.loading) return;
    archive.check(blocks.every(([ipa], index) => index === 0 || ipa > blocks[index - 1][0]), "blocks ascend");
    for (const [ipa, block] of blocks) this.#blocks.set(ipa, block);
  }

  #split(base: Ipa): void {
    const block = this.#blocks.get(base);
    if (block?.isWhole) this.#blocks.set(base, { ...block, isWhole: false });
  }
}

/** IPA of the gibibyte that an address lies in. */
function baseOf(ipa: Ipa): Ipa {
  return asIpa(ipa - ipa % GiB);
}

/** A range, cut at each gibibyte of IPAs. */
function* gibibytes(ipa: Ipa, pa: Pa, size: number): Generator<Range> {
  for (let done = 0; done < size;) {
    const at = asIpa(ipa + done), length = Math.min(size - done, GiB - at % GiB);
    yield { ipa: at, pa: asPa(pa + done), size: length };
    done += length;
  }
}
