// Pages of RAM by number, as maps that share what is equal: a map that is made from another one
// takes the blocks in which no page changed.

/** log2 of the pages of a block: 2 MiB of RAM. */
const BLOCK_SHIFT = 9;
const BLOCK_MASK = (1 << BLOCK_SHIFT) - 1;

/** A page that is all zero is absent. */
type Block = readonly (Uint8Array | undefined)[];

/** A page and its new content; undefined: it is all zero now. */
export type PageChange = readonly [page: number, content: Uint8Array | undefined];

export class PageMap {
  static readonly EMPTY = new PageMap([], 0);

  private constructor(readonly blocks: readonly (Block | undefined)[], readonly size: number) {}

  /** The map with some pages changed. */
  with(changes: Iterable<PageChange>): PageMap {
    const blocks = [...this.blocks], own = new Map<number, (Uint8Array | undefined)[]>();
    let { size } = this;
    for (const [page, content] of changes) {
      const index = page >>> BLOCK_SHIFT, at = page & BLOCK_MASK, before = blocks[index]?.[at];
      if (before === content) continue;
      size += Number(content !== undefined) - Number(before !== undefined);
      let block = own.get(index);
      if (!block) {
        block = blocks[index]?.slice() ?? new Array<Uint8Array | undefined>(1 << BLOCK_SHIFT).fill(undefined);
        own.set(index, block);
        while (blocks.length < index) blocks.push(undefined);
        blocks[index] = block;
      }
      block[at] = content;
    }
    return new PageMap(blocks, size);
  }

  get(page: number): Uint8Array | undefined {
    return this.blocks[page >>> BLOCK_SHIFT]?.[page & BLOCK_MASK];
  }

  /** How many pages it has that another map does not have there as the same array. */
  countApartFrom(other: PageMap): number {
    let count = 0;
    for (const [index, block] of this.blocks.entries()) {
      const known = other.blocks[index];
      if (block === undefined || block === known) continue;
      for (const [at, content] of block.entries()) if (content !== undefined && content !== known?.[at]) count++;
    }
    return count;
  }

  /** Pages that are not zero, ascending. */
  *[Symbol.iterator](): Generator<readonly [page: number, content: Uint8Array]> {
    for (const [index, block] of this.blocks.entries()) {
      if (block === undefined) continue;
      for (const [at, content] of block.entries()) if (content !== undefined) yield [index << BLOCK_SHIFT | at, content];
    }
  }
}
