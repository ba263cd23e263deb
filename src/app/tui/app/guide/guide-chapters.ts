// The chapters of `el2 tour`: texts about the screens, keys to press, and the states of the screens
// that end the steps. They are about the machine of `planTour` (`app/configuration/plan-run.ts`).

import { irqId, isOf, vcpuId, vmId } from "../../../../model/queries/ids.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

/** Kinds of boxes over a screen. */
export type OverlayKind = "verdict" | "who" | "palette" | "help" | "question" | "menu" | "other";

/** The state of the screens that steps depend on. */
export interface Seen {
  /** Key of the screen that has the keys. */
  readonly screen: string;
  /** Name of the focused pane. */
  readonly pane: string;
  /** Id of the selected row. */
  readonly selected: string;
  /** Filter of the focused pane. */
  readonly filter: string;
  readonly overlay: OverlayKind | "none";
  /** Keys go to a guest. */
  readonly typing: boolean;
  /** Keys that guests got so far. */
  readonly typed: number;
  readonly paused: boolean;
  /** An earlier place of the run is shown. */
  readonly past: boolean;
  /** Refusals so far. */
  readonly refused: number;
}

/** The state that ends a step. Counts must have grown since it began. */
export interface Goal {
  readonly screen?: string;
  readonly pane?: string;
  /** Whether it is the id that is to be selected. */
  readonly selected?: (id: string) => boolean;
  readonly filter?: (text: string) => boolean;
  readonly overlay?: OverlayKind | "none";
  readonly typing?: boolean;
  readonly typed?: "more";
  readonly paused?: boolean;
  readonly past?: boolean;
  readonly refused?: "more";
}

/** A step. `{action}` in its texts stands for the key of that action. */
export interface GuideStep {
  /** Explanation of what is shown. */
  readonly text: string;
  /** The keys to press. */
  readonly task: string;
  readonly goal: Goal;
  /** Key of the screen where it is to be done; undefined: anywhere. */
  readonly on?: string;
  /** It is done in the past. */
  readonly past?: true;
  /** It is done in the palette. */
  readonly palette?: true;
  /** It is done with this object selected. */
  readonly object?: string;
}

/** Steps about one thing, which can be begun with any machine. */
export interface GuideChapter {
  /** Argument of `el2 tour`. */
  readonly name: string;
  readonly title: string;
  /** Its subject, for a list. */
  readonly about: string;
  readonly steps: readonly GuideStep[];
}

const is = (wanted: string) => (id: string) => id === wanted;

/** The tour. */
export const CHAPTERS: readonly GuideChapter[] = [
  {
    name: "overview",
    title: "Overview",
    about: "each VM: its activity or wait, and its defect",
    steps: [
      {
        text: "Six VMs share two physical CPUs. The list says what each does or waits for. One has a defect: sleeper.",
        task: "Press {list.down} until sleeper is selected.",
        goal: { screen: "1", selected: is(vmId("sleeper")) },
        on: "1",
      },
      {
        text: "One key explains the state of any object.",
        task: "Press {object.why}.",
        goal: { overlay: "verdict", selected: is(vmId("sleeper")) },
        on: "1",
        object: vmId("sleeper"),
      },
      {
        text: "The verdict: cause, evidence, and the command that shows more. Enter goes to the object that it names.",
        task: "Press Esc to close it.",
        goal: { overlay: "none" },
      },
    ],
  },
  {
    name: "console",
    title: "Console",
    about: "type into a guest, and return the keys to el2",
    steps: [
      {
        text: "The console below the list belongs to the selected VM. The guest hello responds to what you type.",
        task: "On screen 1, press {list.up} until hello is selected.",
        goal: { screen: "1", selected: is(vmId("hello")) },
        on: "1",
      },
      {
        text: "So far, all keys went to el2. In a console, they go to its guest.",
        task: "Press {console.enter}.",
        goal: { typing: true },
        on: "1",
      },
      {
        text: "Now your keys go to the guest, and the title of the console says so.",
        task: "Type a letter, and see hello respond.",
        goal: { typed: "more" },
      },
      {
        text: "el2 keeps one key: the prefix of the console keys.",
        task: "Press {console.prefix}, then {console.leave}.",
        goal: { typing: false },
      },
    ],
  },
  {
    name: "vcpus",
    title: "vCPUs",
    about: "state and place of each vCPU; step one instruction",
    steps: [
      {
        text: "There are ten screens. The digit of a tab shows its screen.",
        task: "Press {screen.vcpu} for the vCPUs.",
        goal: { screen: "2" },
      },
      {
        text: "Each vCPU has its state, for how long it has had it, and what it waits for. The panes below follow the selection.",
        task: "Press {list.down} until sleeper/0 is selected.",
        goal: { screen: "2", selected: is(vcpuId("sleeper/0")) },
        on: "2",
      },
      {
        text: "It waits for an interrupt, but none is enabled: it sleeps forever. You can step by one instruction; every run is the same.",
        task: "Press {time.on}.",
        goal: { paused: true },
      },
      {
        text: "Row 1 shows PAUSED. Virtual time has stopped too, so guests cannot notice.",
        task: "Press {machine.pause} to continue.",
        goal: { paused: false },
      },
    ],
  },
  {
    name: "interrupts",
    title: "Interrupts",
    about: "the interrupt that never arrives, and the reason",
    steps: [
      {
        text: "If a VM waits for an interrupt, look at the interrupt controller.",
        task: "Press {screen.irq} for the interrupts.",
        goal: { screen: "3" },
      },
      {
        text:
          "The findings name the defect: interrupt 27 of sleeper is pending and disabled. A filter shows only the interrupts of this VM.",
        task: "Press {filter.edit}, type vm=sleeper, then press Enter.",
        goal: { screen: "3", selected: is(irqId("sleeper", 27)), filter: (text) => text.includes("sleeper"), overlay: "none" },
        on: "3",
      },
      {
        text: "How did it come to that? el2 repeats the run so far, and finds the last change of the selected object.",
        task: "Press {object.who}.",
        goal: { overlay: "who" },
        on: "3",
        object: irqId("sleeper", 27),
      },
      {
        text: "The change: the code that made it, the calls that led there, and the values. Enter goes to its place in the run.",
        task: "Press Esc to close it.",
        goal: { overlay: "none" },
      },
      {
        text: `Every list takes such a filter, and so does every command: ${hintText(hint("irq ls", { filter: "vm=sleeper" }))}.`,
        task: "Press Esc to clear it.",
        goal: { filter: (text) => text === "", overlay: "none" },
        on: "3",
      },
    ],
  },
  {
    name: "memory",
    title: "Memory",
    about: "owners of pages, and a request that is refused",
    steps: [
      {
        text: "The host owned all memory, and lent each guest a part of it.",
        task: "Press {screen.mem} for the memory.",
        goal: { screen: "4" },
      },
      {
        text:
          "The map has a color and a letter for each VM; pages that two share have both colors. Memory that is lent or shared is a parcel, and parcels have a list.",
        task: "Press {pane.next} until Memory parcels is focused.",
        goal: { screen: "4", pane: "parcels", selected: (id) => isOf("parcel", id) },
        on: "4",
      },
      {
        text:
          "The selected guest still uses this parcel. What if the host wants it back now? Actions that change the machine are in a menu, and ask first.",
        task: "Press {danger.menu}, then r, then y.",
        goal: { refused: "more" },
        on: "4",
      },
      {
        text: "The Resource Manager has refused. The last row names the caller, the request, and the rule that refused it.",
        task: "Press {screen.why} to see why.",
        goal: { screen: "0" },
      },
      {
        text:
          "The chain leads from the request down to the rule, the values that broke it, and the way out. Refused ioctls and hypercalls have one too.",
        task: "Press {screen.over} to go back to the overview.",
        goal: { screen: "1" },
      },
    ],
  },
  {
    name: "queues",
    title: "Queues",
    about: "follow an object from screen to screen",
    steps: [
      {
        text: "Two of the guests exchange messages through queues of the hypervisor.",
        task: "Press {screen.queue} for the queues.",
        goal: { screen: "6", selected: (id) => isOf("mq", id) },
      },
      {
        text: "The list has sender, receiver, waiting messages, and messages per second. Which events concern the selected queue?",
        task: "Press {object.references}.",
        goal: { screen: "9", filter: (text) => text.split(/[\s"]+/).some((word) => isOf("mq", word)) },
        on: "6",
      },
      {
        text: "These events name it, newest last. el2 remembers where you came from.",
        task: "Press {object.back} to go back.",
        goal: { screen: "6" },
      },
      {
        text: "Requests to the Resource Manager are messages in such queues too.",
        task: "Press {screen.rpc} for the requests.",
        goal: { screen: "7" },
      },
      {
        text: "Each row is a request with its result, and the hypercalls that it needed. Below are the bytes of the selected one.",
        task: "Press {screen.caps} for the rights.",
        goal: { screen: "5" },
      },
      {
        text:
          "A VM reaches a queue, or any other object, by a capability: a slot and what it permits. Where a VM runs Linux, screen L shows its processes.",
        task: "Press {screen.over} to go back to the overview.",
        goal: { screen: "1" },
      },
    ],
  },
  {
    name: "past",
    title: "Past",
    about: "go back in time, look around, and return",
    steps: [
      {
        text: "You can go back to any instruction of a run. The whole machine is then as it was.",
        task: "Press {time.back} to step one instruction back.",
        goal: { past: true },
      },
      {
        text: "Row 1 shows PAST, and the line below the screens shows the place in the run. You can look at everything and change nothing.",
        task: "Press {screen.vcpu} to see the vCPUs as they were.",
        goal: { screen: "2", past: true },
        past: true,
      },
      {
        text: "The time menu leads to events, snapshots and instructions, and to the present.",
        task: "Press {time.travel}, then n for now.",
        goal: { past: false },
        past: true,
      },
      {
        text: "The present is as you left it.",
        task: "Press {machine.pause} to continue.",
        goal: { paused: false },
      },
    ],
  },
  {
    name: "palette",
    title: "Palette and help",
    about: "find an action, a screen or an object by its name",
    steps: [
      {
        text: "You need not remember keys. The palette finds actions, screens and objects by a few letters.",
        task: "Press {palette.show}.",
        goal: { overlay: "palette" },
      },
      {
        text: "The lines below the list show the effect of Enter, and the shell command that does the same.",
        task: "Type scheduler, then press Enter.",
        goal: { screen: "8", overlay: "none" },
        palette: true,
      },
      {
        text:
          "The timeline: which vCPU ran on which physical CPU, and which had to wait. The hints below are the keys of this screen; help has all.",
        task: "Press {help.show}.",
        goal: { overlay: "help" },
      },
      {
        text: "Help begins with the pane that you are in. Typing searches it.",
        task: "Press Esc to close it.",
        goal: { overlay: "none" },
      },
    ],
  },
];

/** The text after the last step. */
export const EPILOGUE: Pick<GuideStep, "text" | "task"> = {
  text: `That was the tour. docs/tutorials has a job each, most with a fault to find; ${
    hintText(hint("up", "demo"))
  } starts a machine for half of them.`,
  task: "Press {leave} to quit, or Esc to stay in this machine.",
};
