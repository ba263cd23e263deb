/* A Linux program without a C library, for tests: calls port 1234 of the host over AF_VSOCK and says what it answers, then listens on port 99
 * and sends back what it gets, until its caller sends no more. */

enum { AF_VSOCK = 40, SOCK_STREAM = 1, HOST = 2, ANY = -1 };
enum { SYS_READ = 63, SYS_WRITE = 64, SYS_EXIT = 93, SYS_SOCKET = 198, SYS_BIND = 200, SYS_LISTEN = 201, SYS_ACCEPT = 202, SYS_CONNECT = 203 };

struct sockaddr_vm {
  unsigned short family, reserved;
  unsigned int port;
  int cid;
  unsigned int flags;
};

static long call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
  return x0;
}

static void say(const char *text) {
  long length = 0;
  while (text[length]) length++;
  call(SYS_WRITE, 1, (long)text, length);
}

/* The result of a call that has to succeed. */
static long must(const char *what, long result) {
  if (result >= 0) return result;
  say("FAILED ");
  say(what);
  say("\n");
  call(SYS_EXIT, 1, 0, 0);
  return result;
}

static char bytes[65536];

/* Sends back what comes from one descriptor to another, until there is no more. */
static long copy(long from, long to) {
  long total = 0, count;
  while ((count = must("read", call(SYS_READ, from, (long)bytes, sizeof bytes))) > 0) {
    for (long done = 0; done < count;) done += must("write", call(SYS_WRITE, to, (long)bytes + done, count - done));
    total += count;
  }
  return total;
}

void _start(void) {
  struct sockaddr_vm host = {AF_VSOCK, 0, 1234, HOST, 0}, own = {AF_VSOCK, 0, 99, ANY, 0};
  long caller = must("socket", call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0));
  must("connect", call(SYS_CONNECT, caller, (long)&host, sizeof host));
  must("write", call(SYS_WRITE, caller, (long)"guest calls", 11));
  say("VSOCK-ANSWER ");
  copy(caller, 1);
  long listener = must("socket", call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0));
  must("bind", call(SYS_BIND, listener, (long)&own, sizeof own));
  must("listen", call(SYS_LISTEN, listener, 1, 0));
  say("VSOCK-LISTENS\n");
  long connection = must("accept", call(SYS_ACCEPT, listener, 0, 0));
  copy(connection, connection);
  say("VSOCK-DONE\n");
  call(SYS_EXIT, 0, 0, 0);
}
