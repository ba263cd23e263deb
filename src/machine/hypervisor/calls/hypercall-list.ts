// All hypercalls that are defined, collected from the files of their objects.

import { calls as cspace } from "../capabilities/cspace-calls.ts";
import type { HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { calls as prng } from "../firmware/prng-calls.ts";
import { calls as hwirq } from "../gic/hwirq-calls.ts";
import { calls as vic } from "../gic/vic-calls.ts";
import { calls as doorbell } from "../ipc/doorbell-calls.ts";
import { calls as msgqueue } from "../ipc/msgqueue-calls.ts";
import { calls as addrspace } from "../memory/addrspace-calls.ts";
import { calls as infoArea } from "../memory/info-area-calls.ts";
import { calls as memextent } from "../memory/memextent-calls.ts";
import { calls as partition } from "../memory/partition-calls.ts";
import { calls as scheduler } from "../scheduling/scheduler-calls.ts";
import { calls as vcpu } from "../scheduling/vcpu-calls.ts";
import { calls as vcpuRun } from "../scheduling/vcpu-run-calls.ts";
import { calls as vpmGroup } from "../scheduling/vpm-group-calls.ts";
import { calls as virtioMmio } from "../virtio/virtio-mmio-calls.ts";
import { calls as identify } from "./identify-calls.ts";
import { calls as trace } from "./trace-calls.ts";

/** Every call with a module in this build. */
export const DEFINITIONS: readonly HypercallDefinition[] = [
  ...identify,
  ...partition,
  ...cspace,
  ...addrspace,
  ...infoArea,
  ...memextent,
  ...doorbell,
  ...msgqueue,
  ...hwirq,
  ...vic,
  ...vcpu,
  ...vcpuRun,
  ...vpmGroup,
  ...scheduler,
  ...virtioMmio,
  ...trace,
  ...prng,
];
