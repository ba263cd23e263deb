/* A Linux program without a C library: one end of a connection of TCP.
 *   talk PORT               waits for a caller, and then for its words
 *   talk PORT A B C D       calls A.B.C.D, and waits for an answer
 *   talk PORT A B C D SECONDS  the same, and says something each time that so many have passed */

#include "linux.h"

enum { SYS_NANOSLEEP = 101, SYS_SOCKET = 198, SYS_BIND = 200, SYS_LISTEN = 201, SYS_ACCEPT = 202, SYS_CONNECT = 203 };
enum { INET = 2, STREAM = 1 };

__attribute__((used)) static void talk(long count, char **words) {
  static unsigned char address[16];
  static char heard[64];
  unsigned port = number(words[1]);
  long end = must("socket", call3(SYS_SOCKET, INET, STREAM, 0));
  address[0] = INET, address[2] = port >> 8, address[3] = port & 255;
  for (int at = 0; count > 5 && at < 4; at++) address[4 + at] = (unsigned char)number(words[2 + at]);
  if (count > 5) {
    must("connect", call3(SYS_CONNECT, end, (long)address, sizeof address));
  } else {
    must("bind", call3(SYS_BIND, end, (long)address, sizeof address));
    must("listen", call3(SYS_LISTEN, end, 1, 0));
    end = must("accept", call3(SYS_ACCEPT, end, 0, 0));
  }
  say("connected\n");
  for (;;) {
    long time[2] = {count > 6 ? (long)number(words[6]) : 0, 0};
    if (time[0]) call3(SYS_NANOSLEEP, (long)time, 0, 0), call3(SYS_WRITE, end, (long)"word", 4);
    else call3(SYS_READ, end, (long)heard, sizeof heard);
  }
}

__asm__(".global _start\n_start: ldr x0, [sp]; add x1, sp, #8; bl talk");
