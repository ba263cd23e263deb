// Writes docs/reference/rpc.md from the declarations of the RPC messages.

import { rpcReference } from "../src/abi/rpc/text/reference.ts";

Deno.mkdirSync(new URL("../docs/reference/", import.meta.url), { recursive: true });
Deno.writeTextFileSync(new URL("../docs/reference/rpc.md", import.meta.url), rpcReference());
