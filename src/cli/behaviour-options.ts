// The options of `boot` and `run` that choose how the hypervisor behaves (`Behaviour`).

import { Option } from "@commander-js/extra-typings";
import { type Behaviour, CAP_IDS, DEFAULT_BEHAVIOUR, QUIRKS } from "../workstation/plan.ts";

export const capIdsOption = new Option("--cap-ids <kind>", `how capability ids look (default: "${DEFAULT_BEHAVIOUR.capIds}")`)
  .choices(CAP_IDS);
export const quirksOption = new Option(
  "--quirks <kind>",
  `defects of the recorded hypervisor against its document (default: "${DEFAULT_BEHAVIOUR.quirks}")`,
).choices(QUIRKS);
export const strictOption = new Option("--strict", "stop at the first call or access of a guest that no rule covers");
export const checkOption = new Option("--check", "check the hypervisor's invariants after every operation, and stop where one is broken");

/** The options again, for a command line of one's own. */
export function behaviourArguments({ capIds, quirks, strict, check }: Partial<Behaviour>): string[] {
  return [
    ...capIds ? ["--cap-ids", capIds] : [],
    ...quirks ? ["--quirks", quirks] : [],
    ...strict ? ["--strict"] : [],
    ...check ? ["--check"] : [],
  ];
}

/** What the options that were given choose. */
export function behaviourOf(options: Partial<Behaviour>): Partial<Behaviour> {
  const { capIds, quirks, strict, check } = options;
  return { ...capIds && { capIds }, ...quirks && { quirks }, ...strict && { strict }, ...check && { check } };
}
