// Reads pcapng files for tests, written from the format's description and not from the writer.

/** An option: code and value. */
export interface ReadOption {
  readonly code: number;
  readonly value: Uint8Array;
}

/** A block: type, body without options where the type has a fixed part, options. */
export interface ReadBlock {
  readonly type: number;
  readonly body: DataView;
  readonly options: readonly ReadOption[];
}

/** A packet of an enhanced packet block. */
export interface ReadPacket {
  readonly interface: number;
  readonly time: bigint;
  readonly bytes: Uint8Array;
  readonly options: readonly ReadOption[];
}

/** Blocks of a file. Throws where lengths or padding are wrong. */
export function readBlocks(file: Uint8Array): ReadBlock[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const blocks: ReadBlock[] = [];
  for (let at = 0; at < file.length;) {
    const type = view.getUint32(at, true), length = view.getUint32(at + 4, true);
    if (length % 4 || length < 12 || at + length > file.length) throw new Error(`block at ${at}: length ${length}`);
    if (view.getUint32(at + length - 4, true) !== length) throw new Error(`block at ${at}: two lengths`);
    const body = new DataView(view.buffer, view.byteOffset + at + 8, length - 12);
    blocks.push({ type, body, options: readOptions(body, fixedLength(type, body)) });
    at += length;
  }
  return blocks;
}

/** The packets of a file. */
export function readPackets(file: Uint8Array): ReadPacket[] {
  return readBlocks(file).filter(({ type }) => type === 6).map(({ body, options }) => ({
    interface: body.getUint32(0, true),
    time: BigInt(body.getUint32(4, true)) << 32n | BigInt(body.getUint32(8, true)),
    bytes: new Uint8Array(body.buffer, body.byteOffset + 20, body.getUint32(12, true)),
    options,
  }));
}

/** The text of an option; undefined if it is not there. */
export function optionText(options: readonly ReadOption[], code: number): string | undefined {
  const found = options.find((option) => option.code === code);
  return found && new TextDecoder().decode(found.value);
}

function fixedLength(type: number, body: DataView): number {
  if (type === 0x0a0d0d0a) return 16;
  if (type === 1) return 8;
  if (type === 6) return 20 + Math.ceil(body.getUint32(12, true) / 4) * 4;
  throw new Error(`block type ${type}`);
}

function readOptions(body: DataView, from: number): ReadOption[] {
  const options: ReadOption[] = [];
  for (let at = from; at < body.byteLength;) {
    const code = body.getUint16(at, true), length = body.getUint16(at + 2, true);
    if (code === 0) {
      if (length !== 0 || at + 4 !== body.byteLength) throw new Error("the end of options is not at the end");
      return options;
    }
    options.push({ code, value: new Uint8Array(body.buffer, body.byteOffset + at + 4, length) });
    at += 4 + Math.ceil(length / 4) * 4;
  }
  if (from !== body.byteLength) throw new Error("options have no end");
  return options;
}
