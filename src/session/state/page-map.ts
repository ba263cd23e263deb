// Pages of RAM by number, as maps that share what is equal: a map that is made from another one
// takes the blocks in which no page changed.

/** log2 of the pages of a block: 2 MiB of RAM. */
const BLOCK_SHIFT = 9;
const BLOCK_MASK = (1 << BLOCK_SHIFT) - 1;

/** The file that has a page's content instead of memory. */
export interface PageStore {
  /** The content in a slot. */
  read(slot: number): Uint8Array;
}

const NONE = new Uint8Array(0);

/** The content of a page, which the maps that have it share. */
export class Page {
  #content: Uint8Array | undefined;
  #stored: { readonly store: PageStore; readonly slot: number } | undefined;

  constructor(content: Uint8Array) {
    this.#content = content;
  }

  /** The content in memory; undefined if a file has it. */
  get content(): Uint8Array | undefined {
    return this.#content;
  }

  /** The content, from the file if that has it. */
  get bytes(): Uint8Array {
    return this.#content ?? this.#stored!.store.read(this.#stored!.slot);
  }

  /** The file that has the content instead of memory. */
  get store(): PageStore | undefined {
    return this.#stored?.store;
  }

  /** The content in a slot of a file. */
  static stored(store: PageStore, slot: number): Page {
    const page = new Page(NONE);
    page.moved(store, slot);
    return page;
  }

  /** A file has the content from now on. */
  moved(store: PageStore, slot: number): void {
    this.#stored = { store, slot };
    this.#content = undefined;
  }
}

/** A page that is all zero is absent. */
type Block = readonly (Page | undefined)[];

/** A page and its new content; undefined: it is all zero now. */
export type PageChange = readonly [page: number, content: Page | undefined];

export class PageMap {
  static readonly EMPTY = new PageMap([], 0);

  private constructor(readonly blocks: readonly (Block | undefined)[], readonly size: number) {}

  /** The map with some pages changed. */
  with(changes: Iterable<PageChange>): PageMap {
    const blocks = [...this.blocks], own = new Map<number, (Page | undefined)[]>();
    let { size } = this;
    for (const [page, content] of changes) {
      const index = page >>> BLOCK_SHIFT, at = page & BLOCK_MASK, before = blocks[index]?.[at];
      if (before === content) continue;
      size += Number(content !== undefined) - Number(before !== undefined);
      let block = own.get(index);
      if (!block) {
        block = blocks[index]?.slice() ?? new Array<Page | undefined>(1 << BLOCK_SHIFT).fill(undefined);
        own.set(index, block);
        while (blocks.length < index) blocks.push(undefined);
        blocks[index] = block;
      }
      block[at] = content;
    }
    return new PageMap(blocks, size);
  }

  get(page: number): Page | undefined {
    return this.blocks[page >>> BLOCK_SHIFT]?.[page & BLOCK_MASK];
  }

  /** The pages that it does not share with another map. */
  *apartFrom(other: PageMap): Generator<Page> {
    for (const [, content] of this.changesFrom(other)) if (content !== undefined) yield content;
  }

  /** The changes that make another map this one. */
  *changesFrom(other: PageMap): Generator<PageChange> {
    for (let index = 0; index < Math.max(this.blocks.length, other.blocks.length); index++) {
      const block = this.blocks[index], known = other.blocks[index];
      if (block === known) continue;
      for (let at = 0; at < 1 << BLOCK_SHIFT; at++) {
        const content = block?.[at];
        if (content !== known?.[at]) yield [index << BLOCK_SHIFT | at, content];
      }
    }
  }

  /** Pages that are not zero, ascending. */
  *[Symbol.iterator](): Generator<readonly [page: number, content: Page]> {
    for (const [index, block] of this.blocks.entries()) {
      if (block === undefined) continue;
      for (const [at, content] of block.entries()) if (content !== undefined) yield [index << BLOCK_SHIFT | at, content];
    }
  }
}
