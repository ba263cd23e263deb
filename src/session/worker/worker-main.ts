// The module of a worker that is nothing else: a root of the prepared program (scripts/prepare.ts).

import { serveMachine } from "./worker.ts";

serveMachine();
