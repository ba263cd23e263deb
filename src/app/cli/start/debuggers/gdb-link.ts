// A gdb server joined to a session: `--gdb` of commands that run a machine, and `el2 gdb`.

import { writeSymbols } from "../plans/symbol-files.ts";
import { Failure } from "../../common/failure.ts";
import { requireUnix } from "../../common/platform.ts";
import { lstatIfThere, NotOurs } from "../../../../kit/support/files/own-files.ts";
import { report } from "../../common/print.ts";
import { Asker } from "../../../../session/control/asker.ts";
import { type GdbConnections, LoopbackPort, OwnSocket, StandardStreams } from "../../../../session/debug/gdb-connections.ts";
import { GdbServer } from "../../../../session/debug/gdb-server.ts";
import type { GdbTarget } from "../../../../session/debug/gdb-session.ts";
import type { DebugAnswer, SessionDebugAccess, SessionEvent } from "../../../../model/protocol/protocol.ts";
import type { SessionClient } from "../../../../session/worker/client.ts";
import type { DebuggedVms } from "../../../../model/queries/debugged-vms.ts";
import { vmId } from "../../../../model/queries/ids.ts";
import { LINUX_TABLES } from "../../../../model/queries/linux-tables.ts";
import { listText } from "../../../../model/queries/texts/list-text.ts";
import { type QueryOf, rowsOf } from "../../../../model/queries/query.ts";
import { CODE, PAGE_TABLES } from "../../../../model/queries/tables.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import { type Hint, hint, hintText } from "../../../../kit/support/text/hint.ts";

/** Others may ask through the same client, with their own numbers. */
const FIRST_QUESTION = 1e9;
/** Files that `monitor symbols` writes for whoever can connect to a port. */
const SHARED_FILE = /^\w[\w.-]*\.(?:elf|debug|sym)$/;

/** Lists of `monitor`. */
const MONITOR_TABLES = { ...LINUX_TABLES, "vcpu.tables": PAGE_TABLES };
/** Columns of a list that gdb prints. */
const MONITOR_WIDTH = 100;

/** Where gdb connects: a port of 127.0.0.1, or the absolute path of a socket. */
export type GdbPlace = number | string;

/**
 * The client with a gdb server between it and the machine; as it is without a place for one. Says
 * on stderr where gdb finds it.
 */
export function withGdb(client: SessionClient, place: GdbPlace | undefined, vms: DebuggedVms): SessionClient {
  if (place === undefined) return client;
  const link = new DebugLink(client, vms);
  link.serve(place, true);
  const joined: SessionClient = {
    send: (request) => client.send(request),
    onEvent() {},
    close() {
      link.end(0);
      client.close();
    },
  };
  client.onEvent = (event: SessionEvent) => {
    link.receive(event);
    joined.onEvent(event);
  };
  return joined;
}

/** A gdb server and a session, joined. */
export class DebugLink {
  readonly #answers: ((answer: DebugAnswer) => void)[] = [];
  #server: GdbServer | undefined;
  /** Whether it is still to be said where gdb finds the server. */
  #announces = false;
  #gone = false;
  /** Whether gdb connects to a port, as every local user can. */
  #shared = false;
  /** Events at which the machine stops. */
  #events: string | undefined;

  readonly #asker: Asker;
  /** Resolves when the server has ended. */
  served: Promise<void> = Promise.resolve();

  /** @param vms the VMs that gdb has */
  constructor(readonly session: SessionClient, readonly vms: DebuggedVms) {
    this.#asker = new Asker(session, FIRST_QUESTION);
  }

  /**
   * Starts the server, and prints its address for gdb on stderr, with `fromStart` once the VM has
   * stopped before its first instruction.
   * @param where a port, a socket, or stdin and stdout
   */
  serve(where: GdbPlace | "stdio", fromStart: boolean): void {
    const { session } = this;
    const target: GdbTarget = {
      ask: (access) => this.#ask(access),
      stop: () => session.send({ kind: "debug-stop" }),
      go: (step, range) => session.send({ kind: "debug-continue", step, range }),
      back: (step) => session.send({ kind: "debug-back", step }),
      monitor: (command, vcpu, ...args) => this.#monitor(command, vcpu, args),
      movedTo: () => this.#movedTo(),
      detach: () => session.send({ kind: "debug-detach" }),
      kill: () => session.send({ kind: "stop" }),
    };
    this.#server = new GdbServer(where === "stdio" ? new StandardStreams() : listen(where), target);
    this.#shared = typeof where === "number";
    // gdb repeats a question after two seconds without an answer, and is confused by a second one:
    // the address is printed only when an answer exists.
    this.#announces = where !== "stdio";
    if (!fromStart) this.#announce();
    this.served = this.#server.serve(fromStart);
  }

  /** Handles an event of the session. */
  receive(event: SessionEvent): void {
    if (this.#asker.receive(event)) return;
    if (event.kind === "debug-answer") this.#answers.shift()?.(event.answer);
    else if (event.kind === "debug-stopped") {
      this.#announce();
      this.#server?.stopped(event.stop);
    } else if (event.kind === "ended") this.end(event.end.code);
    else if (event.kind === "failed") this.end(1);
  }

  #ask(access: SessionDebugAccess): Promise<DebugAnswer> {
    if (this.#gone) return Promise.resolve<DebugAnswer>({ kind: "refused", message: "the machine has ended" });
    const { promise, resolve } = Promise.withResolvers<DebugAnswer>();
    this.#answers.push(resolve);
    this.session.send({ kind: "debug", access });
    return promise;
  }

  /**
   * Sets the events that stop the machine from now on; undefined: none. Resolves to the error of
   * the filter, or undefined.
   */
  async stopAtEvents(filter: string | undefined): Promise<string | undefined> {
    const answer = await this.#ask({ kind: "stop-at-events", filter });
    if (answer.kind === "refused") return answer.message;
    this.#events = filter;
    return undefined;
  }

  /** `monitor events`. */
  async #monitorEvents(words: readonly string[]): Promise<string> {
    if (this.vms.kind !== "all") return `monitor events: this gdb has one VM; to stop at events use ${hintText(hint("gdb", "el2"))}\n`;
    const filter = words.join(" ");
    const error = filter === "" ? undefined : await this.stopAtEvents(filter === "off" ? undefined : filter);
    if (error !== undefined) return `monitor events: ${error}\n`;
    return this.#events === undefined ? "continue does not stop at events\n" : `continue stops at events with ${this.#events}\n`;
  }

  /** Rows about the VM, as text. @param queryOn by the VM's name @param others for several VMs */
  async #list(queryOn: (vm: string) => QueryOf<keyof typeof MONITOR_TABLES>, others: Hint): Promise<string> {
    if (this.vms.kind !== "vm") return `this gdb has several VMs; use ${hintText(others)}\n`;
    const query = queryOn(this.vms.vm), { error, rows } = await this.#asker.ask(query);
    return error === undefined ? listText(MONITOR_TABLES[query.table], rows, MONITOR_WIDTH) : `${error}\n`;
  }

  /** Where the code of the VM's Linux begins, if VMCOREINFO says that it has moved. */
  async #movedTo(): Promise<bigint | undefined> {
    if (this.vms.kind !== "vm") return undefined;
    const { vm } = this.vms, kernels = await this.#asker.ask({ table: "linux.ls", args: { vm: vmId(vm) } });
    const [kernel] = kernels.error === undefined ? rowsOf(LINUX_TABLES["linux.ls"], kernels) : [];
    if (!kernel?.kaslr || BigInt(kernel.kaslr) === 0n) return undefined;
    const code = await this.#asker.ask({ table: "code", args: { at: `${vm}:_text`, size: 1 } });
    return code.error === undefined ? BigInt(rowsOf(CODE, code)[0].address) : undefined;
  }

  async #monitor(command: string, vcpu: number, args: readonly string[]): Promise<string | undefined> {
    if (command === "events") return await this.#monitorEvents(args);
    if (command === "tasks") {
      return await this.#list(
        (vm) => ({ table: "linux.ps", args: { vm: vmId(vm), threads: true, filter: args.join(" ") || undefined } }),
        hint("linux ps", { threads: true }),
      );
    }
    if (command === "stack") {
      const [pid = ""] = args;
      if (!/^\d{1,9}$/.test(pid)) return "monitor stack PID: list them with monitor tasks\n";
      return await this.#list((vm) => ({ table: "linux.stack", args: { vm: vmId(vm), pid: Number(pid) } }), hint("linux stack", pid));
    }
    if (command === "tables") {
      return await this.#list((vm) => ({ table: "vcpu.tables", args: { vcpu: `${vm}/${vcpu}`, at: args[0] } }), hint("vcpu ls"));
    }
    if (command !== "symbols") return undefined;
    if (args.length !== 1) return "monitor symbols FILE: name one file to write\n";
    if (this.#shared) {
      // Other users choose the name, and by the guest's memory parts of the content.
      const why = !SHARED_FILE.test(args[0]) ? "is not a name like kernel.elf" : lstatIfThere(args[0]) ? "exists" : undefined;
      if (why !== undefined) {
        return `monitor symbols: ${
          args[0]
        } ${why}; through a port, which other users can connect to, only new .elf files in el2's working folder are written\n`;
      }
    }
    if (this.vms.kind !== "vm") {
      return `monitor symbols: this gdb has several VMs; name one: ${
        hintText(hint("symbols", this.vms.kind === "vms" ? this.vms.vms[0] : "host", { output: args[0] }))
      }\n`;
    }
    try {
      return `${await writeSymbols(this.#asker, this.vms.vm, args[0])}; now: symbol-file ${args[0]}\n`;
    } catch (error) {
      if (error instanceof Failure) return `monitor symbols: ${error.message}\n`;
      throw error;
    }
  }

  #announce(): void {
    if (this.#announces) {
      report(`el2: gdb-multiarch -ex 'set remotetimeout 30' -ex 'target remote ${this.#server?.connections.name}'`);
      if (this.#shared && Deno.build.os !== "windows") {
        report(
          `el2: every local user can connect to this port and control the VM; a socket needs no port (${
            hintText(hint("gdb", this.vms.kind === "vm" ? this.vms.vm : "el2"))
          }, --gdb PATH)`,
        );
      }
    }
    this.#announces = false;
  }

  /** The machine is gone; `code` is what its process would exit with. */
  end(code: number): void {
    this.#gone = true;
    for (const answer of this.#answers.splice(0)) answer({ kind: "refused", message: "the machine has ended" });
    this.#server?.ended(code);
  }
}

function listen(place: GdbPlace): GdbConnections {
  try {
    if (typeof place === "number") return new LoopbackPort(place);
    requireUnix("sockets that only their user can open");
    return new OwnSocket(place);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new Failure(`port ${place} of 127.0.0.1 is in use`, "use another port, or 0 for any free one");
    }
    if (error instanceof NotOurs) throw new Failure(problemOf(error, "gdb"));
    if (error instanceof Deno.errors.NotCapable) throw new Failure("a gdb server needs permission to listen", "run Deno with --allow-net");
    throw error;
  }
}
