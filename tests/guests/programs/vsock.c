/* A Linux program without a C library, for tests of AF_VSOCK.
 *   vsock           calls port 1234 of the host and prints the answer, then acts as `vsock serve`
 *   vsock serve     listens on port 99 and sends back what it gets, until its caller sends no more
 *   vsock call CID  calls port 99 of another guest, and prints how many bytes came back intact */

#include "linux.h"

enum { AF_VSOCK = 40, SOCK_STREAM = 1, HOST = 2, ANY = -1, SHUT_WR = 1 };
enum {
  SYS_SOCKET = 198,
  SYS_BIND = 200,
  SYS_LISTEN = 201,
  SYS_ACCEPT = 202,
  SYS_CONNECT = 203,
  SYS_SHUTDOWN = 210,
};
/* Rounds of `call`, of as many bytes each as fit into `bytes`. */
enum { ROUNDS = 4 };

struct sockaddr_vm {
  unsigned short family, reserved;
  unsigned int port;
  int cid;
  unsigned int flags;
};

static unsigned char bytes[65536];

static void write_all(long to, long count) {
  for (long done = 0; done < count;) done += must("write", call3(SYS_WRITE, to, (long)bytes + done, count - done));
}

/* Sends back what comes from one descriptor to another, until there is no more. */
static void copy(long from, long to) {
  long count;
  while ((count = must("read", call3(SYS_READ, from, (long)bytes, sizeof bytes))) > 0) write_all(to, count);
}

static long connected(int cid, int port) {
  struct sockaddr_vm to = {AF_VSOCK, 0, port, cid, 0};
  long caller = must("socket", call3(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0));
  must("connect", call3(SYS_CONNECT, caller, (long)&to, sizeof to));
  return caller;
}

static void ask_host(void) {
  long caller = connected(HOST, 1234);
  must("write", call3(SYS_WRITE, caller, (long)"guest calls", 11));
  say("VSOCK-ANSWER ");
  copy(caller, 1);
}

static void serve(void) {
  struct sockaddr_vm own = {AF_VSOCK, 0, 99, ANY, 0};
  long listener = must("socket", call3(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0));
  must("bind", call3(SYS_BIND, listener, (long)&own, sizeof own));
  must("listen", call3(SYS_LISTEN, listener, 1, 0));
  say("VSOCK-LISTENS\n");
  long connection = must("accept", call3(SYS_ACCEPT, listener, 0, 0));
  copy(connection, connection);
  say("VSOCK-DONE\n");
}

/* No two bytes at the same distance are the same in all rounds. */
static unsigned char pattern(long round, long at) { return at * 7 + (at >> 8) + round; }

static void ask_guest(int cid) {
  long caller = connected(cid, 99), same = 0;
  for (long round = 0; round < ROUNDS; round++) {
    for (long at = 0; at < (long)sizeof bytes; at++) bytes[at] = pattern(round, at);
    write_all(caller, sizeof bytes);
    for (long done = 0; done < (long)sizeof bytes;) {
      long count = must("read", call3(SYS_READ, caller, (long)bytes, sizeof bytes - done));
      if (count == 0) fail("the peer ends early");
      for (long at = 0; at < count; at++) same += bytes[at] == pattern(round, done + at);
      done += count;
    }
  }
  must("shutdown", call3(SYS_SHUTDOWN, caller, SHUT_WR, 0));
  say("VSOCK-ECHO ");
  say_number(same);
  say("\n");
}

/* Its stack is as the kernel leaves it: argc, then argv. */
void run(const long *stack) {
  long argc = stack[0];
  const char *const *argv = (const char *const *)(stack + 1);
  if (argc == 1) ask_host();
  if (argc < 3) serve();
  else ask_guest(number(argv[2]));
  call3(SYS_EXIT, 0, 0, 0);
}

__asm__(".global _start\n_start: mov x0, sp\n b run\n");
