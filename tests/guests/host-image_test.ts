// `[host] kind = "image"`: a guest of ours as the primary VM of a configuration.

import assert from "node:assert/strict";
import { Guests } from "./guest.ts";

const ASSETS = new URL("../../assets/guests", import.meta.url).pathname;

Deno.test("an image as the host runs as the primary VM, with its command line and console", async () => {
  const guests = await Guests.configured(
    'el2 = 1\n[machine]\nmemory = "128MiB"\n[host]\nkind = "image"\nkernel = "hello.bin"\ncmdline = "ticks=2 ms=1"\n',
    ASSETS,
  );
  const host = guests.console("host");
  await host.expect(/^hello from EL1$/m, 1);
  await host.expect(/^memory 0x40000000, 131072 KiB$/m, 1);
  await host.expect(/^tick 2$/m, 1);
  assert.equal(await guests.end(1), "SYSTEM_OFF");
});

Deno.test("a virtio device of an image as the host is one that it finds", async () => {
  const guests = await Guests.configured(
    'el2 = 1\n[host]\nkind = "image"\nimage = "teletype.bin"\ndevices = [{ kind = "rng" }, { kind = "console" }]\n',
    ASSETS,
  );
  const console = guests.console("host/hvc0");
  await console.expect(/^teletype, interrupt \d+$/m, 1);
  console.type("typed\noff");
  await console.expect(/^typed\nbye$/m, 1);
  assert.equal(await guests.end(1), "SYSTEM_OFF");
});
