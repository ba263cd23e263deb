// The busy machine of `bench tui`: four VMs that exchange messages and rings, its session, and a
// terminal that only counts.

import { fileURLToPath } from "node:url";
import { threadTimes } from "./thread-times.ts";
import { runTui, type TuiOptions } from "../src/app/tui/app/run.ts";
import type { TerminalPort } from "../src/app/tui/terminal/terminal.ts";
import { connectEmbedded, type SessionClient } from "../src/session/worker/client.ts";
import { planText, type RunResult } from "../src/app/configuration/plan-run.ts";
import { Asker } from "../src/session/control/asker.ts";
import { SessionHub } from "../src/session/control/hub.ts";
import { DEFAULT_LIMITS } from "../src/model/plans/memory-budget.ts";
import type { SessionPlan } from "../src/model/plans/plan.ts";
import { problemText } from "../src/kit/support/problem.ts";

/**
 * Pairs of guests, and the messages and rings that they exchange per second: some 10,000 calls,
 * traps and interrupts.
 */
const PAIRS = 2;
const BALLS = 200;

/**
 * Pairs of guests that play ping-pong by queue and doorbell.
 * @param computing an image that computes, as one more VM: the machine is never idle then
 */
function configuration(computing: string | undefined): string {
  const vms: string[] = [], links: string[] = [];
  if (computing !== undefined) vms.push(`[vm.computing]\nimage = ${JSON.stringify(computing)}\nmemory = "4MiB"`);
  for (let pair = 0; pair < PAIRS; pair++) {
    vms.push(`[vm.ping${pair}]\nimage = "ping.bin"\nmemory = "4MiB"\ncmdline = "balls=${BALLS}"`);
    vms.push(`[vm.pong${pair}]\nimage = "pong.bin"\nmemory = "4MiB"`);
    links.push(`m${pair} = { kind = "msgqueue-pair", label = 1, between = ["ping${pair}", "pong${pair}"], depth = 8, size = 64 }`);
    links.push(`b${pair} = { kind = "doorbell", label = 2, from = "ping${pair}", to = "pong${pair}" }`);
  }
  return `el2 = 1\n[machine]\ncpus = 2\nmemory = "128MiB"\n[host]\nmemory = "64MiB"\n${vms.join("\n")}\n[link]\n${links.join("\n")}\n`;
}

/** The busy machine, of guests beside the file. */
export const BUSY = configuration(undefined);

/** A terminal that takes everything at once and counts it, and to which a bench may type. */
export class CountingTerminal implements TerminalPort {
  bytes = 0;
  frames = 0;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly input = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#controller = controller) });

  constructor(readonly columns = 160, readonly rows = 48) {}

  size() {
    return { columns: this.columns, rows: this.rows };
  }
  write(bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.length;
    this.frames++;
    return Promise.resolve();
  }
  setRaw(): void {}
  onResize(): () => void {
    return () => {};
  }
  type(text: string): void {
    this.#controller?.enqueue(new TextEncoder().encode(text));
  }
  end(): void {
    this.#controller?.close();
  }
}

/** Shows a session on a terminal that counts. */
export function showOn(terminal: CountingTerminal, client: SessionClient, options: Partial<TuiOptions> = {}): ReturnType<typeof runTui> {
  return runTui(client, terminal, { title: "bench", depth: "256", ascii: false, mouse: false, slowLink: false, ...options });
}

/**
 * The plan of the busy machine.
 * @param computing an image that computes, as one more VM: the machine is never idle then
 */
export async function busyPlan(computing?: string): Promise<SessionPlan> {
  return sessionPlan(await planText(configuration(computing), undefined, fileURLToPath(new URL("../assets/guests", import.meta.url))));
}

/**
 * A configuration's plan for a session.
 * @throws Error if there is none
 */
export function sessionPlan(planned: RunResult): SessionPlan {
  if (!planned.ok) throw new Error(planned.problems.map(problemText).join("\n"));
  const { ui: _, ...plan } = planned.run;
  return plan;
}

/**
 * The machine with its session, before its start, and a client that follows its consoles and asks.
 */
export function openSession(): { readonly client: SessionClient; readonly hub: SessionHub; readonly asker: Asker } {
  const client = connectEmbedded(new URL("../main.ts", import.meta.url));
  const hub = new SessionHub(client, { name: "bench", what: "bench", started: "", logs: undefined }, DEFAULT_LIMITS.consoles);
  const listener = hub.join({ readOnly: true, follow: true, patient: false }, (event) => {
    if (event.kind === "answer") asker.receive(event);
    else if (event.kind === "console") listener.send({ kind: "taken", bytes: event.bytes.length });
  });
  const asker = new Asker(listener);
  return { client, hub, asker };
}

/** CPU time (s) of this process's workers that live, by thread. */
export function workerTimes(): Map<string, number> {
  const workers = threadTimes(Deno.pid).filter(({ name }) => name.startsWith("worker-"));
  return new Map(workers.map(({ id, milliseconds }) => [id, milliseconds / 1000]));
}

/** How much they have grown. */
export function grown(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return [...after].reduce((sum, [name, seconds]) => sum + seconds - (before.get(name) ?? 0), 0);
}
