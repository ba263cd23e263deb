// `el2 trace start|stop|stats|export`: events of a session, or of a recording that is run again, in
// formats of others.

import { type Command, Option } from "@commander-js/extra-typings";
import { exportInstructions } from "./trace-tarmac.ts";
import type { CommandContext } from "../../common/command.ts";
import { offering } from "../../common/command-tree.ts";
import { checkAnswered, ExitCode, failed, Failure } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { parseDuration, parseKinds } from "../../common/values.ts";
import { NamedFile } from "../../common/named-file.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { onlyPlace, readNamedRecording } from "../../start/plans/recordings.ts";
import { KERNEL_KINDS, MACHINE_KINDS, TRACE_KINDS, type TraceKind } from "../../../../machine/abi/trace.ts";
import { Asker } from "../../../../session/control/asker.ts";
import { MESSAGE_FILTER, MESSAGE_KINDS } from "../../../../session/export/message-capture.ts";
import { type ExportFormat, exportTrace, type Recorded } from "../../../../session/export/mod.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import { type EventRow, eventRowsOf } from "../../../../model/queries/event-row.ts";
import { allOfEvents } from "../../../../model/queries/filters/temporal-filter.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { QUEUES, VMS } from "../../../../model/queries/tables.ts";
import { connectEmbedded } from "../../../../session/worker/client.ts";
import { endProblem } from "../../../../model/queries/facts/problem.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/** Events of one question. */
const PAGE = 20_000;
/** Formats by the end of a file's name. */
const BY_ENDING: Readonly<Record<string, ExportFormat | "tarmac">> = {
  ".pftrace": "perfetto",
  ".perfetto-trace": "perfetto",
  ".json": "chrome",
  ".ndjson": "ndjson",
  ".pcapng": "pcapng",
  ".tarmac": "tarmac",
};
/** Wall time (ms) between two checks of a recording that runs. */
const POLL = 100;

/** Adds `trace export`. */
export function addExport(trace: Command, { entry, exit }: CommandContext): void {
  withSessionOptions(trace.command("export").description("write the events of a session, or of a recording, to a file"))
    .argument("<file>", `file to write: ${Object.keys(BY_ENDING).join(", ")} select the format`)
    .option("--recording <file>", "replay this recording and export its events")
    .addOption(offering(
      new Option("--kinds <kinds>", `with --recording: kinds to record (default: all but ${KERNEL_KINDS.join(" and ")})`).argParser(
        parseKinds,
      ),
      { words: () => ["all", ...TRACE_KINDS], listed: true },
    ))
    .option("--to <time>", "with --recording: stop at this virtual time", parseDuration)
    .option("--from <time>", "tarmac: begin at this virtual time", parseDuration)
    .option("--vm <vm>", "tarmac: only what this VM executes")
    .addOption(hostOption())
    .addOption(anywayOption)
    .option("--filter <filter>", "only matching events; tarmac: instructions, by vcpu, vm, pc and el")
    .addHelpText(
      "after",
      `
perfetto is for ui.perfetto.dev, chrome for chrome://tracing; pcapng has the messages of all queues, including RM RPC (docs/captures.md).
tarmac has each instruction with its registers and accesses to memory, of a recording or of the session's run so far.

Examples:
  el2 trace start; sleep 5; el2 trace stop; el2 trace export phone.pftrace
  el2 trace export rpc.pcapng --recording bug.rec --kinds msg
  el2 trace export bug.tarmac --recording bug.rec --from 20ms --to 21ms --filter "pc=0x40080000..0x40081000"`,
    )
    .action(async (file, options) => {
      const format = Object.entries(BY_ENDING).find(([ending]) => file.endsWith(ending))?.[1];
      if (!format) {
        throw new Failure(
          `trace export: the name "${file}" does not select a format`,
          `use one that ends in ${Object.keys(BY_ENDING).join(", ")}`,
        );
      }
      if (format === "tarmac") {
        if (options.kinds) throw new Failure("trace export: --kinds is for events", "select instructions with --filter");
        await exportInstructions(entry, "trace export", file, options);
        return exit(ExitCode.Done);
      }
      if (options.from !== undefined || options.vm !== undefined) {
        throw new Failure("trace export: --from and --vm need a file that ends in .tarmac", "select events with --filter");
      }
      if (options.recording === undefined && (options.kinds || options.to !== undefined)) {
        throw new Failure(
          "trace export: --kinds and --to need --recording",
          way`select what a session records with ${hint("trace start", { kinds: options.kinds?.join() })}`,
        );
      }
      const filter = format === "pcapng" ? allOfEvents([options.filter, MESSAGE_FILTER]) : options.filter;
      const kinds = options.kinds ?? [...format === "pcapng" ? MESSAGE_KINDS : MACHINE_KINDS];
      using written = new NamedFile(file, "trace export");
      const recorded = options.recording === undefined
        ? await ofSession({ session: options.session, filter, what: unitOf(format) })
        : await ofRecording(entry, options.recording, { ...options, filter, kinds });
      await write(written, recorded, format);
      exit(ExitCode.Done);
    });
}

async function write(file: NamedFile, recorded: Recorded, format: ExportFormat): Promise<void> {
  using progress = new Progress(`writing ${file.path}`, "bytes");
  for (const piece of exportTrace(recorded, format)) {
    file.write(piece);
    progress.at(file.bytes);
    await progress.turn();
  }
  file.end();
  report(`el2: ${recorded.events.length} ${unitOf(format)}, ${file.bytes} bytes in ${file.path}`);
}

/** The word for the events in a file of this format. */
const unitOf = (format: ExportFormat) => format === "pcapng" ? "messages" : "events";

/**
 * The recorded events of a session; if recording was never started, those that it keeps anyway.
 * @param options `what`: see `unitOf`
 */
async function ofSession(options: { readonly session?: string; readonly filter?: string; readonly what: string }): Promise<Recorded> {
  using open = await openSession(options);
  using progress = new Progress("reading", "events");
  const pages = new Pages(open.asker, options.filter);
  await progress.during(pages.take((events) => progress.at(events)));
  if (pages.events.length) return await pages.recorded();
  const isStarted = (await open.asker.ask({ table: "trace.stats", args: { filter: "recorded=yes | events>0" } })).rows.length > 0;
  if (isStarted) throw failed(`no ${options.what} are recorded`, way`count the recorded events with ${hint("trace stats")}`);
  await pages.takeKept();
  if (!pages.events.length) throw failed(`no ${options.what} are recorded`, way`start recording with ${hint("trace start")}`);
  report(`el2: these events are kept always; ${hintText(hint("trace start"))} records all kinds, such as hypercalls`);
  return await pages.recorded();
}

/** How a recording is run again, and which of its events are exported. */
interface ReplayOptions {
  readonly kinds: readonly TraceKind[];
  readonly to?: number;
  readonly filter?: string;
  readonly allowHost?: readonly string[];
  readonly anyway?: boolean;
}

/** The events of a recording, which is run again. */
async function ofRecording(entry: URL, path: string, { kinds, to, filter, allowHost, anyway }: ReplayOptions): Promise<Recorded> {
  const { plan, ...recording } = await readNamedRecording(path, hostConsent(allowHost), anyway);
  const place = onlyPlace(to === undefined ? undefined : { kind: "time", at: to } as const, recording);
  const client = connectEmbedded(entry);
  using progress = new Progress(`replaying ${path}`, "instructions");
  const asker = new Asker(client),
    pages = new Pages(asker, filter),
    last = place === undefined ? recording.end?.end.instructions : undefined;
  let over = false;
  const broken = Promise.withResolvers<never>();
  // It may reject when nothing awaits it.
  broken.promise.catch(() => {});
  client.onEvent = (event) => {
    if (asker.receive(event)) return;
    if (event.kind === "console") client.send({ kind: "taken", bytes: event.bytes.length });
    if (event.kind === "sample") progress.at(event.sample.instructions, last);
    if (event.kind === "ended") over = true;
    if (event.kind === "ended" && event.end.differs) report(`el2: ${path}: ${event.end.message}`);
    if (event.kind === "ended" && event.end.code === ExitCode.Usage) broken.reject(new Failure(endProblem(event.end)));
    if (event.kind === "failed") broken.reject(failed(`trace export: ${path}: bug: ${event.message}`));
  };
  try {
    client.send({
      kind: "start",
      plan: { ...plan, replay: { recording, verify: false, to: place } },
    });
    client.send({ kind: "trace", kinds });
    const all = async () => {
      while (!over) {
        await new Promise((resolve) => setTimeout(resolve, POLL));
        await pages.take();
      }
      await pages.take();
      return await pages.recorded();
    };
    return await progress.during(Promise.race([all(), broken.promise]));
  } finally {
    client.close();
  }
}

/** Takes events page by page. */
class Pages {
  readonly events: EventRow[] = [];
  #after = "0";

  constructor(readonly asker: Asker, readonly filter: string | undefined) {}

  /** Takes all events up to now. */
  async take(taken: (events: number) => void = () => {}): Promise<void> {
    for (;;) {
      const got = await this.asker.ask({ table: "trace.events", args: { after: this.#after, limit: PAGE, filter: this.filter } });
      checkAnswered(got, ExitCode.Usage);
      if (got.dropped) report(`el2: ${got.dropped} events were lost: the buffer was full`);
      for (const row of eventRowsOf(got)) this.events.push(row);
      taken(this.events.length);
      if (got.cursor === undefined || got.cursor === this.#after) return;
      this.#after = got.cursor;
    }
  }

  /** Takes those that `el2 events` lists. */
  async takeKept(): Promise<void> {
    const got = await this.asker.ask({ table: "events", args: { limit: PAGE, filter: this.filter } });
    checkAnswered(got, ExitCode.Usage);
    for (const row of eventRowsOf(got)) this.events.push(row);
  }

  /** These, with what names mean. */
  async recorded(): Promise<Recorded> {
    const vms = rowsOf(VMS, await this.asker.ask({ table: "vm.ls", args: {} }));
    const vmids = new Map(vms.map(({ id, vmid }) => [nameOf(id), Number(vmid)]));
    const ends = rowsOf(QUEUES, await this.asker.ask({ table: "queue.ls", args: {} }));
    const queues = new Map(ends.map(({ id, from, to }) => [id, { from, to }]));
    return { events: this.events, vmids, queues };
  }
}
