// The module of a worker that is nothing else: the root of a prepared one (scripts/prepare.ts).

import { serveMachine } from "./worker.ts";

serveMachine();
