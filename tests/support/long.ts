// Full numbers of tests: EL2_LONG=1, as `deno task test:long` has it. CI keeps a case of each kind.

export const LONG = Deno.env.get("EL2_LONG") !== undefined;

/** A test of the full numbers alone: one that CI runs has the same mechanism. */
export function longTest(name: string, work: (context: Deno.TestContext) => void | Promise<void>): void {
  if (LONG) Deno.test(name, work);
}

/**
 * The cases of a run by name: all of them with the full numbers, else those with these names, one
 * of each kind.
 */
export function casesOfRun<T>(cases: Readonly<Record<string, T>>, ofCi: readonly string[]): readonly (readonly [string, T])[] {
  for (const name of ofCi) if (!(name in cases)) throw new Error(`no case "${name}"`);
  return Object.entries(cases).filter(([name]) => LONG || ofCi.includes(name));
}
