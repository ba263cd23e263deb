// `el2 irq top`: the most frequent interrupts, by their rate over a time.

import { answer } from "../../common/answer.ts";
import { runner } from "../../common/argv.ts";
import { ExitCode } from "../../common/failure.ts";
import { openSession } from "../../common/session.ts";
import { IRQ_TOP, TOP_TIME } from "../../../../model/commands/irq.ts";

export const runTop = runner(IRQ_TOP, {
  async run({ limit, for: time = TOP_TIME }, options) {
    using open = await openSession(options);
    // Rates are relative to an earlier query.
    await open.asker.ask({ table: "irq.ls", args: {} });
    await new Promise((resolve) => setTimeout(resolve, time / 1e6));
    const query = { table: "irq.ls", args: { filter: "rate>0 | finding!=-", limit } } as const;
    await answer(open, query, options.json ?? false, { list: options });
    return ExitCode.Done;
  },
});
