// The node of the performance monitors of Armv8 CPUs. Binding: arm,pmu.

import { LEVEL_HIGH, PPI } from "./gic.ts";
import { type DevicetreeNode, node } from "./tree.ts";

/** Their PPI as a devicetree has it: INTID 23. */
const PMU_PPI = 7;

export const pmuNode = (): DevicetreeNode => node("pmu", { compatible: "arm,armv8-pmuv3", interrupts: [PPI, PMU_PPI, LEVEL_HIGH] });
