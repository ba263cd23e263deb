// The test files that the arguments name (paths from the working directory), as one module. Deno
// would load all of el2, and V8 compile it, for each of them anew: a fifth of the whole run.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

for (const file of Deno.args) await import(pathToFileURL(resolve(file)).href);
