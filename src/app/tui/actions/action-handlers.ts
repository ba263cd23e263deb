// Handlers of actions: each group of actions registers its handlers.

import type { AppAction } from "./actions.ts";
import type { Key } from "../terminal/keys.ts";

/** Names of the actions that a group performs: all but those that show screens. */
export type PerformedName = Exclude<AppAction, { readonly screen: unknown }>["name"];

/** Handlers of all actions; the application has them from its groups. */
export type Handlers = { readonly [Name in PerformedName]: (key: Key) => void };

export type GroupHandlers = Partial<Handlers>;
