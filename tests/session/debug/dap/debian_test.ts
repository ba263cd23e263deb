// An editor's session with a Debian that boots, without a process between them.

import { catalogEntry } from "../../../../src/app/catalog/catalog.ts";
import { DapClient } from "./client.ts";
import { debugDebian } from "./debian.ts";
import { LONG } from "../../../support/long.ts";

if (LONG) {
  Deno.test("an editor debugs a Debian that boots: a kernel's function, its stack, a step back, and the stop before", async () => {
    const { folder } = await catalogEntry("debian-bookworm");
    await using client = DapClient.inProcess();
    await debugDebian(client, folder);
  });
}
