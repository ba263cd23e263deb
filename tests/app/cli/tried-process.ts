// The program el2 with the command line that is given, in a process that tries its rights and ends:
// once it has given up those of its command, or before its machine starts. It prints them on
// stderr.

import { ENTRY, loadMain } from "./prepared-main.ts";
import { triedRights } from "../../support/tried-rights.ts";

const [when, ...args] = Deno.args;

function finish(): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`rights: ${triedRights(false).join(" ")}\n`));
  Deno.kill(Deno.pid, "SIGKILL");
  throw new Error("it continues");
}

if (when === "start") {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (this: Worker, message: unknown, ...rest: never[]) {
    if (Array.isArray(message) && message.some(({ kind }) => kind === "start")) finish();
    post.call(this, message, ...rest);
  };
} else {
  // A command gives up what it does not need in one piece, and import last of what none needs.
  const revoke = Deno.permissions.revokeSync;
  Deno.permissions.revokeSync = function (right) {
    const status = revoke.call(this, right);
    if (right.name === "import") queueMicrotask(finish);
    return status;
  };
}
const main = await loadMain();
await main(args, ENTRY);
throw new Error("it ended before");
