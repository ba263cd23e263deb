// Invariants after every operation, for tests: a sweep of the hypervisor's own checker.

import assert from "node:assert/strict";
import { Checker } from "../../../src/machine/hypervisor/check/check.ts";
import { describeViolation } from "../../../src/machine/hypervisor/check/violation.ts";
import type { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";

/**
 * Checks everything; throws an AssertionError that names what is broken. Objects without
 * capabilities that a test has made are taken for the hypervisor's own.
 */
export function checkInvariants(hypervisor: Hypervisor): void {
  const checker = hypervisor.checker ?? new Checker(hypervisor);
  assert.deepEqual(checker.sweep().map(describeViolation), []);
}
