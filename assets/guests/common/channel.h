// What ping and pong agree on: one message-queue pair and one doorbell, found in the devicetree by
// label (docs/spec/resource-manager.md §7.4), and the messages in them.
#pragma once
#include "guest.h"

// Labels in assets/demo.toml.
enum { MESSAGES_LABEL = 1, BELL_LABEL = 2 };

enum ball_kind { BALL_MESSAGE = 1, BALL_BELL = 2 };

// A message is answered by the same message; a ring of the bell by a message that carries the
// bell's flags.
struct ball {
  uint32_t kind;
  uint32_t sequence;
  uint64_t flags;
};

struct message_queue_pair {
  uint64_t tx, rx;
  struct fdt_interrupt not_full, not_empty;
};

struct message_queue_pair messages_find(void);
// Capability of the doorbell: to ring it (`compatible` "qcom,gunyah-doorbell-source") or to be rung
// ("qcom,gunyah-doorbell").
fdt_node doorbell_find(const char *compatible);
// Sends, waiting while the queue is full; any other error ends the guest.
void ball_send(const struct message_queue_pair *pair, const struct ball *ball);
// False if the queue is empty.
bool ball_receive(const struct message_queue_pair *pair, struct ball *ball);
