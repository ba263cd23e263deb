// Machines for a client of the Debug Adapter Protocol: those that it starts run in this process,
// others are sessions.

import { failed, Failure } from "../../common/failure.ts";
import { connectNamed } from "../../common/session.ts";
import { checkUse, hostConsent } from "../plans/consent.ts";
import { plannedOf, plannedTable } from "../plans/planned.ts";
import { planOfSnapshot } from "../plans/snapshots.ts";
import { readSymbols } from "../plans/symbol-files.ts";
import { Asker } from "../../../../session/control/asker.ts";
import { DapReader, encodeMessage } from "../../../../session/debug/dap/messages.ts";
import { DapSession } from "../../../../session/debug/dap/session.ts";
import type { AttachWanted, DapEvents, DapMachines, DapTarget, LaunchWanted } from "../../../../session/debug/dap/target.ts";
import { type DebuggedVms, EVERY_VM } from "../../../../model/queries/debugged-vms.ts";
import type { PlanReader } from "../../../configuration/plan-run.ts";
import { type Consent, hostPathOf } from "../../../../model/plans/host-resources.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../../../model/plans/plan.ts";
import type { DebugAnswer, MachineSample, SessionDebugAccess, SessionEvent } from "../../../../model/protocol/protocol.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { VMS } from "../../../../model/queries/tables.ts";
import { connectEmbedded, type SessionClient } from "../../../../session/worker/client.ts";
import { isSnapshot } from "../../../../session/snapshots/file.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";
import { endProblem } from "../../../../model/queries/facts/problem.ts";
import { asProblem, problemText, type Said } from "../../../../kit/support/problem.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

/** Others may ask through the same client, with their own numbers. */
const FIRST_QUESTION = 2e9;
const GONE = "the machine has ended";
/** Time (ms) that a client has to bring its token: one without holds a place for no longer. */
const PATIENCE = 30_000;

/** One client's bytes in both directions. */
interface DapConnection {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** How clients are served. */
export interface DapOptions {
  /** Files of this computer outside of the working folder that a client may use. */
  readonly allowHost: readonly string[];
  /** A client must bring it; undefined: only its user can connect. */
  readonly token?: string;
  /** How long it may take for that, ms. */
  readonly patience?: number;
}

/** Serves a client until it disconnects. */
export async function serveDap(entry: URL, { readable, writable }: DapConnection, options: DapOptions): Promise<void> {
  const { allowHost, token, patience = PATIENCE } = options;
  const writer = writable.getWriter(), done = Promise.withResolvers<void>();
  const machines: DapMachines = { launch: (wanted, events) => launch(entry, wanted, events, hostConsent(allowHost, () => false)), attach };
  // A client that is gone shows in the other direction as well.
  const session = new DapSession(
    machines,
    (message) => void writer.write(encodeMessage(message)).catch(() => done.resolve()),
    () => done.resolve(),
    token,
  );
  const late = setTimeout(() => !session.known && done.resolve(), patience);
  const reader = new DapReader(), input = readable.getReader();
  let over = false;
  const serve = async () => {
    for (;;) {
      const { value, done: ended } = await input.read();
      if (ended) return;
      for (const received of reader.push(value)) {
        if (received.kind === "request") await session.receive(received.request);
        else {
          session.refuse(0, "", received.message);
          if (received.fatal) return;
        }
        // A client that reads no answers gets no more of them.
        await writer.ready.catch(() => done.resolve());
        if (over) return;
      }
    }
  };
  try {
    await Promise.race([serve(), done.promise]);
  } finally {
    over = true;
    clearTimeout(late);
    await session.lost();
    // The client may be gone.
    await writer.close().catch(() => {});
    await input.cancel().catch(() => {});
  }
}

/** Starts a machine that stops before the first instruction of a VM. */
async function launch(entry: URL, wanted: LaunchWanted, events: DapEvents, consent: Consent): Promise<DapTarget> {
  const plan = await planOfLaunch(wanted, consent), { vms } = wanted;
  const client = connectEmbedded(entry), link = new MachineLink(client, hintText(hint("dap")), vms, events, () => client.close());
  client.onEvent = (event) => link.receive(event);
  client.send({ kind: "start", plan: { ...plan, history: true } });
  // The VMs of a snapshot are past their first instructions.
  if (plan.debug === undefined) {
    client.send({ kind: "debug-attach", vms: debugged(vms) });
    await link.attached;
    link.stop();
  }
  return link;
}

/** The debugger's VMs as requests name them. */
function debugged(vms: readonly string[] | undefined): DebuggedVms {
  return vms ? { kind: "vms", vms } : EVERY_VM;
}

/**
 * The plan of a request, which a project's file may have made: its files are those of the working
 * folder.
 */
async function planOfLaunch(wanted: LaunchWanted, consent: Consent): Promise<SessionPlan> {
  const source = { kind: "launch request", path: ".", folder: ".", content: () => JSON.stringify(wanted) };
  const reader: PlanReader = { consent, source };
  if (wanted.boot !== undefined) {
    const { cpus, turbo, append: cmdline, boot: kernel, initrd, memory = "256MiB" } = wanted;
    const host = { kind: "image", kernel, cmdline, ...initrd !== undefined && { initrd } };
    const { plan } = await plannedTable({ machine: { cpus, memory, turbo }, host }, reader);
    checkVms(wanted.vms, [PRIMARY_CONSOLE]);
    return { ...plan, debug: debugged(wanted.vms) };
  }
  const what = wanted.what!;
  if (isSnapshot(what)) {
    checkUse(source, [hostPathOf("snapshot", what, false)], consent);
    const { plan } = await planOfSnapshot(what, consent);
    checkVms(wanted.vms, vmsOf(plan));
    return { ...plan, turbo: wanted.turbo || plan.turbo };
  }
  const { plan } = await plannedOf(what, reader);
  checkVms(wanted.vms, vmsOf(plan));
  return { ...plan, turbo: wanted.turbo || plan.turbo, debug: debugged(wanted.vms) };
}

function vmsOf({ what }: SessionPlan): string[] {
  return what.kind === "run" ? [...what.host.vms.map(({ name }) => name), PRIMARY_CONSOLE] : [PRIMARY_CONSOLE];
}

function checkVms(wanted: readonly string[] | undefined, vms: readonly string[]): void {
  for (const name of wanted ?? []) {
    if (!vms.includes(name)) throw new Failure(`no VM called "${name}"`, didYouMeanOneOf(name, vms));
  }
}

async function attach({ session, vms }: AttachWanted, events: DapEvents): Promise<DapTarget> {
  const client = await connectNamed({ session, follow: true, naming: '"session" of the attach request' });
  const asker = new Asker(client);
  const link = new MachineLink(client, client.info.name, vms, events, () => client.close());
  client.onEvent = (event) => {
    // The session's machine waits until its output is taken.
    if (event.kind === "console") client.send({ kind: "taken", bytes: event.bytes.length });
    if (!asker.receive(event)) link.receive(event);
  };
  client.onGone = (reason) => link.end(1, reason ?? "the session has ended");
  try {
    client.send({ kind: "debug-attach", vms: debugged(vms) });
    await link.attached;
    checkVms(vms, rowsOf(VMS, await asker.ask({ table: "vm.ls", args: {} })).map(({ id }) => nameOf(id)));
  } catch (error) {
    client.close();
    throw error;
  }
  return link;
}

/** A machine and its debugger. */
class MachineLink implements DapTarget {
  readonly #asker: Asker;
  readonly #answers: ((answer: DebugAnswer) => void)[] = [];
  readonly #attached = Promise.withResolvers<void>();
  #gone = false;
  #ending: (() => void) | undefined;
  /** The VMs and vCPUs of the last sample. */
  #shape = "";

  constructor(
    readonly client: SessionClient,
    readonly name: string,
    readonly vms: readonly string[] | undefined,
    readonly events: DapEvents,
    readonly close: () => void,
  ) {
    this.#asker = new Asker(client, FIRST_QUESTION);
    // Without a client that waits for it, a refusal is reported nowhere else.
    this.#attached.promise.catch(() => {});
  }

  /** Resolves when the VM has this debugger. */
  get attached(): Promise<void> {
    return this.#attached.promise;
  }

  /** Handles an event of the session. */
  receive(event: SessionEvent): void {
    if (this.#asker.receive(event)) return;
    switch (event.kind) {
      case "debug-attached":
        if (event.error === undefined) this.#attached.resolve();
        else this.#attached.reject(failed(event.error));
        break;
      case "debug-answer":
        this.#answers.shift()?.(event.answer);
        break;
      case "debug-stopped":
        this.events.stopped(event.stop);
        break;
      case "console":
        this.events.console(event.console, event.bytes);
        break;
      case "sample": {
        const shape = shapeOf(event.sample);
        this.events.sampled(shape !== this.#shape);
        this.#shape = shape;
        break;
      }
      case "ended":
        this.end(event.end.code, endProblem(event.end));
        break;
      case "failed":
        this.end(1, event.message);
        break;
    }
  }

  /** The machine is gone. */
  end(code: number, why: Said): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#attached.reject(failed(why));
    for (const answer of this.#answers.splice(0)) answer({ kind: "refused", message: GONE });
    this.events.ended(code, problemText(asProblem(why)));
    this.#ending?.();
    this.close();
  }

  ask(access: SessionDebugAccess): Promise<DebugAnswer> {
    if (this.#gone) return Promise.resolve<DebugAnswer>({ kind: "refused", message: GONE });
    const { promise, resolve } = Promise.withResolvers<DebugAnswer>();
    this.#answers.push(resolve);
    this.client.send({ kind: "debug", access });
    return promise;
  }

  async query(query: Parameters<DapTarget["query"]>[0]): ReturnType<DapTarget["query"]> {
    return await this.#asker.ask(query);
  }

  async stopAtEvents(filter: string | undefined): Promise<string | undefined> {
    const answer = await this.ask({ kind: "stop-at-events", filter });
    return answer.kind === "refused" ? answer.message : undefined;
  }

  async addSymbols(vm: string, path: string): Promise<string | undefined> {
    try {
      for (const file of await readSymbols(path)) {
        const problem = await this.#asker.symbols(vm, file);
        if (problem) return problemText(problem);
      }
      return undefined;
    } catch (error) {
      if (error instanceof Failure) return error.message;
      throw error;
    }
  }

  stop(): void {
    this.client.send({ kind: "debug-stop" });
  }

  go(...[step, range]: Parameters<DapTarget["go"]>): void {
    this.client.send({ kind: "debug-continue", step, range });
  }

  back(step: number | undefined): void {
    this.client.send({ kind: "debug-back", step });
  }

  detach(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.client.send({ kind: "debug-release" });
    this.close();
  }

  async kill(): Promise<void> {
    if (this.#gone) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ending = resolve;
    this.client.send({ kind: "stop" });
    await promise;
  }
}

/** Which VMs there are, in which state, with how many vCPUs. */
function shapeOf({ vms }: MachineSample): string {
  return vms.map(({ name, state, vcpus }) => `${name} ${state} ${vcpus.length}`).join("\n");
}
