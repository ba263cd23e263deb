// A root VM that prints TEXT (bytes, by -D), sends it in messages that stay in their queue, and has
// it where calls take addresses and capabilities. Then it prints it once more, for its log's end.

#include "root.h"

enum { QUEUE_DEPTH = 4, MESSAGE_SIZE = 240 };

static const char text[] = { TEXT, 0 };

void app_main(void) {
  print(text);
  print("\n");
  uint64_t queue = CREATE(CREATE_MSGQUEUE);
  MUST(MSGQUEUE_CONFIGURE, queue, QUEUE_DEPTH | MESSAGE_SIZE << 16, 0, 0, 0, 0, 0);
  ACTIVATE(queue);
  uint64_t size = sizeof text < MESSAGE_SIZE ? sizeof text : MESSAGE_SIZE;
  for (int i = 0; i < QUEUE_DEPTH; i++) MUST(MSGQUEUE_SEND, queue, size, (uintptr_t)text, 0, 0, 0, 0);
  uint64_t word = *(const uint64_t *)text;
  CALL(MSGQUEUE_SEND, queue, size, word, word, word, word, word);
  CALL(OBJECT_ACTIVATE, word, word, word, word, word, word, word);
  print(text);
  print("\n");
}
