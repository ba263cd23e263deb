// `el2 vmm FILE`: runs the sample VMM and prints each of its ioctls as it ends, next to the guest's
// output.

import { type Command, Option } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { output, outputBytes, report } from "../../common/print.ts";
import { parseDuration } from "../../common/values.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { PATIENCE } from "../../../jobs/run-to-end.ts";
import { shownOnStdout } from "../../start/headless/console-output.ts";
import { hostOption } from "../../options/host.ts";
import { aloneBy } from "../../start/plans/consent.ts";
import { plannedOf } from "../../start/plans/planned.ts";
import { PERSONA_NAMES, PERSONAS } from "../../../../machine/abi/ioctl/personas.ts";
import { alone, type SessionPlan } from "../../../../model/plans/plan.ts";

export function registerVmm(program: Command, { entry, exit }: CommandContext): void {
  const devices = PERSONA_NAMES.filter((name) => PERSONAS[name].device);
  program.command("vmm")
    .description("run the VMs of a configuration with the sample VMM, one process each, and print its ioctls")
    .argument("<what>", "FILE.toml, an image (arm64 Linux Image, ELF, raw), demo, or debian")
    .addOption(new Option("--device <generation>", "generation of /dev/gunyah").choices(devices))
    .option("--for <time>", `end after this much virtual time (default: ${PATIENCE / 1e9}s)`, parseDuration)
    .addOption(hostOption())
    .option("--run", "also print each RUN")
    .option("--json", "print one line of JSON per ioctl, without consoles")
    .addHelpText("after", "\nExamples:\n  el2 vmm phone.toml --device v14\n  el2 vmm guest.bin --run --for 100ms")
    .action(async (what, options) => {
      const { run = false, json = false, for: end = PATIENCE } = options;
      const { plan } = await plannedOf(what, aloneBy(options.allowHost));
      if (plan.what.kind !== "run") throw new Failure(`vmm: ${what} has no VMs`);
      const { host } = plan.what;
      const driver = { ...host.driver, device: options.device ?? host.driver.device };
      const whole: SessionPlan = { ...plan, what: { kind: "run", host: { ...host, driver } } };
      const visible = shownOnStdout(false);
      const code = await runJob(entry, {
        name: "vmm",
        input: { plan: whole, end, run, json },
        plans: [alone(whole)],
        hear(said) {
          if (said.kind === "console") {
            if (!json) outputBytes(visible(said.console, said.bytes));
          } else if (said.kind === "ioctl") output(said.text);
          else report(`el2: ${said.text}`);
        },
      });
      exit(code);
    });
}
