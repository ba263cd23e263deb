// The groups of commands that ask a session, and their commands as one list.

import { CAPS } from "../../../src/app/cli/commands/session/caps.ts";
import { INPUT } from "../../../src/app/cli/commands/session/input.ts";
import { IRQ } from "../../../src/app/cli/commands/session/irq.ts";
import { LINUX } from "../../../src/app/cli/commands/session/linux.ts";
import { MEM } from "../../../src/app/cli/commands/session/mem.ts";
import { QUEUE } from "../../../src/app/cli/commands/session/queue.ts";
import { RPC } from "../../../src/app/cli/commands/session/rpc.ts";
import { STATE } from "../../../src/app/cli/commands/session/state.ts";
import { VCPU } from "../../../src/app/cli/commands/session/vcpu.ts";
import { VM } from "../../../src/app/cli/commands/session/vm.ts";
import type { ActionCommand, Group, QueryCommand } from "../../../src/app/cli/common/group.ts";

const GROUPS: readonly Group[] = [VM, VCPU, IRQ, LINUX, MEM, CAPS, QUEUE, RPC, STATE, INPUT];

/** Every command that prints the rows of a query, with its path: `mem owner`. */
export const QUERY_COMMANDS: readonly (QueryCommand & { readonly path: string })[] = GROUPS.flatMap(({ name, queries }) =>
  queries.map((query) => ({ ...query, path: `${name} ${query.name}` }))
);

/** Every command of a group that changes something, with its path: `vm start`. */
export const ACTION_COMMANDS: readonly (ActionCommand & { readonly path: string })[] = GROUPS.flatMap(({ name, actions }) =>
  actions.map((action) => ({ ...action, path: `${name} ${action.name}` }))
);
