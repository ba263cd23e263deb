// Rules of injected faults, in words.

import { hint } from "../../../kit/support/text/hint.ts";
import { way, type WayOut } from "../../../kit/support/text/way-out.ts";

/** The way out of what a rule has caused. @param rule `inject:1`, or `all` */
export const removalOf = (rule: string): WayOut => way`remove the rule that injects it: \`${hint("inject", { remove: rule })}\``;
