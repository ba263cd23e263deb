// Shows the start screen on a terminal until the person has chosen.

import type { ColorDepth } from "./color.ts";
import { ESCAPE_WAIT, type Key, KeyParser } from "./keys.ts";
import { LoneScreen } from "./lone-screen.ts";
import { type StartChoice, type StartOffers, StartScreen } from "./start-screen.ts";
import type { TerminalPort } from "./terminal.ts";
import type { LookWish } from "./theme.ts";

/** What the person has chosen; a terminal that goes away has chosen to leave. */
export async function runStart(
  port: TerminalPort,
  offers: StartOffers,
  wish: LookWish & { readonly depth: ColorDepth },
): Promise<StartChoice> {
  const view = new StartScreen(offers);
  await using shown = new LoneScreen(port, view, wish);
  const chosen = Promise.withResolvers<StartChoice>();
  const take = ({ name }: Key) => {
    if (name === "ctrl-l") shown.invalidate();
    const choice = view.key(name);
    if (choice) chosen.resolve(choice);
    else shown.request();
  };
  await shown.show();
  return await Promise.race([chosen.promise, readKeys(port, take).then((): StartChoice => ({ kind: "leave" }))]);
}

/** Feeds keys; ends with the input. */
async function readKeys(port: TerminalPort, take: (key: Key) => void): Promise<void> {
  const parser = new KeyParser();
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const bytes of port.input) {
    clearTimeout(timer);
    for (const key of parser.push(bytes)) take(key);
    // A lone Esc is one once nothing follows.
    if (parser.waiting) timer = setTimeout(() => parser.flush().forEach(take), ESCAPE_WAIT);
  }
}
