// `el2 gdb VM`: a gdb server for a VM of a session that runs in the background.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { RenamedOption } from "../../common/common-options.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { connectNamed, sessionOption } from "../../common/session.ts";
import { checkedEventFilter, parsePort } from "../../common/values.ts";
import { DebugLink } from "../../start/debuggers/gdb-link.ts";
import { besideSocket } from "../../../../session/control/places.ts";
import { type DebuggedVms, EVERY_VM, oneVm } from "../../../../model/queries/debugged-vms.ts";
import { END_CODES, END_SIGNALS, onSignals } from "../../../../kit/support/computer/signals.ts";
import { withoutKind } from "../../../../model/queries/ids.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/** The events of the hypervisor: calls, requests, power, life cycles, and all refusals. */
const HYPERVISOR_EVENTS = "kind=hvc | kind=rpc | kind=psci | kind=state | refused=yes";

export function registerGdb(program: Command, { exit }: CommandContext): void {
  program.command("gdb")
    .description("serve gdb for a VM of a session, until interrupted")
    .argument("<vm>", "the VM: NAME or vm:NAME; el2: all vCPUs, and continue stops at the hypervisor's events")
    .option(
      "--port <n>",
      "instead of a socket that only you can open, a port of 127.0.0.1 (0: any free one), which every local user can connect to",
      parsePort,
    )
    .option("--stdio", "use stdin and stdout: target remote | el2 gdb VM --stdio")
    .addOption(
      new RenamedOption("--event <filter>", `with el2: events at which continue stops (default: ${HYPERVISOR_EVENTS})`, "--events")
        .argParser((text) => checkedEventFilter("--event", text)),
    )
    .addOption(sessionOption)
    .addHelpText(
      "after",
      `
The VM runs until gdb connects, and continues when gdb disconnects. vm:el2 is a VM named el2.
The socket is SESSION.gdb beside the session's own; target remote takes its path (gdb 9 and later).

Examples:
  el2 gdb debian                                   prints the command for gdb
  el2 gdb debian --port 1234
  gdb-multiarch -ex 'set remotetimeout 30' -ex 'target remote | el2 gdb debian --stdio'
  el2 gdb el2 --event 'refused=yes'                then in gdb: continue, monitor events kind=rpc`,
    )
    .action(async (vm, options) => {
      if (vm !== "el2" && options.event !== undefined) {
        throw new Failure(
          `gdb: --event needs ${hintText(hint("gdb", "el2"))}`,
          way`to stop a session at events use ${hint("break", options.event)}`,
        );
      }
      exit(await serveGdb(vm === "el2" ? EVERY_VM : oneVm(withoutKind("vm", vm)), options));
    });
}

interface ServeOptions {
  readonly port?: number;
  readonly stdio?: boolean;
  readonly event?: string;
  readonly session?: string;
}

async function serveGdb(vms: DebuggedVms, { port, stdio, event: events, session: named }: ServeOptions): Promise<number> {
  const session = await connectNamed({ session: named });
  const attached = Promise.withResolvers<void>(), ended = Promise.withResolvers<number>();
  const link = new DebugLink(session, vms);
  session.onEvent = (event) => {
    if (event.kind !== "debug-attached") link.receive(event);
    else if (event.error === undefined) attached.resolve();
    else attached.reject(failed(event.error));
    if (event.kind === "ended" || event.kind === "failed") ended.resolve(ExitCode.Done);
  };
  session.onGone = () => {
    attached.reject(new Failure("the session has ended", undefined, ExitCode.NoSession));
    ended.resolve(ExitCode.NoSession);
  };
  // An interrupted server leaves no socket.
  const unheard = onSignals(END_SIGNALS, (signal) => {
    link.end(0);
    Deno.exit(END_CODES[signal]);
  });
  session.send({ kind: "debug-attach", vms });
  try {
    await attached.promise;
    if (vms.kind === "all") await link.stopAtEvents(events ?? HYPERVISOR_EVENTS);
    // Windows has no such sockets.
    const place = port ?? (Deno.build.os === "windows" ? 0 : besideSocket(session.path).gdb);
    link.serve(stdio ? "stdio" : place, false);
    return await Promise.race([ended.promise, link.served.then(() => ExitCode.Done)]);
  } finally {
    unheard();
    link.end(0);
    session.close();
  }
}
