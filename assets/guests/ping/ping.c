// ping: once a second it plays a set of balls with pong, half of them messages, half of them rings
// of a doorbell that pong answers with a message, and reports how long the round trips took, in
// ticks of the counter. Boot arguments: sets=N powers off after N sets (default: never), balls=N
// round trips of each kind in a set (default 32).
#include "../common/channel.h"

struct score { uint64_t count, total, least; };

static struct message_queue_pair messages;
static uint64_t bell;
static volatile bool arrived;

static void message_arrived(uint32_t intid) {
  (void)intid;
  arrived = true;
}

static void wait_for_ball(struct ball *ball) {
  while (!ball_receive(&messages, ball)) {
    irq_disable();
    if (!arrived) wait_for_interrupt();
    arrived = false;
    irq_enable();
  }
}

static void play(enum ball_kind kind, uint32_t sequence, struct score *score) {
  struct ball ball = {.kind = kind, .sequence = sequence, .flags = 1ul << sequence % 64}, back;
  uint64_t start = now_ticks();
  if (kind == BALL_MESSAGE) {
    ball_send(&messages, &ball);
  } else {
    uint64_t error = doorbell_send(bell, ball.flags).x[0];
    if (error != GUNYAH_OK) {
      print("doorbell_send: error %u\n", error);
      fail("the bell is broken");
    }
  }
  wait_for_ball(&back);
  uint64_t took = now_ticks() - start;
  if (back.kind != (uint32_t)kind || back.flags != ball.flags || (kind == BALL_MESSAGE && back.sequence != sequence)) {
    print("ball %d came back as kind %d, sequence %d, flags %x\n", (int)sequence, (int)back.kind, (int)back.sequence, back.flags);
    fail("that is another ball");
  }
  score->count++;
  score->total += took;
  if (score->count == 1 || took < score->least) score->least = took;
}

static void report(const char *what, const struct score *score) {
  print("%u %s round trips: min %u, avg %u ticks\n", score->count, what, score->least, score->total / score->count);
}

void guest_main(void) {
  messages = messages_find();
  bell = fdt_cells2(doorbell_find("qcom,gunyah-doorbell-source"), "reg", 0);
  irq_attach(messages.not_empty.intid, messages.not_empty.edge, message_arrived);
  uint64_t sets = boot_argument("sets", 0), balls = boot_argument("balls", 32);
  if (!balls) fail("balls must be at least 1");
  print("ping: %u balls a set\n", balls);
  timer_every(ticks_per_second());
  struct score by_message = {0}, by_bell = {0};
  uint32_t sequence = 0;
  for (uint64_t set = 1;; set++) {
    for (uint64_t ball = 0; ball < balls; ball++) play(BALL_MESSAGE, sequence++, &by_message);
    for (uint64_t ball = 0; ball < balls; ball++) play(BALL_BELL, sequence++, &by_bell);
    report("message", &by_message);
    report("doorbell", &by_bell);
    if (set == sets) return;
    irq_disable();
    while (timer_ticks() < set) {
      wait_for_interrupt();
      irq_enable();
      irq_disable();
    }
    irq_enable();
  }
}
