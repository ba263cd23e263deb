/* A Linux program without a C library, for tests of AF_VSOCK.
 *   vsock           calls port 1234 of the host and prints the answer, then acts as `vsock serve`
 *   vsock serve     listens on port 99 and sends back what it gets, until its caller sends no more
 *   vsock call CID  calls port 99 of another guest, and prints how many bytes came back intact */

enum { AF_VSOCK = 40, SOCK_STREAM = 1, HOST = 2, ANY = -1, SHUT_WR = 1 };
enum {
  SYS_READ = 63,
  SYS_WRITE = 64,
  SYS_EXIT = 93,
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

static void say_number(long number) {
  char digits[20], *first = digits + sizeof digits;
  *--first = 0;
  do *--first = '0' + number % 10;
  while (number /= 10);
  say(first);
}

static void fail(const char *what) {
  say("FAILED ");
  say(what);
  say("\n");
  call(SYS_EXIT, 1, 0, 0);
}

/* The result of a call that has to succeed. */
static long must(const char *what, long result) {
  if (result < 0) fail(what);
  return result;
}

static unsigned char bytes[65536];

static void write_all(long to, long count) {
  for (long done = 0; done < count;) done += must("write", call(SYS_WRITE, to, (long)bytes + done, count - done));
}

/* Sends back what comes from one descriptor to another, until there is no more. */
static void copy(long from, long to) {
  long count;
  while ((count = must("read", call(SYS_READ, from, (long)bytes, sizeof bytes))) > 0) write_all(to, count);
}

static long connected(int cid, int port) {
  struct sockaddr_vm to = {AF_VSOCK, 0, port, cid, 0};
  long caller = must("socket", call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0));
  must("connect", call(SYS_CONNECT, caller, (long)&to, sizeof to));
  return caller;
}

static void ask_host(void) {
  long caller = connected(HOST, 1234);
  must("write", call(SYS_WRITE, caller, (long)"guest calls", 11));
  say("VSOCK-ANSWER ");
  copy(caller, 1);
}

static void serve(void) {
  struct sockaddr_vm own = {AF_VSOCK, 0, 99, ANY, 0};
  long listener = must("socket", call(SYS_SOCKET, AF_VSOCK, SOCK_STREAM, 0));
  must("bind", call(SYS_BIND, listener, (long)&own, sizeof own));
  must("listen", call(SYS_LISTEN, listener, 1, 0));
  say("VSOCK-LISTENS\n");
  long connection = must("accept", call(SYS_ACCEPT, listener, 0, 0));
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
      long count = must("read", call(SYS_READ, caller, (long)bytes, sizeof bytes - done));
      if (count == 0) fail("the peer ends early");
      for (long at = 0; at < count; at++) same += bytes[at] == pattern(round, done + at);
      done += count;
    }
  }
  must("shutdown", call(SYS_SHUTDOWN, caller, SHUT_WR, 0));
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
  else {
    int cid = 0;
    for (const char *digit = argv[2]; *digit; digit++) cid = 10 * cid + (*digit - '0');
    ask_guest(cid);
  }
  call(SYS_EXIT, 0, 0, 0);
}

__asm__(".global _start\n_start: mov x0, sp\n b run\n");
