// The page of a published recording, or of a machine that runs anew: el2's screens in the terminal
// of the page, and the machine in a worker. All is in files beside the page; nothing is fetched.

import "../host/page-modules.ts";
import { openRun } from "./engine-client.ts";
import { loadScript } from "./page-scripts.ts";
import { PageTerminalPort } from "./terminal-port.ts";
import { WORKER } from "./program-names.ts";
import { loadPieces, packedSize, type PublishedRun } from "./run-pieces.ts";
import { browser, element } from "../page/browser.ts";
import { openTerminal } from "../page/terminal.ts";
import { runTui } from "../../tui/app/run.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import { problemOf, problemText } from "../../../kit/support/problem.ts";

const port = new PageTerminalPort();
const terminal = openTerminal(port);
port.draws((bytes) => terminal.draw(bytes));
// A link to another place, pasted into the same page: without a run that is shown, all begins anew.
const loadAnew = () => browser.location.reload();
let follow: (fragment: string) => void = loadAnew;
addEventListener("hashchange", () => follow(fragment()));

/** The place in the link to this page, after its `#`. */
const fragment = () => browser.location.hash.slice(1);

show().catch((error) => {
  terminal.say(problemText(problemOf(error)));
});

async function show(): Promise<void> {
  const run: PublishedRun = JSON.parse(element("#run").textContent ?? "");
  const say = (text: string) => void port.write(new TextEncoder().encode(`\x1b[2J\x1b[H${text}`));
  say(`loading ${run.name}`);
  const packed = await loadPieces(
    run,
    loadScript,
    (bytes) => say(`loading ${run.name}: ${formatSize(bytes)} of ${formatSize(packedSize(run))}`),
  );
  const { name, live } = run;
  const opened = await openRun(Reflect.get(globalThis, WORKER), { kind: "open", name, packed, live, fragment: fragment() });
  if (opened.kind === "refused") return terminal.say(problemText(opened.problem));
  const { end } = await runTui(opened.client, port, {
    title: name,
    ...live ? {} : { replay: true, recording: name, address: location.href.replace(/#.*$/s, "") },
    linked: opened.linked,
    onLink: (go) => follow = go,
    depth: "direct",
    ascii: false,
    mouse: true,
    // Each frame is layout and paint of nearly all rows.
    slowLink: true,
    ask: true,
    bright: !browser.matchMedia("(prefers-color-scheme: dark)").matches,
    stop: () => Promise.resolve(false),
    save: () => Promise.resolve({ error: "a page has no files" }),
  });
  follow = loadAnew;
  terminal.say(`${end ? `${end.message}. ` : ""}Reload the page to ${live ? "start" : "see"} it again.`);
}
