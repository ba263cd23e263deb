// The overview: state bar, VM tree, guest console, events, hints. Keys and session events change plain state; `draw` shows it.

import { type Action, actionOf, ACTIONS, type Context } from "./actions.ts";
import { fit, type Rectangle, type Screen } from "./cells.ts";
import { ConsoleView } from "./console-view.ts";
import { count, seconds } from "./format.ts";
import type { Key } from "./keys.ts";
import { style } from "./theme.ts";
import { TreeView } from "./tree.ts";
import type { MachineEvent, MachineSample, Request, SessionEnd, SessionEvent } from "../workstation/protocol.ts";

/** Smallest terminal that shows the screen. */
export const MINIMUM = { columns: 60, rows: 16 } as const;

const WIDE_BAR = 100;
const TALL = 30;
const SIDE_BY_SIDE = 160;
const KEPT_EVENTS = 2000;

type Pane = "tree" | "console" | "events";

/** What the application asks of its surroundings. */
export interface AppPort {
  send(request: Request): void;
  /** State changed: draw; `urgent` answers a key. */
  changed(urgent: boolean): void;
  /** The person wants to leave. */
  leave(): void;
  /** The whole screen must be drawn again. */
  redraw(): void;
}

/** The TUI without a terminal. */
export class App {
  readonly #tree = new TreeView();
  readonly #consoles = new Map<string, ConsoleView>();
  readonly #events: MachineEvent[] = [];
  #dropped = 0;
  #eventsBack = 0;
  #sample: MachineSample | undefined;
  #shown = "";
  #pane: Pane = "tree";
  #zoomed = false;
  #typing = false;
  #prefix = false;
  #help = false;
  #helpTop = 0;
  #paused = false;
  #end: SessionEnd | undefined;
  #message = "";
  /** Where panes were last drawn, for the mouse. */
  readonly #areas = new Map<Pane, Rectangle>();

  constructor(readonly title: string, readonly port: AppPort) {}

  /** How the session ended, once it did. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /** Takes an event of the session. */
  apply(event: SessionEvent): void {
    switch (event.kind) {
      case "ready":
        return;
      case "console":
        this.#console(event.console).write(event.bytes, () => this.port.send({ kind: "taken", bytes: event.bytes.length }));
        return;
      case "sample":
        this.#sample = event.sample;
        this.#tree.update(event.sample);
        for (const vm of event.sample.vms) if (vm.console !== undefined) this.#console(vm.console);
        if (!this.#tree.chosen && this.#pane === "tree") this.#shown = this.#tree.selectedVm?.console ?? this.#shown;
        break;
      case "events":
        this.#events.push(...event.events);
        this.#dropped += event.dropped + Math.max(this.#events.length - KEPT_EVENTS, 0);
        this.#events.splice(0, Math.max(this.#events.length - KEPT_EVENTS, 0));
        break;
      case "hash":
        return;
      case "paused":
        this.#paused = event.paused;
        break;
      case "ended":
        this.#end = event.end;
        this.#typing = false;
        this.#message = `ended: ${event.end.message}; q leaves`;
        break;
      case "failed":
        this.#end = { code: 1, message: event.message };
        this.#typing = false;
        this.#message = `the machine failed: ${event.message.split("\n", 1)[0]}`;
        break;
    }
    this.port.changed(false);
  }

  /** Takes a key. */
  key(key: Key): void {
    this.#message = this.#end ? this.#message : "";
    if (key.x !== undefined && key.y !== undefined) this.#mouse(key, key.x, key.y);
    else if (this.#typing && !this.#prefix) this.#typed(key);
    else this.#command(key);
    this.port.changed(true);
  }

  #context(): Context {
    return this.#help ? "help" : this.#prefix ? "prefix" : this.#typing ? "console" : "lists";
  }

  #typed(key: Key): void {
    if (actionOf("console", key.name)?.name === "console.prefix") {
      this.#prefix = true;
      return;
    }
    this.#input(key.bytes);
  }

  #input(bytes: Uint8Array): void {
    if (this.#shown) this.port.send({ kind: "input", console: this.#shown, bytes });
  }

  #command(key: Key): void {
    const action = actionOf(this.#context(), key.name);
    if (this.#prefix) this.#prefix = false;
    if (action) this.#run(action, key);
    else if (this.#help && (key.name === "j" || key.name === "Down")) this.#helpTop++;
    else if (this.#help && (key.name === "k" || key.name === "Up")) this.#helpTop = Math.max(0, this.#helpTop - 1);
    else if (!this.#typing) this.#message = `${key.name} does nothing here; ? shows the keys`;
  }

  #run(action: Action, key: Key): void {
    switch (action.name) {
      case "list.down":
        return this.#move(1);
      case "list.up":
        return this.#move(-1);
      case "list.first":
        return this.#move(-Infinity);
      case "list.last":
        return this.#move(Infinity);
      case "list.page-down":
        return this.#move(this.#page());
      case "list.page-up":
        return this.#move(-this.#page());
      case "tree.fold":
      case "tree.unfold":
        this.#tree.fold(action.name === "tree.fold");
        if (this.#sample) this.#tree.update(this.#sample);
        return;
      case "console.enter":
        return this.#enterConsole();
      case "console.next":
      case "console.show-next":
        return this.#cycle(1);
      case "console.previous":
      case "console.show-previous":
        return this.#cycle(-1);
      case "pane.next":
        return this.#focus(1);
      case "pane.previous":
        return this.#focus(-1);
      case "pane.zoom":
      case "console.zoom":
        this.#zoomed = !this.#zoomed;
        return;
      case "machine.pause":
        return this.port.send({ kind: this.#paused ? "resume" : "pause" });
      case "screen.redraw":
        return this.port.redraw();
      case "help.show":
        this.#help = true;
        this.#helpTop = 0;
        return;
      case "help.leave":
        this.#help = false;
        return;
      case "leave":
        return this.port.leave();
      case "step.out":
        this.#zoomed = false;
        this.#consoles.get(this.#shown)?.follow();
        this.#eventsBack = 0;
        return;
      case "console.leave":
        this.#typing = false;
        return;
      case "console.scroll":
        this.#typing = false;
        this.#pane = "console";
        this.#consoles.get(this.#shown)?.scroll(1);
        return;
      case "console.send-prefix":
        return this.#input(key.bytes);
      default:
        throw new Error(`action ${action.name} has no code`);
    }
  }

  #page(): number {
    return Math.max((this.#areas.get(this.#pane)?.height ?? 10) - 2, 1);
  }

  #move(by: number): void {
    if (this.#pane === "tree") {
      this.#tree.move(by);
      const name = this.#tree.selectedVm?.console;
      if (name !== undefined && this.#consoles.has(name)) this.#shown = name;
    } else if (this.#pane === "console") this.#consoles.get(this.#shown)?.scroll(-by);
    else this.#eventsBack = Math.min(Math.max(this.#eventsBack - by, 0), Math.max(this.#events.length - 1, 0));
  }

  #enterConsole(): void {
    const name = this.#pane === "tree" ? this.#tree.selectedVm?.console : this.#shown;
    if (this.#end) this.#message = "the session has ended: no guest takes keys; q leaves";
    else if (name === undefined || !this.#consoles.has(name)) this.#message = `${this.#tree.selected || "this row"} has no console`;
    else {
      this.#shown = name;
      this.#pane = "console";
      this.#typing = true;
      this.#consoles.get(name)?.follow();
    }
  }

  #cycle(by: number): void {
    const names = [...this.#consoles.keys()];
    if (names.length) this.#shown = names[(names.indexOf(this.#shown) + by + names.length) % names.length];
  }

  #focus(by: number): void {
    const panes: Pane[] = ["tree", "console", "events"];
    this.#pane = panes[(panes.indexOf(this.#pane) + by + panes.length) % panes.length];
  }

  #mouse(key: Key, x: number, y: number): void {
    const inside = (area: Rectangle) => x >= area.x && y >= area.y && x < area.x + area.width && y < area.y + area.height;
    const pane = [...this.#areas].find(([, area]) => inside(area))?.[0];
    if (!pane || this.#help) return;
    if (key.name === "Click") {
      this.#typing = this.#typing && pane === "console";
      this.#pane = pane;
      if (pane === "tree") this.#tree.click(y - this.#areas.get(pane)!.y - 1);
    } else if (key.name === "WheelUp" || key.name === "WheelDown") {
      const by = key.name === "WheelUp" ? -3 : 3;
      if (pane === "console") this.#consoles.get(this.#shown)?.scroll(-by);
      else if (pane === "tree") this.#tree.move(by);
      else this.#eventsBack = Math.min(Math.max(this.#eventsBack - by, 0), Math.max(this.#events.length - 1, 0));
    }
  }

  #console(name: string): ConsoleView {
    let view = this.#consoles.get(name);
    if (!view) {
      view = new ConsoleView(name, () => this.port.changed(false), (bytes) => {
        if (!this.#end) this.port.send({ kind: "input", console: name, bytes });
      });
      this.#consoles.set(name, view);
      this.#shown ||= name;
    }
    return view;
  }

  /** Draws everything. */
  draw(screen: Screen): void {
    screen.clear();
    this.#areas.clear();
    if (screen.width < MINIMUM.columns || screen.height < MINIMUM.rows) {
      screen.text(0, 0, fit(`el2 needs ${MINIMUM.columns}x${MINIMUM.rows}; this is ${screen.width}x${screen.height}`, screen.width));
      return;
    }
    const top = this.#drawBar(screen);
    const body = { x: 0, y: top, width: screen.width, height: screen.height - top - 2 };
    if (this.#help) this.#drawHelp(screen, body);
    else this.#drawBody(screen, body);
    this.#drawHints(screen, screen.height - 2);
    screen.text(0, screen.height - 1, fit(` ${this.#message}`, screen.width), style(this.#end?.code ? "refused" : "text"));
  }

  #drawBar(screen: Screen): number {
    const state = this.#end ? "ENDED" : this.#paused ? "PAUSED" : "LIVE";
    const sample = this.#sample;
    const facts = sample
      ? ` t=${seconds(sample.time)}  ${Math.round(sample.mips)} MIPS  ${
        count(sample.instructions)
      } instr  VMs ${sample.vms.length}  drop ${this.#dropped}`
      : "  starting";
    screen.fill({ x: 0, y: 0, width: screen.width, height: 1 }, style("bar"));
    screen.text(0, 0, fit(` el2 ${this.title}  ${state} ${facts}`, screen.width - 12), style("bar"));
    const tab = "[1 over]  ? ";
    if (screen.width < WIDE_BAR) {
      screen.text(screen.width - tab.length, 0, tab, style("bar"));
      return 1;
    }
    screen.text(0, 1, "[1 over]   2..9 0 are not built yet   ? help", style("dim"));
    return 2;
  }

  #drawBody(screen: Screen, body: Rectangle): void {
    if (this.#zoomed) return this.#drawPane(screen, this.#pane, body);
    if (body.width >= SIDE_BY_SIDE) {
      const left = Math.floor(body.width * 0.45);
      const events = Math.max(Math.floor(body.height / 3), 4);
      this.#drawPane(screen, "tree", { ...body, width: left, height: body.height - events });
      this.#drawPane(screen, "console", { ...body, x: left + 1, width: body.width - left - 1, height: body.height - events });
      return this.#drawPane(screen, "events", { ...body, y: body.y + body.height - events, height: events });
    }
    const rows = this.#sample?.vms.reduce((sum, vm) => sum + 1 + vm.vcpus.length, 0) ?? 1;
    if (screen.height < TALL) {
      const tree = Math.min(Math.max(rows + 2, 4), Math.floor(body.height / 2));
      this.#drawPane(screen, "tree", { ...body, height: tree });
      const lower = this.#pane === "events" ? "events" : "console";
      return this.#drawPane(screen, lower, { ...body, y: body.y + tree, height: body.height - tree });
    }
    const events = Math.max(Math.floor(body.height / 5), 4);
    const tree = Math.min(Math.max(rows + 2, 5), Math.floor((body.height - events) / 2));
    this.#drawPane(screen, "tree", { ...body, height: tree });
    this.#drawPane(screen, "console", { ...body, y: body.y + tree, height: body.height - tree - events });
    this.#drawPane(screen, "events", { ...body, y: body.y + body.height - events, height: events });
  }

  #drawPane(screen: Screen, pane: Pane, area: Rectangle): void {
    this.#areas.set(pane, area);
    const focused = this.#pane === pane;
    const inner = { ...area, y: area.y + 1, height: area.height - 1 };
    const heading = (text: string) =>
      screen.text(area.x, area.y, fit(`${focused ? "==" : "--"} ${text}`, area.width), style(focused ? "focusedHeading" : "heading"));
    if (pane === "tree") {
      heading("VMs  by vmid");
      this.#tree.draw(screen, inner);
    } else if (pane === "console") {
      const view = this.#consoles.get(this.#shown);
      heading(view ? `con:${view.name}  ${this.#typing ? "KEYS GO TO THE GUEST" : view.position}` : "no console yet");
      if (this.#typing) screen.text(area.x, area.y, fit(`== con:${this.#shown}  KEYS GO TO THE GUEST `, area.width), style("guest"));
      view?.draw(screen, inner, this.#typing);
    } else this.#drawEvents(screen, inner, heading);
  }

  #drawEvents(screen: Screen, area: Rectangle, heading: (text: string) => void): void {
    heading(this.#eventsBack ? `events  ${this.#eventsBack} newer below, Esc follows` : "events  follow");
    const end = this.#events.length - this.#eventsBack;
    const shown = this.#events.slice(Math.max(end - area.height, 0), end);
    shown.forEach((event, row) => {
      const cpu = event.pcpu === undefined ? "  " : `p${event.pcpu}`;
      const line = `${event.refused ? "!" : " "}${(event.time / 1e9).toFixed(6)} ${cpu} ${event.vcpu.padEnd(14)} ${
        event.kind.padEnd(5)
      } ${event.text}`;
      screen.text(area.x, area.y + row, fit(line, area.width), style(event.refused ? "refused" : "text"));
    });
    if (!shown.length) screen.text(area.x + 1, area.y, "nothing happened yet", style("dim"));
  }

  #drawHelp(screen: Screen, area: Rectangle): void {
    const titles: Record<Context, string> = {
      everywhere: "everywhere",
      lists: "lists and panes",
      console: "console: every key goes to the guest, but",
      prefix: "console, after ctrl-]",
      help: "help",
    };
    const lines: { text: string; heading: boolean }[] = [];
    for (const context of ["lists", "everywhere", "console", "prefix", "help"] as const) {
      lines.push({ text: titles[context], heading: true });
      for (const action of ACTIONS.filter((a) => a.context === context)) {
        lines.push({ text: ` ${action.keys.join("  ").padEnd(16)} ${action.help}`, heading: false });
      }
    }
    screen.text(area.x, area.y, "== help  (j k scroll, ? leaves)", style("focusedHeading"));
    const height = area.height - 1;
    this.#helpTop = Math.min(this.#helpTop, Math.max(lines.length - height, 0));
    lines.slice(this.#helpTop, this.#helpTop + height).forEach((line, row) => {
      screen.text(area.x + 1, area.y + 1 + row, fit(line.text, area.width - 1), style(line.heading ? "changed" : "text"));
    });
  }

  #drawHints(screen: Screen, y: number): void {
    const context = this.#context();
    if (context === "console") {
      screen.text(0, y, fit(" keys go to the guest; ctrl-] then d takes them back", screen.width), style("dim"));
      return;
    }
    const hints = ACTIONS.filter((action) => action.context === context && action.hint !== undefined)
      .map((action) => context === "prefix" ? action.hint! : `${action.keys[0]} ${action.hint}`);
    screen.text(0, y, fit(` ${context === "prefix" ? "ctrl-] then  " : ""}${hints.join("  ")}`, screen.width), style("dim"));
  }
}
