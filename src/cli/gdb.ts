// `--gdb`, and `el2 gdb VM`: gdb servers for a VM of a session of this process, or of one that runs in the background.

import type { Command } from "@commander-js/extra-typings";
import { ExitCode, Failure } from "./failure.ts";
import { connectNamed } from "./session.ts";
import { parsePort } from "./values.ts";
import { writeSymbols } from "./symbols.ts";
import { Asker } from "../workstation/control/asker.ts";
import { GdbServer } from "../debug/gdb-server.ts";
import type { GdbTarget } from "../debug/gdb-session.ts";
import type { SessionClient } from "../workstation/client.ts";
import type { DebugAnswer, SessionEvent } from "../workstation/protocol.ts";

/** Others may ask through the same client, with numbers of their own. */
const FIRST_QUESTION = 1e9;

/** Adds the command. */
export function registerGdb(program: Command, exit: (code: number) => void): void {
  program.command("gdb")
    .description("a gdb server for a VM of a session, until it is interrupted")
    .argument("<vm>", "the VM: NAME or vm:NAME")
    .option("--port <n>", "port of 127.0.0.1 (default: a free one)", parsePort, 0)
    .option("--socket <session>", "the session: its name, or the path of its socket")
    .addHelpText("after", "\nThe VM goes on until gdb connects, and when it has gone.\n\nExamples:\n  el2 gdb debian --port 1234")
    .action(async (vm, options) => exit(await serveGdb(vm.replace(/^vm:/, ""), options)));
}

async function serveGdb(vm: string, { port, socket }: { readonly port: number; readonly socket?: string }): Promise<number> {
  const session = await connectNamed({ socket });
  const attached = Promise.withResolvers<void>(), ended = Promise.withResolvers<number>();
  const link = new DebugLink(session, vm);
  session.onEvent = (event) => {
    if (event.kind !== "debug-attached") link.take(event);
    else if (event.error === undefined) attached.resolve();
    else attached.reject(new Failure(event.error, ExitCode.Failed));
    if (event.kind === "ended" || event.kind === "failed") ended.resolve(ExitCode.Done);
  };
  session.onGone = () => {
    attached.reject(new Failure("the session is gone", ExitCode.NoSession));
    ended.resolve(ExitCode.NoSession);
  };
  session.send({ kind: "debug-attach", vm });
  try {
    await attached.promise;
    link.serve(port, false);
    return await ended.promise;
  } finally {
    link.end(0);
    session.close();
  }
}

/** The client with a gdb server between it and the machine; as it is without a port. Says on stderr where gdb finds it. */
export function withGdb(client: SessionClient, port: number | undefined, vm: string): SessionClient {
  if (port === undefined) return client;
  const link = new DebugLink(client, vm);
  link.serve(port, true);
  const joined: SessionClient = {
    send: (request) => client.send(request),
    onEvent() {},
    close() {
      link.end(0);
      client.close();
    },
  };
  client.onEvent = (event: SessionEvent) => {
    link.take(event);
    joined.onEvent(event);
  };
  return joined;
}

/** A gdb server and a session, joined. */
class DebugLink {
  readonly #answers: ((answer: DebugAnswer) => void)[] = [];
  #server: GdbServer | undefined;
  /** Whether it is still to be said where gdb finds the server. */
  #announces = false;
  #gone = false;

  readonly #asker: Asker;

  /** @param vm the VM that gdb has */
  constructor(readonly session: SessionClient, readonly vm: string) {
    this.#asker = new Asker(session, FIRST_QUESTION);
  }

  /** Starts the server, and says on stderr where gdb finds it, with `fromStart` once the VM stands before its first instruction. */
  serve(port: number, fromStart: boolean): void {
    const { session } = this;
    const target: GdbTarget = {
      ask: (access) => {
        if (this.#gone) return Promise.resolve<DebugAnswer>({ kind: "refused", message: "the machine is gone" });
        const { promise, resolve } = Promise.withResolvers<DebugAnswer>();
        this.#answers.push(resolve);
        session.send({ kind: "debug", access });
        return promise;
      },
      stop: () => session.send({ kind: "debug-stop" }),
      go: (step, range) => session.send({ kind: "debug-continue", step, range }),
      back: (step) => session.send({ kind: "debug-back", step }),
      monitor: (command, ...args) => this.#monitor(command, args),
      detach: () => session.send({ kind: "debug-detach" }),
      kill: () => session.send({ kind: "stop" }),
    };
    this.#server = listen(port, target);
    // gdb asks again when it hears nothing for two seconds, and is confused by the second answer: it comes when there is one.
    this.#announces = true;
    if (!fromStart) this.#announce();
    this.#server.serve(fromStart);
  }

  /** What the session says. */
  take(event: SessionEvent): void {
    if (this.#asker.take(event)) return;
    if (event.kind === "debug-answer") this.#answers.shift()?.(event.answer);
    else if (event.kind === "debug-stopped") {
      this.#announce();
      this.#server?.stopped(event.stop);
    } else if (event.kind === "ended") this.end(event.end.code);
    else if (event.kind === "failed") this.end(1);
  }

  async #monitor(command: string, args: readonly string[]): Promise<string | undefined> {
    if (command !== "symbols") return undefined;
    if (args.length !== 1) return "monitor symbols FILE: name one file to write\n";
    try {
      return `${await writeSymbols(this.#asker, this.vm, args[0])}; now: symbol-file ${args[0]}\n`;
    } catch (error) {
      if (error instanceof Failure) return `monitor symbols: ${error.message}\n`;
      throw error;
    }
  }

  #announce(): void {
    if (this.#announces) console.error(`el2: gdb-multiarch -ex 'target remote 127.0.0.1:${this.#server?.port}'`);
    this.#announces = false;
  }

  /** The machine is gone; `code` is what its process would exit with. */
  end(code: number): void {
    this.#gone = true;
    for (const answer of this.#answers.splice(0)) answer({ kind: "refused", message: "the machine is gone" });
    this.#server?.ended(code);
  }
}

function listen(port: number, target: GdbTarget): GdbServer {
  try {
    return new GdbServer(port, target);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw new Failure(`port ${port} of 127.0.0.1 is in use: 0 takes any that is free`);
    if (error instanceof Deno.errors.NotCapable) throw new Failure("a gdb server needs the permission to listen: --allow-net");
    throw error;
  }
}
