// States of the screens that golden frames and the rules of every frame are about.

import type { Rig } from "./rig.ts";

/** Consoles at a place of the past. */
const PAST_CONSOLES = [{ console: "hello", bytes: new TextEncoder().encode("hello from EL1\r\n") }];

/** Overlays and replacements of a screen, with the keys or calls that show them. */
export const STATES: readonly (readonly [name: string, begin: (rig: Rig) => Promise<void> | void])[] = [
  ["help", (rig) => rig.type("?")],
  ["help, searched", (rig) => rig.type("?fold")],
  ["palette", (rig) => rig.type(":mem")],
  ["actions of a VM", (rig) => rig.type("gjjja")],
  ["danger of a VM", (rig) => rig.type("gjjj!")],
  ["a question", (rig) => rig.type("gjjj!s")],
  ["copies", (rig) => rig.keys("2y")],
  ["a filter that is wrong", (rig) => rig.keys("2/stat=on")],
  ["a stop rule", (rig) => rig.keys("2b")],
  ["typing into a console", (rig) => rig.type("c")],
  ["a filter on the tree", (rig) => rig.keys("/state=wfi\r")],
  ["memory by owner", (rig) => rig.keys("4v")],
  ["memory by state", (rig) => rig.keys("4vv")],
  ["what a request in a queue says", (rig) => rig.keys("6jv")],
  ["zoomed", (rig) => rig.type("3z")],
  ["paused", (rig) => rig.apply({ kind: "paused", paused: true })],
  ["the past", (rig) => rig.apply({ kind: "paused", paused: true, past: true, consoles: PAST_CONSOLES })],
  ["frozen", (rig) => rig.type(" ")],
  ["ended", (rig) => rig.apply({ kind: "ended", end: { code: 1, message: "crashed: pong" } })],
  ["lost", (rig) => rig.app.lost("session demo: its socket is gone")],
];
