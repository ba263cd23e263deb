// `el2 break` and `el2 vcpu step`: where a session's machine stops, and waiting for a stop.

import { answer } from "../../common/answer.ts";
import { runner } from "../../common/argv.ts";
import { ExitCode, failed } from "../../common/failure.ts";
import { perform } from "../../common/run-command.ts";
import { openSession } from "../../common/session.ts";
import { firstStop, within } from "../../common/stops.ts";
import { BREAK } from "../../../../model/commands/time.ts";
import { STEP_TIMEOUT, VCPU_STEP } from "../../../../model/commands/vcpu.ts";

export const runBreak = runner(BREAK, {
  async run(values, options) {
    const { rule, at = [], wait, timeout } = values, steps = BREAK.steps?.(values) ?? [];
    using open = await openSession(options);
    const stopped = firstStop(open);
    for (const step of steps) await perform(open, step, options);
    // Without a new rule, the wait is for a paused machine.
    const waits = wait && (rule.length + at.length > 0 || !open.session.info.paused);
    const stop = waits ? await within(stopped, timeout, "no rule has stopped the machine") : undefined;
    await answer(open, { table: "stop.ls", args: { filter: stop && `id=${stop.rule}` } }, options.json ?? false, { list: options });
    return ExitCode.Done;
  },
});

export const runStep = runner(VCPU_STEP, {
  async run({ vcpu, count, timeout = STEP_TIMEOUT }, options) {
    using open = await openSession(options);
    const stopped = firstStop(open);
    await perform(open, { kind: "stop-rule", change: { kind: "step", vcpu, count } }, options);
    const { rule, text } = await within(stopped, timeout, `${vcpu} has not executed ${count} instructions`);
    if (rule !== "step") throw failed(`${rule} stopped the machine before: ${text}`);
    await answer(open, { table: "vcpu.ls", args: { filter: `id=${vcpu}` } }, options.json ?? false);
    return ExitCode.Done;
  },
});
