// Typed input of a run without a screen: stdin to a console, except the prefix that ends the run.

/** The default prefix before `d` on a terminal. */
export const DEFAULT_PREFIX = "ctrl-]";
const LEAVE = "d".charCodeAt(0);

/** The byte that a terminal sends for `ctrl-X`. */
export function controlByte(key: string): number {
  return key.charCodeAt(key.length - 1) & 0x1f;
}

/** Ends a run on a terminal: its prefix and `d`; the prefix twice is one for the guest. */
interface Leave {
  readonly prefix: number;
  readonly call: () => void;
}

/** Hands stdin on until it ends; the end of input does not end the run. */
export async function readInput(leave: Leave | undefined, give: (bytes: Uint8Array) => void): Promise<void> {
  let prefix = false;
  for await (const chunk of Deno.stdin.readable) {
    if (!leave) {
      give(chunk);
      continue;
    }
    const bytes: number[] = [];
    for (const byte of chunk) {
      if (prefix && byte === LEAVE) return leave.call();
      if (byte === leave.prefix && !prefix) prefix = true;
      else {
        bytes.push(byte);
        prefix = false;
      }
    }
    if (bytes.length) give(Uint8Array.from(bytes));
  }
}
