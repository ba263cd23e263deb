// `--gdb`: joins a session to a gdb server for one of its VMs.

import { Failure } from "./failure.ts";
import { GdbServer } from "../debug/gdb-server.ts";
import type { GdbTarget } from "../debug/gdb-session.ts";
import type { SessionClient } from "../workstation/client.ts";
import type { DebugAnswer, SessionEvent } from "../workstation/protocol.ts";

/** The client with a gdb server between it and the machine; as it is without a port. Says on stderr where gdb finds it. */
export function withGdb(client: SessionClient, port: number | undefined): SessionClient {
  if (port === undefined) return client;
  const answers: ((answer: DebugAnswer) => void)[] = [];
  let gone = false;
  const target: GdbTarget = {
    ask(access) {
      if (gone) return Promise.resolve<DebugAnswer>({ kind: "refused", message: "the machine is gone" });
      const { promise, resolve } = Promise.withResolvers<DebugAnswer>();
      answers.push(resolve);
      client.send({ kind: "debug", access });
      return promise;
    },
    stop: () => client.send({ kind: "debug-stop" }),
    go: (step) => client.send({ kind: "debug-continue", step }),
    detach: () => client.send({ kind: "debug-detach" }),
    kill: () => client.send({ kind: "stop" }),
  };
  const server = listen(port, target);
  const end = (code: number) => {
    gone = true;
    for (const answer of answers.splice(0)) answer({ kind: "refused", message: "the machine is gone" });
    server.ended(code);
  };
  console.error(`el2: gdb-multiarch -ex 'target remote 127.0.0.1:${server.port}'`);
  server.serve();
  const joined: SessionClient = {
    send: (request) => client.send(request),
    onEvent() {},
    close() {
      end(0);
      client.close();
    },
  };
  client.onEvent = (event: SessionEvent) => {
    if (event.kind === "debug-answer") answers.shift()?.(event.answer);
    else if (event.kind === "debug-stopped") server.stopped(event.stop);
    else if (event.kind === "ended") end(event.end.code);
    else if (event.kind === "failed") end(1);
    joined.onEvent(event);
  };
  return joined;
}

function listen(port: number, target: GdbTarget): GdbServer {
  try {
    return new GdbServer(port, target);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw new Failure(`port ${port} of 127.0.0.1 is in use: --gdb 0 takes any that is free`);
    if (error instanceof Deno.errors.NotCapable) throw new Failure("--gdb needs the permission to listen: --allow-net=127.0.0.1");
    throw error;
  }
}
