// el2 whose screens crash at the first key (tui_test.ts).

import { main } from "../../src/app/cli/main.ts";
import { App } from "../../src/app/tui/app/app.ts";

App.prototype.key = () => {
  throw new Error("forced crash");
};

Deno.exit(await main(Deno.args, new URL("../../main.ts", import.meta.url)));
