// Finds and uses what ping and pong share (channel.h).
#include "channel.h"

static fdt_node labelled(const char *compatible, uint32_t label) {
  fdt_node node = NULL;
  while ((node = fdt_next_compatible(node, compatible)))
    if (fdt_property(node, "qcom,label", NULL) && fdt_cell(node, "qcom,label", 0) == label) return node;
  print("no %s with label %d in the devicetree\n", compatible, (int)label);
  fail("nobody to play with");
}

struct message_queue_pair messages_find(void) {
  fdt_node node = labelled("qcom,gunyah-message-queue", MESSAGES_LABEL);
  struct message_queue_pair pair = {.tx = fdt_cells2(node, "reg", 0), .rx = fdt_cells2(node, "reg", 1)};
  if (!fdt_interrupt(node, 0, &pair.not_full) || !fdt_interrupt(node, 1, &pair.not_empty)) fail("message queue without interrupts");
  return pair;
}

fdt_node doorbell_find(const char *compatible) { return labelled(compatible, BELL_LABEL); }

void ball_send(const struct message_queue_pair *pair, const struct ball *ball) {
  for (;;) {
    uint64_t error = msgqueue_send(pair->tx, ball, sizeof *ball, MSGQUEUE_SEND_PUSH).x[0];
    if (error == GUNYAH_OK) return;
    if (error != GUNYAH_MSGQUEUE_FULL) {
      print("msgqueue_send: error %u\n", error);
      fail("lost the ball");
    }
    asm volatile("yield");
  }
}

bool ball_receive(const struct message_queue_pair *pair, struct ball *ball) {
  struct call_result result = msgqueue_receive(pair->rx, ball, sizeof *ball);
  if (result.x[0] == GUNYAH_MSGQUEUE_EMPTY) return false;
  if (result.x[0] != GUNYAH_OK || result.x[1] != sizeof *ball) {
    print("msgqueue_receive: error %u, %u bytes\n", result.x[0], result.x[1]);
    fail("lost the ball");
  }
  return true;
}
