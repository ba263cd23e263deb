// Composite disks of crosvm for tests, written from protos/src/cdisk_spec.proto and the wire format
// of Protocol Buffers.

/** A file of a disk. */
export interface TestComponent {
  readonly path: string;
  readonly offset: number;
  readonly writable?: boolean;
  readonly fileOffset?: number;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];
}

/** A field of a number; zero is left out, as writers of version 3 do. */
const number = (field: number, value: number) => value === 0 ? [] : [...varint(field * 8), ...varint(value)];
const bytes = (field: number, value: ArrayLike<number>) => [...varint(field * 8 + 2), ...varint(value.length), ...Array.from(value)];

/** The file of a composite disk. */
export function compositeDisk(
  { version, length, components }: { readonly version: number; readonly length: number; readonly components: readonly TestComponent[] },
): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const listed = components.flatMap(({ path, offset, writable, fileOffset = 0 }) => {
    const named = path === "" ? [] : bytes(1, text.encode(path));
    return bytes(2, [...named, ...number(2, offset), ...number(3, writable ? 1 : 0), ...number(4, fileOffset)]);
  });
  return Uint8Array.from([...text.encode("composite_disk\x1d"), ...number(1, version), ...listed, ...number(3, length)]);
}
