// The changes of the machine from the screens, as commands of a shell that do the same: for a
// script, a report, or a colleague.

import type { AppPort } from "./app-port.ts";
import type { MenuItem } from "./overlays/overlay.ts";
import type { Action } from "../../../model/queries/action.ts";
import type { StopChange } from "../../../model/queries/stop-rule.ts";
import type { Move, Request } from "../../../model/protocol/protocol.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { shellQuoted } from "../../../kit/support/text/shell.ts";

/** Commands that are kept, the newest; bytes of typed text in one of them. */
const KEPT = 500, TYPED = 1024;

type Words = readonly string[];

/** Changes of the machine in this program. */
export class DoneCommands {
  readonly #done: Request[] = [];

  /** The same port: requests through it are noted. */
  through(port: AppPort): AppPort {
    return {
      ...port,
      send: (request) => {
        this.#note(request);
        port.send(request);
      },
    };
  }

  #note(request: Request): void {
    if (wordsOf(request) === undefined) return;
    const last = this.#done.at(-1), both = last && joined(last, request);
    if (both) this.#done[this.#done.length - 1] = both;
    else this.#done.push(request);
    if (this.#done.length > KEPT) this.#done.shift();
  }

  /** Their lines, the oldest first. */
  get lines(): string[] {
    return this.#done.map((request) => ["el2", ...wordsOf(request) ?? []].map(shellWord).join(" "));
  }

  /** These as a menu, the newest first; `copy` gets the chosen line, or all. */
  items(copy: (text: string) => void): MenuItem[] {
    const { lines } = this;
    if (lines.length === 0) return [];
    const item = (label: string, text: string): MenuItem => ({ label, run: () => copy(text) });
    return [
      item(`all ${lines.length}, in the order of time`, `${lines.join("\n")}\n`),
      ...lines.toReversed().map((line) => item(line, line)),
    ];
  }
}

/** Two requests as one: steps in one direction, and text typed into one console. */
function joined(a: Request, b: Request): Request | undefined {
  if (a.kind === "move" && b.kind === "move" && a.to.kind === "step" && b.to.kind === "step" && a.to.by * b.to.by > 0) {
    return { ...b, to: { kind: "step", by: a.to.by + b.to.by } };
  }
  if (a.kind === "input" && b.kind === "input" && a.console === b.console && a.bytes.length + b.bytes.length <= TYPED) {
    return { ...b, bytes: Uint8Array.of(...a.bytes, ...b.bytes) };
  }
  return undefined;
}

/** The words of the command; undefined if it changes nothing, or no command does it. */
function wordsOf(request: Request): Words | undefined {
  switch (request.kind) {
    case "pause":
    case "resume":
      return [request.kind];
    case "move":
      return moveWords(request.to);
    case "snapshot":
      return request.passing ? undefined : ["snapshot", "save", request.path];
    case "mark":
      return ["mark", request.name];
    case "stop-rule":
      return stopWords(request.change);
    case "act":
      return actWords(request.action);
    case "input":
      return ["console", request.console, "--send", typedText(request.bytes)];
  }
  return undefined;
}

function moveWords(to: Move): Words | undefined {
  switch (to.kind) {
    case "step":
      return [to.by < 0 ? "back" : "on", "--by", `${Math.abs(to.by)}`];
    case "instructions":
      return ["back", "--to", `${to.count}`];
    case "event":
      return ["back", "--event", to.filter];
    case "next-event":
      return ["on", "--event", to.filter];
    case "place":
      return ["back", "--at", to.at];
    case "now":
      return ["back", "--now"];
    case "here":
      return undefined;
  }
}

function stopWords(change: StopChange): Words {
  switch (change.kind) {
    case "event":
      return ["break", change.filter];
    case "place":
      return ["break", "--at", change.at];
    case "step":
      return ["vcpu", "step", change.vcpu, "--count", `${change.count}`];
    case "remove":
      return ["break", "--remove", change.rule];
  }
}

function actWords(action: Action): Words | undefined {
  switch (action.kind) {
    case "vm.stop":
      return ["vm", action.force ? "kill" : "stop", action.vm];
    case "vm.start":
    case "vm.create":
    case "vm.reset":
      return ["vm", action.kind.slice(3), action.vm];
    case "console.break":
      return ["console", action.console, "--break"];
    case "rpc.send":
      return ["rpc", "send", hex(action.id), "--payload", action.payload.toHex()];
    case "queue.send":
      return ["queue", "send", action.queue, action.bytes.toHex()];
    case "queue.flush":
      return ["queue", "flush", action.queue];
    case "doorbell.ring":
      return ["queue", "ring-bell", action.doorbell, hex(action.flags)];
    case "irq.raise":
    case "irq.clear":
      return ["irq", action.kind.slice(4), action.irq];
    case "mem.write":
      return ["mem", "write", action.at, action.bytes.toHex()];
    case "vcpu.set":
      return ["vcpu", "set", action.vcpu, action.register, hex(action.value)];
    case "vcpu.kill":
      return ["vcpu", "kill", action.vcpu];
    case "balloon.set":
      return ["vm", "balloon", action.vm, `${action.bytes}`];
    case "inject.add":
      return ["inject", action.rule];
    case "inject.remove":
      return ["inject", "--remove", action.rule];
    case "input.send":
      return undefined;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Typed bytes as `--send` takes them. */
function typedText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replaceAll(
    // deno-lint-ignore no-control-regex
    /[\\\x00-\x1f\x7f]/g,
    (one) => ESCAPES[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** A word that a shell leaves as it is. */
function shellWord(word: string): string {
  return /^[\w:/.,=@%+-]+$/.test(word) ? word : shellQuoted(word);
}
