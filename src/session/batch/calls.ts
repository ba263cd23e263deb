// Job: `el2 trace calls --vm VM WHAT` runs a configuration from its first instruction to its end,
// without a session, and prints the hypercalls that one VM made, under the requests that it made
// them for. With `--vm rm` this is the Resource Manager's boot and how it creates, starts, stops
// and resets VMs (docs/spec/observed.md §7, §8).

import { type JobPort, made } from "./job.ts";
import { assemble } from "../assembly/assemble.ts";
import type { System } from "../assembly/system/system.ts";
import { eventName, type TraceEvent } from "../../machine/abi/trace.ts";
import { alone, type SessionPlan } from "../../model/plans/plan.ts";
import { evId, vmOfName } from "../../model/queries/ids.ts";

/** Calls that carry messages: as frequent as messages, and of little interest. */
const TRANSPORT: readonly string[] = ["msgqueue_send", "msgqueue_receive"];

/** Virtual time (ns) after which a run that does not end by itself is cut off. */
const PATIENCE = 10e9;
/** Turns between two checks of the machine's progress. */
const TURNS = 10_000;

/** How the calls are printed. */
interface TracedRun {
  readonly plan: SessionPlan;
  /** The VM that makes the calls. */
  readonly vm: string;
  readonly json: boolean;
  /** Virtual time to run, ns; otherwise until all VMs have ended. */
  readonly duration: number | undefined;
}

/** Runs the plan and says the calls, as text to print. */
export function job(options: TracedRun, port: JobPort<string>): void {
  const system = made(() => assemble(alone(options.plan)));
  /** Calls of requests in progress, by the request's event. */
  const pending = new Map<number, TraceEvent[]>();
  let section = "";
  const print = (event: TraceEvent, heading: string) => {
    if (options.json) return port.say(`${JSON.stringify(row(event, heading))}\n`);
    port.say(`${heading === section ? "" : `${heading}\n`}${line(event)}\n`);
    section = heading;
  };
  system.hypervisor.trace.listen(["hvc", "rpc"], (event) => {
    if (vmOfName(event.vcpu) !== options.vm) return;
    if (event.kind === "hvc" && !TRANSPORT.includes(event.name)) {
      if (event.parent === undefined) print(event, section === "" || section === "at its start" ? "at its start" : "between requests");
      else pending.set(event.parent.id, [...pending.get(event.parent.id) ?? [], event]);
    } else if (event.kind === "rpc") {
      const calls = pending.get(event.id) ?? [];
      pending.delete(event.id);
      const of = event.fields.vmid === undefined ? "" : ` of VM ${hexadecimal(event.fields.vmid)}`;
      const heading = `${event.name}${of}${event.result?.refused ? ` -> ${event.result.name}` : ""}`;
      for (const call of calls) print(call, heading);
    }
  });
  runToEnd(system, options.duration ?? PATIENCE);
}

function row(event: TraceEvent, request: string): unknown {
  const { time, vcpu, name, fields, result } = event;
  return {
    id: evId(eventName(event)),
    t: String(time),
    vcpu,
    call: name,
    args: plain(fields),
    result: result?.name,
    values: plain(result?.fields),
    request,
  };
}

function plain(fields: TraceEvent["fields"] | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields ?? {}).map(([name, value]) => [name, hexadecimal(value)]));
}

function line({ time, name, fields, result }: TraceEvent): string {
  const text = (values: TraceEvent["fields"]) => Object.entries(values).map(([key, value]) => `${key} ${hexadecimal(value)}`).join(", ");
  const answer = result === undefined ? "" : ` -> ${result.name.toLowerCase()}${result.fields ? ` ${text(result.fields)}` : ""}`;
  return `  ${(time / 1e9).toFixed(6)}  ${name} ${text(fields)}`.trimEnd() + answer.trimEnd();
}

function hexadecimal(value: unknown): unknown {
  return typeof value === "bigint" || typeof value === "number" ? `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}` : value;
}

/**
 * Runs a machine until it has ended or waits for something from outside, at most up to a virtual
 * time (ns).
 */
function runToEnd(system: System, end: number): void {
  const { machine } = system;
  while (machine.time < end && system.ended() === undefined) {
    const result = machine.run(end, TURNS);
    if (result.kind === "idle" && result.next !== Infinity) machine.skipTo(Math.min(result.next, end));
    else if (result.kind !== "turns") break;
  }
}
