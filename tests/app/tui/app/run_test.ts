import assert from "node:assert/strict";
import { runTui } from "../../../../src/app/tui/app/run.ts";
import { FramePump, SharedInput, type TerminalPort, terminalSize } from "../../../../src/app/tui/terminal/terminal.ts";
import { ScriptedTerminal } from "../scripted-terminal.ts";
import type { SessionClient } from "../../../../src/session/worker/client.ts";
import { copySequence } from "../../../../src/app/tui/terminal/clipboard.ts";
import { PHONE_SAMPLE, phoneAnswer } from "../phone.ts";
import type { Request } from "../../../../src/model/protocol/protocol.ts";
import { PATIENCE } from "../../../support/patience.ts";

const OPTIONS = { title: "test", depth: "16", ascii: true, mouse: true, slowLink: false } as const;

function client(): SessionClient & { sent: Request[] } {
  const sent: Request[] = [];
  return { sent, send: (request) => sent.push(request), onEvent() {}, close() {} };
}

Deno.test("q gives the terminal back", async () => {
  const terminal = new ScriptedTerminal(async function* () {
    yield new TextEncoder().encode("q");
    await new Promise<void>(() => {});
  });
  await runTui(client(), terminal, OPTIONS);
  assert.ok(terminal.written.includes("Virtual machines"), "something was drawn");
  assert.ok(terminal.restored());
});

Deno.test("what happens before the terminal is ready is drawn when it is, not before", async () => {
  const session = client();
  const terminal = new ScriptedTerminal(async function* () {
    await new Promise((resolve) => setTimeout(resolve, 50));
    yield new TextEncoder().encode("q");
  });
  const write = terminal.write.bind(terminal);
  terminal.write = async (bytes) => {
    session.onEvent({ kind: "paused", paused: true });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await write(bytes);
  };
  await runTui(session, terminal, OPTIONS);
  const [before, ...after] = terminal.written.split("\x1b[?1049h");
  assert.equal(before, "");
  assert.match(after.join(""), /\?.{1,30}help/);
});

for (const tmux of [false, true]) {
  Deno.test(`W18, W20: y i writes OSC 52 to the terminal${tmux ? ", wrapped as tmux wants it" : ""}; :mouse off ends its reports`, async () => {
    const session = client();
    session.send = (request: Request) => {
      if (request.kind === "query") {
        queueMicrotask(() => session.onEvent({ kind: "answer", id: request.id, answer: phoneAnswer(request.query) }));
      }
    };
    const until = async (what: () => boolean) => {
      for (const limit = performance.now() + PATIENCE; !what();) {
        assert.ok(performance.now() < limit, terminal.written.slice(-2000));
        session.onEvent({ kind: "sample", sample: PHONE_SAMPLE });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const key = (text: string) => new TextEncoder().encode(text);
    const reports = () => terminal.written.lastIndexOf("\x1b[?1002h") > terminal.written.lastIndexOf("\x1b[?1002l");
    const terminal = new ScriptedTerminal(async function* () {
      yield key("2");
      await until(() => terminal.written.includes("debian/0"));
      yield key("yi");
      await until(() => terminal.written.includes(copySequence("vcpu:debian/0", tmux)));
      assert.ok(reports());
      yield key(":mouse off\r");
      await until(() => !reports());
      yield key("q");
      await new Promise<void>(() => {});
    });
    await runTui(session, terminal, { ...OPTIONS, tmux });
    assert.ok(terminal.restored());
  });
}

Deno.test("a terminal that goes away ends the TUI", async () => {
  const terminal = new ScriptedTerminal(async function* () {});
  await runTui(client(), terminal, OPTIONS);
  assert.ok(terminal.restored());
});

Deno.test("W77: a crash while keys are read gives the terminal back and is not swallowed", async () => {
  const terminal = new ScriptedTerminal(async function* () {
    yield new TextEncoder().encode("j");
    throw new Error("crash");
  });
  await assert.rejects(() => runTui(client(), terminal, OPTIONS), /crash/);
  assert.ok(terminal.restored());
});

Deno.test("another session that is wanted ends the screen; keys that come meanwhile belong to the next one", async () => {
  const started = Promise.withResolvers<string>();
  const keys = Promise.withResolvers<Uint8Array>();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const source = async function* () {
    yield bytes(":run Image\r");
    // The first screen waits for this when it is left, and must not have it.
    yield await keys.promise;
    await new Promise<void>(() => {});
  };
  const terminal = new ScriptedTerminal(source);
  Object.assign(terminal, { input: new SharedInput(source()) });
  const first = runTui(client(), terminal, { ...OPTIONS, start: () => started.promise });
  started.resolve("Image");
  assert.deepEqual((await first).left, { kind: "visit", session: "Image" });
  assert.ok(terminal.restored());
  const second = runTui(client(), terminal, OPTIONS);
  keys.resolve(bytes("q"));
  assert.deepEqual((await second).left, { kind: "quit" });
});

Deno.test("q while another session still starts leaves, and hands on what is still to come", async () => {
  const started = Promise.withResolvers<string>(), forked = Promise.withResolvers<string>();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const terminal = new ScriptedTerminal(async function* () {
    yield bytes(":run Image\r");
    yield bytes("tf");
    yield bytes("q");
    await new Promise<void>(() => {});
  });
  const options = { ...OPTIONS, start: () => started.promise, fork: () => forked.promise };
  const write = terminal.write.bind(terminal);
  terminal.write = (part) => {
    // The terminal is given back: what comes up from now on is shown by nobody.
    if (new TextDecoder().decode(part).includes("\x1b[?1049l")) started.resolve("Image");
    return write(part);
  };
  const { left, unseen } = await runTui(client(), terminal, options);
  assert.deepEqual(left, { kind: "quit" });
  assert.deepEqual(unseen.map(({ what }) => what), ["Image", "a fork"]);
  assert.equal(await unseen[0].started, "Image");
  forked.reject(new Error("no room"));
  await assert.rejects(unseen[1].started, /no room/);
});

Deno.test("a message that the screen has shown about a session that it started is not shown again", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const terminal = new ScriptedTerminal(async function* () {
    yield bytes("tf");
    while (!terminal.written.includes("no room")) await new Promise((resolve) => setTimeout(resolve, 10));
    yield bytes("q");
    await new Promise<void>(() => {});
  });
  const { unseen } = await runTui(client(), terminal, { ...OPTIONS, fork: () => Promise.reject(new Error("no room")) });
  assert.deepEqual(unseen, []);
});

Deno.test("a terminal that has gone away, or SIGTERM, leaves nothing to show", async () => {
  const gone = await runTui(client(), new ScriptedTerminal(async function* () {}), OPTIONS);
  assert.deepEqual(gone.left, { kind: "cut", by: "the terminal is gone", code: 129 });
  for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129], ["SIGQUIT", 131]] as const) {
    let ended = false;
    const killed = new ScriptedTerminal(async function* () {
      Deno.kill(Deno.pid, signal);
      for (; !ended; await new Promise((resolve) => setTimeout(resolve, 10))) yield new TextEncoder().encode("j");
    });
    assert.deepEqual((await runTui(client(), killed, OPTIONS)).left, { kind: "cut", by: `ended by ${signal}`, code });
    ended = true;
  }
  const quit = new ScriptedTerminal(async function* () {
    yield new TextEncoder().encode("q");
    await new Promise<void>(() => {});
  });
  assert.deepEqual((await runTui(client(), quit, OPTIONS)).left, { kind: "quit" });
});

Deno.test("a session that ended is what runTui answers", async () => {
  const session = client();
  const terminal = new ScriptedTerminal(async function* () {
    session.onEvent({ kind: "ended", end: { code: 1, message: "SYSTEM_RESET" } });
    yield new TextEncoder().encode("q");
    await new Promise<void>(() => {});
  });
  const { end, lost } = await runTui(session, terminal, OPTIONS);
  assert.deepEqual({ end, lost }, { end: { code: 1, message: "SYSTEM_RESET" }, lost: false });
});

Deno.test("W74: a terminal that takes nothing for a while delays neither the session nor keys", async () => {
  const session = client();
  let taken = () => {};
  let writes = 0;
  const terminal = new ScriptedTerminal(async function* () {
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let i = 0; i < 20; i++) {
      session.onEvent({ kind: "console", console: "vm", bytes: new TextEncoder().encode(`line ${i}\r\n`) });
      yield new TextEncoder().encode("j");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(writes, 1, "one write in flight, the frames behind it are dropped");
    assert.equal(session.sent.filter(({ kind }) => kind === "taken").length, 20, "the machine is held up by nothing");
    taken();
    // The newest state follows.
    while (writes <= 1) await new Promise((resolve) => setTimeout(resolve, 5));
    yield new TextEncoder().encode("q");
    await new Promise<void>(() => {});
  });
  const entered = terminal.write.bind(terminal);
  let open = false;
  terminal.write = (bytes) => {
    if (!open) {
      open = true;
      return entered(bytes);
    }
    writes++;
    return writes === 1 ? new Promise<void>((resolve) => taken = resolve) : entered(bytes);
  };
  await runTui(session, terminal, OPTIONS);
});

Deno.test("a key that comes while a frame is on its way has its own as soon as that one is taken", async () => {
  const written: string[] = [], takes: (() => void)[] = [];
  const port = {
    size: () => ({ columns: 80, rows: 24 }),
    input: (async function* () {})(),
    write: (bytes: Uint8Array) => {
      written.push(new TextDecoder().decode(bytes));
      return new Promise<void>((resolve) => takes.push(resolve));
    },
    setRaw() {},
    onResize: () => () => {},
  } satisfies TerminalPort;
  let state = 0;
  const pump = new FramePump(port, () => `frame ${state++}`, true);
  pump.open();
  pump.request(true);
  pump.request();
  takes.shift()!();
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(written, ["frame 0", "frame 1"]);
  pump.close();
});

Deno.test("any number of resizes while a frame is on its way are one frame of the last size", async () => {
  let resized = () => {}, taken = () => {}, sizes = 0, size = { columns: 80, rows: 24 };
  const terminal = new ScriptedTerminal(async function* () {
    while (!terminal.written.includes("Virtual machines")) await new Promise((resolve) => setTimeout(resolve, 5));
    const write = terminal.write.bind(terminal);
    terminal.write = () => new Promise<void>((resolve) => taken = resolve);
    yield new TextEncoder().encode("2");
    await new Promise((resolve) => setTimeout(resolve, 5));
    terminal.write = write;
    terminal.written = "";
    sizes = 0;
    size = { columns: 100, rows: 40 };
    for (let i = 0; i < 100; i++) resized();
    taken();
    while (terminal.written === "") await new Promise((resolve) => setTimeout(resolve, 5));
    yield new TextEncoder().encode("q");
    await new Promise<void>(() => {});
  });
  terminal.size = () => {
    sizes++;
    return size;
  };
  terminal.onResize = (call: () => void) => {
    resized = call;
    return () => {};
  };
  await runTui(client(), terminal, OPTIONS);
  assert.equal(sizes, 1);
});

for (const suspended of [true, false]) {
  Deno.test(`W76: ctrl-z gives the terminal away and takes it back${suspended ? "" : ", and says so where no shell could continue el2"}`, async () => {
    const states: boolean[] = [], refusal = "no shell can continue el2";
    const terminal = new ScriptedTerminal(async function* () {
      yield new TextEncoder().encode("\x1a");
      while (!states.length || terminal.written.lastIndexOf("\x1b[?1049h") < terminal.written.lastIndexOf("\x1b[?1049l")) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (!suspended) { while (!terminal.written.includes(refusal)) await new Promise((resolve) => setTimeout(resolve, 5)); }
      yield new TextEncoder().encode("q");
      await new Promise<void>(() => {});
    });
    const stop = () => {
      states.push(terminal.restored());
      return Promise.resolve(suspended);
    };
    await runTui(client(), terminal, { ...OPTIONS, stop });
    assert.deepEqual(states, [true]);
    assert.equal(terminal.written.includes(refusal), !suspended);
    assert.ok(terminal.restored());
  });
}

Deno.test("the terminal's size has bounds, and a terminal without a size has the usual one", () => {
  const size = (columns: number, rows: number) => terminalSize(() => ({ columns, rows }));
  assert.deepEqual(size(9999, 9999), { columns: 1000, rows: 500 });
  assert.deepEqual([size(0, 0), size(0, 50), size(1, 1)], [{ columns: 80, rows: 24 }, { columns: 80, rows: 50 }, { columns: 1, rows: 1 }]);
});
