// A virtio device that does not answer: each candidate for who has to act next is told from the
// others by the question that it asks, and has a guest.

import assert from "node:assert/strict";
import { DEVICE_RULES, type Queue, type SilentDevice, stateOfDevice } from "../../src/session/inspection/readers/objects/device-rules.ts";
import { isIdle, SOURCE_STATES, type SourceState } from "../../src/model/queries/facts/source-state.ts";
import { BROKEN_SOURCES, HEALTHY_SOURCES } from "./sources.ts";

const QUEUE: Queue = {
  ...{ queue: 0, input: false, ready: true, available: 0, taken: 0, lost: 0, used: 3, interrupts: true, continues: false },
};
const DEVICE: SilentDevice = { device: "dev:x/rng0", status: 15, defect: undefined, hasTarget: false, queues: [QUEUE] };
const queue = (differs: Partial<Queue>): Partial<SilentDevice> => ({ queues: [{ ...QUEUE, ...differs }] });

/** Each differs from an idle device, and has what a later candidate asks for, too. */
const CASES: readonly (readonly [code: SourceState["code"], differs: Partial<SilentDevice>])[] = [
  ["virtio-needs-reset", { defect: { code: "virtio-needs-reset", device: "dev:x/rng0", status: 0x4f, fault: null }, status: 0x4b }],
  ["virtio-not-ready", { status: 11, ...queue({ available: 1 }) }],
  ["virtio-serves", queue({ taken: 1, available: 1 })],
  ["virtio-listens", queue({ input: true, available: 4 })],
  ["virtio-configured", { hasTarget: true, ...queue({ available: 1 }) }],
  ["virtio-ring-unreadable", queue({ available: undefined, lost: 1, interrupts: false })],
  ["virtio-not-notified", queue({ available: 1, taken: 1, lost: 1 })],
  ["virtio-lost", queue({ taken: 1, lost: 1, interrupts: false })],
  ["virtio-silent", queue({ interrupts: false })],
  ["virtio-no-room", queue({ input: true })],
  ["virtio-queue-off", queue({ ready: false })],
  ["virtio-idle", {}],
];

for (const [code, differs] of CASES) {
  Deno.test(`a device that does not answer: ${code}`, () => {
    const state = stateOfDevice({ ...DEVICE, ...differs });
    assert.equal(state.code, code);
    assert.equal(SOURCE_STATES.wayOut(state) !== undefined, isIdle(state));
  });
}

/** States that need the computer's side, a fault that is injected, or a defect of el2. */
const ELSEWHERE: ReadonlySet<string> = new Set(["virtio-out-of-order", "virtio-lost", "virtio-ring-unreadable", "virtio-configured"]);
/** States of healthy guests. */
const UNDER_WAY: ReadonlySet<string> = new Set(["virtio-serves", "virtio-listens"]);

Deno.test("each candidate for a device that does not answer asks a question, and has a case and a guest", () => {
  const broken = JSON.stringify(BROKEN_SOURCES), cases = new Set(CASES.map(([code]) => code));
  assert.ok(Object.values(HEALTHY_SOURCES).flat().some(({ guest }) => guest === "REQUESTS"));
  for (const { codes, asks } of DEVICE_RULES) {
    assert.match(asks, /^[a-z].*\?$/);
    assert.ok(codes.some((code) => cases.has(code)), codes.join());
    for (const code of codes) assert.ok(broken.includes(`"${code}"`) || ELSEWHERE.has(code) || UNDER_WAY.has(code), code);
  }
});
