/**
 * el2 as a library: a Gunyah-compatible machine without a terminal, stepped through virtual time.
 *
 * ```ts no-eval
 * import { GunyahMachine } from "./mod.ts";
 *
 * const machine = GunyahMachine.boot({ image: Deno.readFileSync("Image"), commandLine: "console=ttyAMA0" });
 * machine.run(1e9); // one second of virtual time
 * for (const { bytes } of machine.output()) Deno.stdout.writeSync(bytes);
 * ```
 *
 * @module
 */

export { type BootOptions, GunyahMachine, type Progress } from "./src/workstation/library.ts";
export { PlanError } from "./src/workstation/plan.ts";
