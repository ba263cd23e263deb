// The consoles of a session's VMs.

import { flag, option, word, words } from "./argument.ts";
import { act, action, command, type Step } from "./command.ts";
import { duration, idOf, keystrokes, text, whole } from "./kinds.ts";
import { name as id } from "../queries/fields.ts";
import { parseAs, vmIn, withoutKind } from "../queries/ids.ts";

/** The console that is named NAME, vm:NAME, con:NAME or con:NAME/0: that of a VM; or NAME/PORT. */
export function consoleName(named: string): string {
  const name = withoutKind("vm", named), id = parseAs("con", name);
  return id?.name === "0" ? id.vm : withoutKind("con", name);
}

/** A break on the line of a console. */
export const CONSOLE_BREAK = action("console.break", { console: id });
export const CONSOLE = command("console", {
  doc: "read a guest's console, type into it, or wait for its output",
  args: {
    vm: word(idOf("vm"), "the VM: NAME, vm:NAME, con:NAME/0, or NAME/PORT of virtio"),
    log: flag("print the output so far (the default)"),
    break: flag("first send a break, which Linux takes as SysRq; the key after it selects the command", { changes: true }),
    send: option(keystrokes, "type this; \\n is Enter, \\xNN a byte", { value: "text", changes: true }),
    expect: option(text, "wait until the output since the last input matches, and print the match; --send and --break are input", {
      value: "regex",
      lineOnly: true,
    }),
    follow: flag("print new output until interrupted", { lasting: true }),
    timeout: option(duration, "wall time for --expect; exits with 4 after it", { value: "time", lineOnly: true }),
  },
  right: "looks",
  examples: [
    "console debian",
    "console debian --send 'root\\n' --expect '# $' --timeout 60s",
    "console debian --break --send h --expect 'sysrq: HELP'",
  ],
  steps: ({ vm, send, break: isBroken }): readonly Step[] => {
    const name = consoleName(vm);
    return [
      ...isBroken ? act(CONSOLE_BREAK.of({ console: name })) : [],
      ...send === undefined ? [] : [{ kind: "input", console: name, bytes: send } satisfies Step],
    ];
  },
  menus: [{
    name: "console.enter",
    on: ["vm", "vcpu", "con"],
    key: "c",
    label: "type into its console",
    of: (id) => ({ vm: vmIn(id) ?? "" }),
    disabled: (id, { hasConsole }) => hasConsole(vmIn(id) ?? "") ? undefined : `${id} has no console`,
  }],
});

export const LOGS = command("logs", {
  doc: "print the consoles of all VMs line by line, each line with its VM's name; new lines also with their time of arrival",
  args: {
    vm: words(idOf("vm"), "only these VMs: NAME or vm:NAME", { lineOnly: true }),
    follow: flag("continue with new lines until interrupted", { short: "f", lasting: true }),
    tail: option(whole(0, 1_000_000), "of the output so far, print only this many lines per console", { value: "lines", lineOnly: true }),
  },
  right: "looks",
  notes:
    `Times are those of this computer (UTC). A session does not keep them: earlier lines have "-" instead, and come first, console by console.`,
  examples: ["logs", "logs -f", "logs -f debian ping --tail 20"],
});
