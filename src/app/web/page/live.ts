// The page of `el2 serve`: a live session, whose screens el2 draws at the other end of a WebSocket.
// The link's fragment has the token.

import { browser } from "./browser.ts";
import { type PageMessage, type ScreenMessage, SUBPROTOCOL } from "./messages.ts";
import { openTerminal } from "./terminal.ts";

const { document, location } = browser;
/** Hexadecimal digits: nothing else can be a subprotocol by accident. */
const token = /^#([0-9a-f]{16,128})$/.exec(location.hash)?.[1];
let socket: WebSocket | undefined;
let size: PageMessage | undefined;

const terminal = openTerminal({
  typed: (bytes) => isOpen() && socket?.send(bytes),
  resized: (columns, rows) => say(size = { kind: "resized", columns, rows }),
});
// A link of another session, pasted into the same page.
addEventListener("hashchange", () => location.reload());

if (token === undefined) terminal.say("This address has no token: open the link as it was printed, with the part after #.");
else connect(token);

function isOpen(): boolean {
  return socket?.readyState === WebSocket.OPEN;
}

function say(message: PageMessage): void {
  if (isOpen()) socket?.send(JSON.stringify(message));
}

function connect(token: string): void {
  const made = socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/screens`, [SUBPROTOCOL, token]);
  let wasOpen = false;
  made.binaryType = "arraybuffer";
  made.onopen = () => {
    wasOpen = true;
    if (size) say(size);
  };
  made.onmessage = ({ data }) => typeof data === "string" ? hear(JSON.parse(data)) : void draw(new Uint8Array(data));
  made.onclose = ({ reason }) =>
    terminal.say(
      wasOpen
        ? `${reason || "The connection is gone"}. Reload the page to try again.`
        : "The server does not answer, or refuses this link: each start has its own token. Open the link that was printed last.",
    );
}

async function draw(bytes: Uint8Array): Promise<void> {
  await terminal.draw(bytes);
  say({ kind: "drawn" });
}

function hear(message: ScreenMessage): void {
  switch (message.kind) {
    case "title":
      document.title = message.title;
      return;
    case "follow":
      return terminal.keepSize(message.columns, message.rows);
    case "lead":
      return terminal.takeSize();
  }
}
