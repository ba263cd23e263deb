// `el2 events`: what happened in a session.

import { runner } from "../../common/argv.ts";
import { checkAnswered, ExitCode, Failure } from "../../common/failure.ts";
import { checkColumns, watching } from "../../common/list-options.ts";
import { report, reportGaps, RowStream } from "../../common/print.ts";
import type { RunOptions } from "../../common/run-command.ts";
import { checkVm, type OpenSession, openSession } from "../../common/session.ts";
import type { ValuesOf } from "../../../../model/commands/argument.ts";
import { EVENTS_OF_A_SESSION, eventsOf } from "../../../../model/commands/questions.ts";
import { allOfEvents, parseEventFilter } from "../../../../model/queries/filters/temporal-filter.ts";
import { type Answer, rowsOf } from "../../../../model/queries/query.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { EVENTS } from "../../../../model/queries/tables.ts";
import { gapsOf, type RowGap } from "../../../../model/queries/texts/row-gaps.ts";

/** Pause between two checks for new events, ms. */
const POLL = 50;
/** Events of one look. */
const BATCH = 20_000;

type EventRow = RowOf<typeof EVENTS>;

/** The entry's values, and how the events are printed. */
type EventOptions = ValuesOf<typeof EVENTS_OF_A_SESSION.args> & Omit<RunOptions, "follow">;

export const runEvents = runner(EVENTS_OF_A_SESSION, { run: (values, options) => events({ ...options, ...values }) });

async function events(options: EventOptions): Promise<number> {
  const { session, core, kinds, follow, watch } = options;
  checkColumns(EVENTS, options);
  if (follow && watch) throw new Failure("events: --follow prints new events, --watch all of them every second", "give one");
  using open = await openSession({ session, core });
  if (options.vm !== undefined) await checkVm(open, options.vm);
  if (kinds) open.session.send({ kind: "watch", kinds });
  return await watching(options, options.json ?? false, () => printEvents(open, options));
}

async function printEvents({ session, asker }: OpenSession, options: EventOptions): Promise<number> {
  const { json = false, kinds, follow = false, limit = Infinity } = options;
  const filter = allOfEvents([options.filter, eventsOf(options.vm)]);
  const stream = new RowStream(EVENTS, options, json);
  let left = limit, after: string | undefined, gaps = "", last: EventRow | undefined;
  if (follow) after = (await asker.ask({ table: "events", args: { limit: 1 } })).cursor;
  for (;;) {
    const answer = await asker.ask({ table: "events", args: { filter, after, kinds: kinds?.join(","), limit: BATCH } });
    checkAnswered(answer, ExitCode.Usage);
    const now = JSON.stringify(answer.gaps ?? []);
    if (now !== gaps) reportGaps(answer);
    gaps = now;
    if (after !== undefined && answer.dropped) report(`el2: ${answer.dropped} events were lost`);
    const rows = [...last ? [last] : [], ...rowsOf(EVENTS, answer)];
    const missing = gapsIn(answer, rows, filter);
    for (const [index, row] of rows.entries()) {
      if (row === last) continue;
      if (left-- <= 0) break;
      stream.print(session.info.name, answer, row, missing.find(({ before }) => before === index));
    }
    last = rows.at(-1);
    if (left <= 0 || !follow) return ExitCode.Done;
    after = answer.cursor;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/** The gaps of rows that pass a filter; of one over time, what is missing may be of any kind. */
function gapsIn({ unrecorded }: Answer, rows: readonly EventRow[], filter: string | undefined): readonly RowGap[] {
  if (!unrecorded) return [];
  const wanted = filter === undefined ? undefined : parseEventFilter(filter, EVENTS);
  return gapsOf(unrecorded, rows, (row) => !wanted || wanted.isTemporal || wanted.start().see(row).length > 0);
}
