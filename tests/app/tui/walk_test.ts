// A random walk over keys, mouse and resizes in all screens, before a real machine whose VMs come,
// fail and go: nothing throws, nothing hangs, no file is written unasked, and no byte of a guest
// reaches the terminal but through the emulator.

import assert from "node:assert/strict";
import type { Request, SessionEvent } from "../../../src/model/protocol/protocol.ts";
import { MachineServer } from "../../../src/session/worker/machine-server.ts";
import { Outbox } from "../../../src/session/worker/outbox.ts";
import { App } from "../../../src/app/tui/app/app.ts";
import { Screen } from "../../../src/app/tui/terminal/cells.ts";
import { KeyParser } from "../../../src/app/tui/terminal/key-parser.ts";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import { demoPlan } from "../../session/snapshots/systems.ts";
import { Random } from "../../support/random.ts";
import { LONG } from "../../support/long.ts";

/** Another walk than CI's: `EL2_WALK_SEED`, and how many events of it, `EL2_WALK_STEPS`. */
const SEED = Number(Deno.env.get("EL2_WALK_SEED") ?? 6);
const EVENTS = Number(Deno.env.get("EL2_WALK_STEPS") ?? (LONG ? 1_000_000 : 12_000));
/** Events after which a new machine begins. */
const LIFE = LONG ? 20_000 : 4_000;
/** Events between two moments in which the machine runs, and between two frames. */
const BREATH = 50;
/** Times that the machine runs a few turns in such a moment: it never sleeps in turbo. */
const RUNS = 50;
/** Rounds of timers in which a way through the past may get on, and events between two of them. */
const TIMERS = 20, TIMERS_EVERY = 50 * BREATH;
const FRAME = 41;

/** One of this many moves to other places of the run is made. */
const MOVES = 200;

/** Permitted content of a frame besides text: moves, colors, modes of the screen. */
// deno-lint-ignore no-control-regex
const OWN_SEQUENCES = /\x1b(?:\[[0-9;:?]*[ABCDHJKXfhlmr]|\]8;[^\x07\x1b]*(?:\x07|\x1b\\)|7|8|\(B)/g;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]/;

/** Possible output of a hostile guest. */
const HOSTILE = [
  "\x1b]52;c;ZXZpbA==\x07",
  "\x1b]0;title\x07",
  "\x1b[6n\x1b[c\x1b[>c",
  "\x1bP+q544e\x1b\\",
  "\x1b[?1049l\x1bc\x1b[2J",
  "\x9b6n\x9d52;c;QQ==\x9c",
  "\x1b[5i\x1b[?1000h\x1b[?2004h\x1b[31mred\x1b[0m\r\n",
  "\u202ertl\u2066\x00\x08\x7f\r\n",
];

const KEYS = [
  ..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
  ...".,;:!?/+-*<>[](){}#'\"&|^~=%$@\\`_ ",
  ...["\r", "\r", "\x1b", "\x1b", "\t", "\x1b[Z", "\x7f", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F"],
  ...["\x03", "\x1a", "\x17", "\x01", "\x1b[15~", "\x1b[3~", "\x1b[1;5C", "\x1bx", "\x0c", "\x12", "\x1d"],
  ...["\x1b[200~pasted\ntext\x1b[201~", "\x1b[I", "\x1b[O", "é", "\u{1f600}", "kind=hvc", "vm:ping", "hello"],
];

/** The user's next input: a key, the mouse, another size. */
function nextInput(random: Random, screen: Screen): string {
  const column = 1 + random.below(screen.width + 2), row = 1 + random.below(screen.height + 2);
  switch (random.below(10)) {
    case 0:
      return `\x1b[<${[0, 0, 2, 64, 65, 32][random.below(6)]};${column};${row}${random.below(4) ? "M" : "m"}`;
    case 1:
      // To a screen, from wherever that works.
      return String(random.below(10));
    default:
      return KEYS[random.below(KEYS.length)];
  }
}

/** One machine, and a person before it. */
class Sitting {
  readonly app: App;
  readonly screen: Screen;
  readonly keys: string[] = [];
  left = false;
  failed: string | undefined;
  #runs = 0;
  readonly #server: MachineServer;
  readonly #parser = new KeyParser();
  #last = "";

  constructor(readonly random: Random, plan: Awaited<ReturnType<typeof demoPlan>>) {
    this.screen = new Screen(40 + random.below(160), 10 + random.below(60), random.below(2) ? "16" : "direct");
    this.#server = new MachineServer(
      new Outbox((events) => {
        for (const event of events) this.#hear(event);
      }),
      () => this.#runs-- <= 0,
    );
    this.app = new App({ title: "walk", ascii: random.below(2) === 0 }, {
      send: (request) => this.#send(request),
      changed() {},
      later() {},
      leave: () => this.left = true,
      redraw: () => this.screen.invalidate(),
      copy() {},
      notify() {},
      save: (name) => {
        this.#asked(`the file ${name}`);
        return Promise.resolve({ path: name });
      },
      suspend() {},
      mouse() {},
      reconnect() {},
      visit() {},
      choose() {},
    });
    this.#server.receive([{ kind: "start", plan }], () => {});
  }

  #hear(event: SessionEvent): void {
    if (event.kind === "failed") this.failed = event.message;
    if (event.kind === "answer" && event.answer.error?.includes("an exception in el2 itself")) this.failed = event.answer.error;
    this.app.apply(event);
  }

  /** A file is written only where a name was accepted, or a button that says so was pressed. */
  #asked(what: string): void {
    assert.match(this.#last, /^(\r|\x1b\[<0;.*)$/, `${what} is written after ${JSON.stringify(this.#last)}`);
  }

  #send(request: Request): void {
    if (request.kind === "snapshot" || request.kind === "save-recording") {
      this.#asked(request.path);
      const refused = { id: request.id, error: { what: "no file here" } };
      const event: SessionEvent = request.kind === "snapshot"
        ? { kind: "snapshotted", ...refused, done: 0, total: 0, whole: false }
        : { kind: "acted", ...refused };
      queueMicrotask(() => this.#hear(event));
      return;
    }
    // A way through the past runs the machine again from another state, which takes its time.
    if (request.kind === "move" && this.random.below(MOVES) > 0) {
      const { id } = request;
      queueMicrotask(() => this.#hear({ kind: "moved", id, error: { what: "stopped before it got there" }, instructions: 0 }));
      return;
    }
    queueMicrotask(() => this.#server.receive([request], () => {}));
  }

  step(): void {
    const { random, screen } = this;
    if (random.below(200) === 0) screen.resize(1 + random.below(220), 1 + random.below(80));
    if (random.below(50) === 0) {
      const bytes = textBytes(HOSTILE[random.below(HOSTILE.length)]);
      this.app.apply({ kind: "console", console: ["hello", "ping", "pong"][random.below(3)], bytes });
    }
    this.#last = nextInput(random, screen);
    this.keys.push(this.#last);
    for (const key of [...this.#parser.push(textBytes(this.#last)), ...this.#parser.flush()]) this.app.key(key);
  }

  /** Lets the machine run for a moment. */
  async breathe(): Promise<void> {
    this.#runs = RUNS;
    await turn();
  }

  /** Draws, and checks the bytes for the terminal. */
  draw(): void {
    this.app.draw(this.screen);
    const text = this.screen.frame().replaceAll(OWN_SEQUENCES, "");
    const found = CONTROL.exec(text);
    assert.equal(found && JSON.stringify(text.slice(Math.max(0, found.index - 20), found.index + 20)), null);
  }

  end(): void {
    this.#server.receive([{ kind: "stop" }], () => {});
  }
}

/** Lets what was posted before be taken, a slice of the machine too. */
function turn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

Deno.test(`a random walk of ${EVENTS} keys, clicks and resizes`, async () => {
  const random = new Random(SEED);
  const plan = await demoPlan({ cpus: 2, history: true });
  let sitting = new Sitting(random, plan), since = 0, lives = 1;
  try {
    for (let event = 0; event < EVENTS; event++) {
      sitting.step();
      if (event % FRAME === 0) sitting.draw();
      if (event % BREATH === 0) await sitting.breathe();
      if (event % TIMERS_EVERY === 0) {
        for (let round = 0; round < TIMERS; round++) await new Promise((resolve) => setTimeout(resolve, 0));
      }
      if (sitting.failed !== undefined) throw new Error(sitting.failed);
      // A user who quits may attach again; a new machine takes its time.
      const gone = sitting.left && random.below(20) === 0;
      sitting.left = false;
      if (!gone && ++since < LIFE) continue;
      sitting.end();
      sitting = new Sitting(random, plan);
      since = 0;
      lives++;
    }
  } catch (error) {
    const keys = sitting.keys.slice(-40).map((key) => JSON.stringify(key)).join(" ");
    throw new Error(`machine ${lives}, after ${sitting.keys.length} events, the last of them ${keys}`, { cause: error });
  } finally {
    sitting.end();
  }
});
