// Machines for a client of the Debug Adapter Protocol: those that it starts run in this process,
// others are sessions.

import { ExitCode, Failure, readNamedFile } from "../common/failure.ts";
import { connectNamed, vmName } from "../common/session.ts";
import { plannedOf } from "./planned.ts";
import { planOfSnapshot } from "./snapshots.ts";
import { readSymbolFile } from "./symbol-files.ts";
import { Asker } from "../../control/asker.ts";
import { encodeMessage, MessageReader } from "../../debug/dap/messages.ts";
import { DapSession } from "../../debug/dap/session.ts";
import type { AttachWanted, DapEvents, DapMachines, DapTarget, LaunchWanted } from "../../debug/dap/target.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../plans/plan.ts";
import type { DebugAnswer, SessionDebugAccess, SessionEvent } from "../../protocol/protocol.ts";
import { rowsOf } from "../../queries/query.ts";
import { VCPUS } from "../../queries/tables.ts";
import { connectEmbedded, type SessionClient } from "../../session/client.ts";
import { isSnapshot } from "../../snapshots/file.ts";
import { didYouMean } from "../../support/did-you-mean.ts";
import { parseSize } from "../../support/units.ts";
import { MiB } from "../../support/sizes.ts";

const DEFAULT_MEMORY = 256 * MiB;
const CPUS_MAX = 8;
/** Others may ask through the same client, with their own numbers. */
const FIRST_QUESTION = 2e9;
const GONE = "the machine has ended";

/** One client's bytes in both directions. */
export interface DapConnection {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * Serves a client until it disconnects.
 * @param token what the client must bring; undefined: only its user can connect
 */
export async function serveDap(entry: URL, { readable, writable }: DapConnection, token?: string): Promise<void> {
  const writer = writable.getWriter(), done = Promise.withResolvers<void>();
  const machines: DapMachines = { launch: (wanted, events) => launch(entry, wanted, events), attach };
  // A client that is gone shows in the other direction as well.
  const session = new DapSession(
    machines,
    (message) => void writer.write(encodeMessage(message)).catch(() => done.resolve()),
    () => done.resolve(),
    token,
  );
  const reader = new MessageReader(), input = readable.getReader();
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
      }
    }
  };
  try {
    await Promise.race([serve(), done.promise]);
  } finally {
    await session.lost();
    // The client may be gone.
    await writer.close().catch(() => {});
    await input.cancel().catch(() => {});
  }
}

/** Starts a machine whose VM stops before its first instruction. */
async function launch(entry: URL, wanted: LaunchWanted, events: DapEvents): Promise<DapTarget> {
  const { plan, vm } = await planOf(wanted);
  const client = connectEmbedded(entry), link = new MachineLink(client, "el2 dap", vm, events, () => client.close());
  client.onEvent = (event) => link.take(event);
  client.send({ kind: "start", plan: { ...plan, history: true } });
  // A snapshot's VM is past its first instruction.
  if (plan.debug === undefined) {
    client.send({ kind: "debug-attach", vm });
    await link.attached;
    link.stop();
  }
  return link;
}

async function planOf(wanted: LaunchWanted): Promise<{ plan: SessionPlan; vm: string }> {
  if (wanted.boot !== undefined) {
    const memory = wanted.memory === undefined ? DEFAULT_MEMORY : parseSize(wanted.memory);
    if (memory === undefined) throw new Failure(`"${wanted.memory}" is not a size; use for example "256MiB"`);
    if (!(wanted.cpus >= 1 && wanted.cpus <= CPUS_MAX)) throw new Failure(`cpus: ${wanted.cpus} is not between 1 and ${CPUS_MAX}`);
    const { cpus, turbo, append } = wanted;
    const what = {
      kind: "boot",
      image: readNamedFile(wanted.boot, "boot"),
      initrd: wanted.initrd === undefined ? undefined : readNamedFile(wanted.initrd, "initrd"),
      dtb: undefined,
      append,
    } as const;
    const vm = known(wanted.vm, [PRIMARY_CONSOLE]);
    return { plan: { cpus, memory, turbo, seed: 1, duration: undefined, hashAt: [], debug: vm, what }, vm };
  }
  const what = wanted.what!;
  if (isSnapshot(what)) {
    const { plan } = await planOfSnapshot(what, undefined);
    return { plan: { ...plan, turbo: wanted.turbo || plan.turbo }, vm: known(wanted.vm, vmsOf(plan)) };
  }
  const { plan } = await plannedOf(what);
  const vm = known(wanted.vm, vmsOf(plan));
  return { plan: { ...plan, turbo: wanted.turbo || plan.turbo, debug: vm }, vm };
}

function vmsOf({ what }: SessionPlan): string[] {
  return what.kind === "run" ? [...what.host.vms.map(({ name }) => name), PRIMARY_CONSOLE] : [PRIMARY_CONSOLE];
}

function known(vm: string | undefined, vms: readonly string[]): string {
  const name = vm ?? vms[0];
  if (!vms.includes(name)) throw new Failure(`no VM called "${name}"${didYouMean(name, vms, `there are ${vms.join(", ")}`)}`);
  return name;
}

/** Attaches to a VM of a session. */
async function attach({ session, vm }: AttachWanted, events: DapEvents): Promise<DapTarget> {
  const client = await connectNamed({ socket: session, follow: true, naming: '"session" of the attach request' });
  let link: MachineLink;
  const asker = new Asker(client);
  let take = (event: SessionEvent): void => void asker.take(event);
  client.onEvent = (event) => take(event);
  try {
    const name = vm ?? await firstVm(asker, client.info.name);
    link = new MachineLink(client, client.info.name, vmName(name), events, () => client.close());
    take = (event) => {
      // The session's machine waits until its output is taken.
      if (event.kind === "console") client.send({ kind: "taken", bytes: event.bytes.length });
      link.take(event);
    };
    client.onGone = (reason) => link.end(1, reason ?? "the session has ended");
    client.send({ kind: "debug-attach", vm: link.vm });
    await link.attached;
  } catch (error) {
    client.close();
    throw error;
  }
  return link;
}

async function firstVm(asker: Asker, session: string): Promise<string> {
  const rows = rowsOf(VCPUS, await asker.ask({ table: "vcpu.ls", args: { filter: "native=no" } }));
  if (!rows.length) throw new Failure(`no VM of session ${session} executes instructions yet`, ExitCode.Failed);
  return rows[0].vm;
}

/** A machine and its debugger. */
class MachineLink implements DapTarget {
  readonly #asker: Asker;
  readonly #answers: ((answer: DebugAnswer) => void)[] = [];
  readonly #attached = Promise.withResolvers<void>();
  #gone = false;
  #ending: (() => void) | undefined;

  constructor(
    readonly client: SessionClient,
    readonly name: string,
    readonly vm: string,
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
  take(event: SessionEvent): void {
    if (this.#asker.take(event)) return;
    switch (event.kind) {
      case "debug-attached":
        if (event.error === undefined) this.#attached.resolve();
        else this.#attached.reject(new Failure(event.error, ExitCode.Failed));
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
      case "ended":
        this.end(event.end.code, event.end.message);
        break;
      case "failed":
        this.end(1, event.message);
        break;
    }
  }

  /** The machine is gone. */
  end(code: number, message: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#attached.reject(new Failure(message, ExitCode.Failed));
    for (const answer of this.#answers.splice(0)) answer({ kind: "refused", message: GONE });
    this.events.ended(code, message);
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
      return await this.#asker.symbols(vm, readSymbolFile(path));
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
