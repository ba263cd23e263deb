// Writer of tar archives whose bytes depend on their content alone: POSIX.1-1988 ustar, with root
// as the owner of everything.

/** A file, a folder or a symbolic link. */
export interface WrittenEntry {
  /** Without a slash in front. */
  readonly path: string;
  readonly permissions: number;
  /** Of a file. */
  readonly data?: Uint8Array;
  /** Of a symbolic link. */
  readonly target?: string;
}

const BLOCK = 512;
/** Bytes of fields. */
const NAME_MAX = 100, PREFIX_MAX = 155;

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Whether an entry has a header. */
export function fitsTar({ path, target = "" }: Pick<WrittenEntry, "path" | "target">): boolean {
  return splitPath(`${path}/`) !== undefined && bytesOf(target).length <= NAME_MAX;
}

/**
 * The parts of an archive, in order.
 * @param modified of all entries, seconds since 1970
 * @throws Error if an entry does not fit
 */
export function tarBlocks(entries: readonly WrittenEntry[], modified: number): Uint8Array[] {
  const blocks = entries.flatMap((entry) => {
    const size = entry.data?.length ?? 0;
    const padding = new Uint8Array(-size & BLOCK - 1);
    return [header(entry, size, modified), entry.data ?? new Uint8Array(), padding];
  });
  return [...blocks, new Uint8Array(2 * BLOCK)];
}

function header({ path, permissions, data, target }: WrittenEntry, size: number, modified: number): Uint8Array {
  const folder = data === undefined && target === undefined;
  const parts = splitPath(folder ? `${path}/` : path);
  if (!parts || !fitsTar({ path, target })) throw new Error(`${path}: too long for a tar header`);
  const bytes = new Uint8Array(BLOCK);
  const text = (at: number, value: string) => bytes.set(bytesOf(value), at);
  const octal = (at: number, width: number, value: number) => text(at, value.toString(8).padStart(width - 1, "0"));
  const [prefix, name] = parts;
  text(0, name);
  octal(100, 8, permissions);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, size);
  octal(136, 12, modified);
  text(148, "        ");
  text(156, target !== undefined ? "2" : folder ? "5" : "0");
  text(157, target ?? "");
  text(257, "ustar\x0000root");
  text(297, "root");
  text(345, prefix);
  text(148, `${bytes.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `);
  return bytes;
}

/** Prefix and name of a header; undefined if the path fits in none. */
function splitPath(path: string): [prefix: string, name: string] | undefined {
  if (bytesOf(path).length <= NAME_MAX) return ["", path];
  for (let at = path.indexOf("/"); at > 0 && at < path.length - 1; at = path.indexOf("/", at + 1)) {
    const prefix = path.slice(0, at), name = path.slice(at + 1);
    if (bytesOf(name).length <= NAME_MAX) return bytesOf(prefix).length <= PREFIX_MAX ? [prefix, name] : undefined;
  }
  return undefined;
}
