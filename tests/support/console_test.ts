// The texts that tests wait for on a guest's console.

import assert from "node:assert/strict";
import { DISK_PROMPT, PROMPT } from "./console.ts";

Deno.test("a prompt is one at the end of a console, and where the kernel has spoken after it", () => {
  const later = "[    1.861095] IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready\n";
  for (const shown of ["/root # ", "/root # \x1b[6n", "~ # ", `/root # ${later}`, `~ # \x1b[6n${later}`]) {
    assert.match(`Enter 'help' for a list of built-in commands.\n\n${shown}`, PROMPT);
  }
  for (const shown of ["/root # ls", "~ # \x1b[6nls\n", "/root #", "/root # [ -e f ] && ls"]) assert.doesNotMatch(shown, PROMPT);
  assert.match(`Last login\nroot@debian:~# ${later}`, DISK_PROMPT);
  assert.doesNotMatch("root@debian:~# ls", DISK_PROMPT);
});
