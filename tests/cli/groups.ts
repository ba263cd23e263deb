// The groups of commands that ask a session, and their commands as one list.

import { CAPS } from "../../src/cli/commands/caps.ts";
import { INPUT } from "../../src/cli/commands/input.ts";
import { IRQ } from "../../src/cli/commands/irq.ts";
import { LINUX } from "../../src/cli/commands/linux.ts";
import { MEM } from "../../src/cli/commands/mem.ts";
import { QUEUE } from "../../src/cli/commands/queue.ts";
import { RPC } from "../../src/cli/commands/rpc.ts";
import { STATE } from "../../src/cli/commands/state.ts";
import { VCPU } from "../../src/cli/commands/vcpu.ts";
import { VM } from "../../src/cli/commands/vm.ts";
import type { ActionCommand, Group, QueryCommand } from "../../src/cli/common/group.ts";

const GROUPS: readonly Group[] = [VM, VCPU, IRQ, LINUX, MEM, CAPS, QUEUE, RPC, STATE, INPUT];

/** Every command that prints the rows of a query, with its path: `mem owner`. */
export const QUERY_COMMANDS: readonly (QueryCommand & { readonly path: string })[] = GROUPS.flatMap(({ name, queries }) =>
  queries.map((query) => ({ ...query, path: `${name} ${query.name}` }))
);

/** Every command of a group that changes something, with its path: `vm start`. */
export const ACTION_COMMANDS: readonly (ActionCommand & { readonly path: string })[] = GROUPS.flatMap(({ name, actions }) =>
  actions.map((action) => ({ ...action, path: `${name} ${action.name}` }))
);
