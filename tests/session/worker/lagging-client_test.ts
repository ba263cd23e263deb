// A machine and a client that cannot follow its events.

import assert from "node:assert/strict";
import { MachineServer } from "../../../src/session/worker/machine-server.ts";
import { Outbox } from "../../../src/session/worker/outbox.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { imageOf } from "../../app/cli/program.ts";

/** PACIA, which is UNDEFINED: each exception is another event, as there is no vector. */
const STORM: SessionPlan = {
  cpus: 1,
  memory: 64 * MiB,
  seed: 1,
  turbo: true,
  what: { kind: "boot", image: imageOf([0xdac10020, 0x14000000]), initrd: undefined, dtb: undefined, append: undefined },
};

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(1);
}

Deno.test("a machine waits while its client has heard too little, and continues when it has", async () => {
  let heard = 0, messages = 0;
  const ended = Promise.withResolvers<void>();
  const outbox = new Outbox((events) => {
    messages++;
    if (events.some(({ kind }) => kind === "ended")) ended.resolve();
  }, () => heard);
  const server = new MachineServer(outbox, () => false);
  server.receive([{ kind: "start", plan: STORM }], () => {});
  for (let time = 0; time < 3; time++) {
    await until(() => outbox.lags);
    const told = messages;
    await pause(100);
    assert.equal(messages, told);
    heard = messages;
  }
  server.receive([{ kind: "stop" }], () => {});
  await ended.promise;
});
