// pong: gives every ball back. A message is answered by the same message, a ring of the doorbell by
// a message with the bell's flags. Boot argument: balls=N powers off after N balls (default:
// never).
#include "../common/channel.h"

static volatile bool arrived, rung;

static void message_arrived(uint32_t intid) {
  (void)intid;
  arrived = true;
}

static void bell_rang(uint32_t intid) {
  (void)intid;
  rung = true;
}

void guest_main(void) {
  struct message_queue_pair messages = messages_find();
  fdt_node bell_node = doorbell_find("qcom,gunyah-doorbell");
  uint64_t bell = fdt_cells2(bell_node, "reg", 0);
  struct fdt_interrupt line;
  if (!fdt_interrupt(bell_node, 0, &line)) fail("doorbell without interrupt");
  irq_attach(line.intid, line.edge, bell_rang);
  irq_attach(messages.not_empty.intid, messages.not_empty.edge, message_arrived);
  uint64_t last = boot_argument("balls", 0);
  print("pong: ready\n");
  timer_every(ticks_per_second() * 2);
  uint64_t by_message = 0, by_bell = 0, reported = 0;
  // A bell or message that came before its interrupt was enabled is looked for once without one.
  for (rung = arrived = true; !last || by_message + by_bell < last;) {
    irq_disable();
    if (!rung && !arrived && timer_ticks() == reported) wait_for_interrupt();
    bool look_at_bell = rung, look_at_messages = arrived;
    rung = arrived = false;
    irq_enable();
    if (look_at_bell) {
      uint64_t flags = doorbell_receive(bell, ~0ul).x[1];
      if (flags) {
        ball_send(&messages, &(struct ball){.kind = BALL_BELL, .flags = flags});
        by_bell++;
      }
    }
    if (look_at_messages) {
      for (struct ball ball; ball_receive(&messages, &ball); by_message++) ball_send(&messages, &ball);
    }
    if (timer_ticks() != reported) {
      reported = timer_ticks();
      print("pong: gave back %u messages and %u rings\n", by_message, by_bell);
    }
  }
  print("pong: gave back %u messages and %u rings\n", by_message, by_bell);
}
