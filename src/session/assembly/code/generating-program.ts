// Identity of the program that generates cores and regions.

import { programChanged, programDigest } from "../../../kit/support/program-identity.ts";

/**
 * Folders of the sources that decide what is generated: the core imports nothing else
 * (tests/layers_test.ts).
 */
export const GENERATING = ["cpu/core", "cpu/isa", "kit/support"];

/** The name of a cache's file for a program and what else is in `parts`, without its ending. */
export const fileNameOf = (...parts: readonly string[]): string => parts.join().replaceAll(/[^\w.]+/g, "-");

/** By `loaded`. */
const known = new Map<number, string>();

/**
 * Sources, runtime and target, as one text; undefined if the program on disk may be another one
 * than the one that runs.
 * @param loaded when the program was read, ms since 1970: later changes are not part of what runs
 */
export function generatingProgram(loaded: number): string | undefined {
  const program = known.get(loaded);
  if (program !== undefined) return program;
  const digest = programDigest(GENERATING);
  if (programChanged(loaded, GENERATING)) return undefined;
  const text = [digest, Deno.version.v8, Deno.build.target].join();
  known.set(loaded, text);
  return text;
}
