// Full numbers of tests: EL2_LONG=1, as `deno task test:long` has it. CI keeps a case of each kind.

export const LONG = Deno.env.get("EL2_LONG") !== undefined;

/** A test of the full numbers alone: one that CI runs has the same mechanism. */
export function longTest(name: string, work: (context: Deno.TestContext) => void | Promise<void>): void {
  if (LONG) Deno.test(name, work);
}
