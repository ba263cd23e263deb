// The rules of verdicts and of evidence, each in one table, in order of cause: from what causes
// others to what follows. The first rule that has a verdict on a VM gives it.

import { ADDRESS_EVIDENCE, BOOT_EVIDENCE, CONSOLE_EVIDENCE, DEVICE_EVIDENCE } from "./described.ts";
import { OTHER_END_EVIDENCE } from "./other-ends.ts";
import { END_RULES, RESTART_RULES, START_RULES } from "./verdict-end.ts";
import { BARRIER_EVIDENCE, DRIVER_EVIDENCE, IRQ_RULES } from "./verdict-irq.ts";
import {
  CPU_EVIDENCE,
  KERNEL_RULES,
  PROGRAM_EVIDENCE,
  REMARK_EVIDENCE,
  SAVED_RULES,
  STAGE_EVIDENCE,
  TASK_RULES,
} from "./verdict-kernel.ts";
import { MESSAGE_EVIDENCE, MESSAGE_RULES } from "./verdict-messages.ts";
import { SEND_EVIDENCE } from "./verdict-sends.ts";
import { REST_RULES, SLEEP_RULES } from "./verdict-sleep.ts";
import { OFF_EVIDENCE, START_EVIDENCE, TRAIL_EVIDENCE } from "./verdict-trail.ts";
import { LOOP_EVIDENCE, VCPU_RULES, WORK_RULES } from "./verdict-work.ts";
import type { EvidenceRule, VerdictRule } from "./verdict.ts";

/** The last ones apply to every VM. */
export const VERDICT_RULES: readonly VerdictRule[] = [
  ...RESTART_RULES,
  ...END_RULES,
  ...KERNEL_RULES,
  ...IRQ_RULES,
  ...START_RULES,
  ...VCPU_RULES,
  ...SLEEP_RULES,
  ...MESSAGE_RULES,
  ...TASK_RULES,
  // Healthy.
  ...SAVED_RULES,
  ...REST_RULES,
  ...WORK_RULES,
];

/** The evidence of the rule that gave the verdict. */
const OF_RULE: EvidenceRule = { codes: [], of: "kernel", read: (_, { evidence = [] }) => evidence };

export const EVIDENCE_RULES: readonly EvidenceRule[] = [
  ...BOOT_EVIDENCE,
  ...START_EVIDENCE,
  ...ADDRESS_EVIDENCE,
  ...DRIVER_EVIDENCE,
  ...CPU_EVIDENCE,
  ...OFF_EVIDENCE,
  OF_RULE,
  ...OTHER_END_EVIDENCE,
  ...SEND_EVIDENCE,
  ...STAGE_EVIDENCE,
  ...CONSOLE_EVIDENCE,
  ...TRAIL_EVIDENCE,
  ...MESSAGE_EVIDENCE,
  ...DEVICE_EVIDENCE,
  ...LOOP_EVIDENCE,
  ...BARRIER_EVIDENCE,
  ...PROGRAM_EVIDENCE,
  ...REMARK_EVIDENCE,
];
