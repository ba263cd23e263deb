// The groups of commands that ask a session, and their commands as one list.

import { CAPS } from "./commands/caps.ts";
import { INPUT } from "./commands/input.ts";
import { IRQ } from "./commands/irq.ts";
import { MEM } from "./commands/mem.ts";
import { QUEUE } from "./commands/queue.ts";
import { RPC } from "./commands/rpc.ts";
import { STATE } from "./commands/state.ts";
import { VCPU } from "./commands/vcpu.ts";
import { VM } from "./commands/vm.ts";
import type { ActionCommand, Group, QueryCommand } from "./common/group.ts";

const GROUPS: readonly Group[] = [VM, VCPU, IRQ, MEM, CAPS, QUEUE, RPC, STATE, INPUT];

/** Every command that prints the rows of a query, with its path: `mem owner`. */
export const QUERY_COMMANDS: readonly (QueryCommand & { readonly path: string })[] = GROUPS.flatMap(({ name, queries }) =>
  queries.map((query) => ({ ...query, path: `${name} ${query.name}` }))
);

/** Every command of a group that changes something, with its path: `vm start`. */
export const ACTION_COMMANDS: readonly (ActionCommand & { readonly path: string })[] = GROUPS.flatMap(({ name, actions }) =>
  actions.map((action) => ({ ...action, path: `${name} ${action.name}` }))
);
