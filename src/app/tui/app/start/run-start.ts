// Shows the start screen on a terminal until the user has chosen.

import type { ColorDepth } from "../../terminal/color.ts";
import type { Key } from "../../terminal/keys.ts";
import { type ReadingOptions, readKeys } from "../../terminal/read-keys.ts";
import { LoneScreen } from "../frame/lone-screen.ts";
import { type StartChoice, type StartOffers, StartScreen } from "./start-screen.ts";
import type { Cut, TerminalPort } from "../../terminal/terminal.ts";
import type { LookWish } from "../../look/theme.ts";

/** The user's choice, or the end by a signal; a terminal that goes away counts as quitting. */
export async function runStart(
  port: TerminalPort,
  offers: StartOffers,
  wish: LookWish & ReadingOptions & { readonly depth: ColorDepth },
): Promise<StartChoice | Cut> {
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
  return await Promise.race([chosen.promise, shown.cut, readKeys(port.input, take, wish).then((): StartChoice => ({ kind: "leave" }))]);
}
