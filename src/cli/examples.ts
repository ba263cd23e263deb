// Examples of the commands whose help says nothing more: beside the others, so that every command
// has some.

import type { Command } from "@commander-js/extra-typings";

/** By the command's path, without `el2`. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "attach": ["attach", "attach phone --read-only"],
  "down": ["down", "down phone", "down phone --force"],
  "ls": ["ls", "ls --json"],
  "vm ls": ["vm ls", "vm ls --filter state=running --json"],
  "vm show": ["vm show hello"],
  "vm devices": ["vm devices host"],
  "vm timeline": ["vm timeline ping"],
  "vm start": ["vm start hello"],
  "vm create": ["vm create hello"],
  "vm reset": ["vm reset hello"],
  "vm stop": ["vm stop hello"],
  "vm kill": ["vm kill hello"],
  "vm balloon": ["vm balloon host 64MiB", "vm balloon host 0"],
  "vcpu ls": ["vcpu ls", "vcpu ls ping", "vcpu ls --filter state=wfi"],
  "vcpu show": ["vcpu show ping/0"],
  "vcpu regs": ["vcpu regs ping/0", "vcpu regs ping/0 --filter group=system"],
  "vcpu stack": ["vcpu stack ping/0"],
  "vcpu exits": ["vcpu exits"],
  "vcpu kill": ["vcpu kill hello/0"],
  "irq ls": ["irq ls ping"],
  "irq show": ["irq show irq:ping/961"],
  "irq findings": ["irq findings"],
  "irq raise": ["irq raise irq:ping/961"],
  "irq top": ["irq top", "irq top --for 2s"],
  "mem map": ["mem map", "mem map ping"],
  "mem owner": ["mem owner pa:0x40000000", "mem owner ipa:ping/0x80000000"],
  "mem parcels": ["mem parcels", "mem parcels --filter state=blocked"],
  "mem parcel": ["mem parcel 0x1"],
  "mem blocked": ["mem blocked"],
  "mem limits": ["mem limits"],
  "mem check": ["mem check"],
  "mem read": ["mem read ipa:ping/0x80000000 64", "mem read pa:0x40000000"],
  "caps ls": ["caps ls ping"],
  "caps show": ["caps show cap:rm/0x1"],
  "caps refused": ["caps refused"],
  "caps graph": ["caps graph", "caps graph --filter type=msgqueue"],
  "queue ls": ["queue ls", "queue ls --filter full=yes"],
  "queue show": ["queue show mq:289"],
  "queue ring": ["queue ring mq:289"],
  "queue send": ["queue send mq:289 00112233", "queue send mq:289 text:hello"],
  "queue flush": ["queue flush mq:289"],
  "queue ring-bell": ["queue ring-bell db:288 0x1"],
  "rpc ls": ["rpc ls", "rpc ls --filter 'about=ping res!=ok'"],
  "rpc show": ["rpc show rpc:214"],
  "state hash": ["state hash --json"],
  "input key": ["input key host leftctrl+c"],
  "input text": ["input text host 'uname -a'"],
  "input move": ["input move host 50% 50%"],
  "input click": ["input click host left"],
  "input wheel": ["input wheel host -3"],
  "on": ["on --by 1000", "on --event kind=rpc"],
  "snapshot info": ["snapshot info before.snap"],
  "snapshot verify": ["snapshot verify before.snap"],
  "why": ["why", "why why:3", "why --list --vm host"],
  "trace start": ["trace start", "trace start --kinds hvc,msg"],
  "trace stop": ["trace stop"],
  "trace stats": ["trace stats"],
  "schema": ["schema", "schema vcpu.ls"],
  "guests fetch": ["guests fetch debian", "guests fetch debian --release trixie --disk"],
  "guests ls": ["guests ls", "guests ls --check"],
  "man": ["man", "man --markdown"],
  "doctor": ["doctor", "doctor --json"],
};

/** Adds them to the help of a program's commands. */
export function addExamples(program: Command): void {
  for (const [path, examples] of Object.entries(EXAMPLES)) {
    let command: Command["commands"][number] | undefined = program;
    for (const name of path.split(" ")) command = command?.commands.find((child) => child.name() === name);
    if (!command) throw new Error(`examples of no command: ${path}`);
    command.addHelpText(
      "after",
      `\nExample${examples.length > 1 ? "s" : ""}:\n${examples.map((example) => `  el2 ${example}`).join("\n")}`,
    );
  }
}
