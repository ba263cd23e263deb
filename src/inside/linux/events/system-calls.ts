// System calls of arm64 Linux by number (include/uapi/asm-generic/unistd.h): the name, and a word
// for the kind of each argument.

import { once } from "../../../kit/support/values/once.ts";
import { CHOICES, FLAGS } from "./call-words.ts";

/**
 * Kinds whose words are not a table. `d`: a signed number, `u`: an unsigned one, `x`: an address,
 * `bits`: neither; `p`: a path, `s`: another text; `f`: a file descriptor, `D`: the one of the
 * folder of the path after it; `m`: permissions, `g`: a signal, `U`: FUTEX_.
 */
const PLAIN = ["d", "u", "x", "bits", "p", "s", "f", "D", "m", "g", "U"] as const;

/**
 * Kinds of arguments: a plain one, or the words in a table of `call-words.ts`. `o`: flags of
 * open(2), `O`: those without a mode of access, `a`: AT_ flags, `r`: access(2), `P`: PROT_, `B`:
 * MAP_, `V`: MADV_, `c`: CLONE_, `A`: AF_, `T`: SOCK_, `S`: SEEK_, `F`: F_, `E`: EPOLL_CTL_, `C`:
 * CLOCK_, `w`: wait(2), `M`: MSG_; others have longer names.
 */
export type ArgumentKind = typeof PLAIN[number] | keyof typeof FLAGS | keyof typeof CHOICES;

const KINDS: ReadonlySet<string> = new Set([...PLAIN, ...Object.keys(FLAGS), ...Object.keys(CHOICES)]);
const isKind = (word: string): word is ArgumentKind => KINDS.has(word);

export interface SystemCall {
  readonly name: string;
  readonly kinds: readonly ArgumentKind[];
  /** An argument is a path or another text. */
  readonly hasTexts: boolean;
}

export const isText = (kind: ArgumentKind): boolean => kind === "p" || kind === "s";

const LISTED = `
0 io_setup u x
1 io_destroy bits
2 io_submit bits d x
3 io_cancel bits x x
4 io_getevents bits d d x x
5 setxattr p s x u x
6 lsetxattr p s x u x
7 fsetxattr f s x u x
8 getxattr p s x u
9 lgetxattr p s x u
10 fgetxattr f s x u
11 listxattr p x u
12 llistxattr p x u
13 flistxattr f x u
14 removexattr p s
15 lremovexattr p s
16 fremovexattr f s
17 getcwd x u
18 lookup_dcookie u x u
19 eventfd2 u efd
20 epoll_create1 epoll
21 epoll_ctl f E f x
22 epoll_pwait f x d d x u
23 dup f
24 dup3 f f O
25 fcntl f F bits
26 inotify_init1 in
27 inotify_add_watch f p bits
28 inotify_rm_watch f d
29 ioctl f ioctl bits
30 ioprio_set d d d
31 ioprio_get d d
32 flock f lock
33 mknodat D p m u
34 mkdirat D p m
35 unlinkat D p a
36 symlinkat p D p
37 linkat D p D p a
38 renameat D p D p
39 umount2 p umount
40 mount p p s mount x
41 pivot_root p p
43 statfs p x
44 fstatfs f x
45 truncate p d
46 ftruncate f d
47 fallocate f d d d
48 faccessat D p r
49 chdir p
50 fchdir f
51 chroot p
52 fchmod f m
53 fchmodat D p m
54 fchownat D p d d a
55 fchown f d d
56 openat D p o m
57 close f
58 vhangup
59 pipe2 x O
60 quotactl bits p d x
61 getdents64 f x u
62 lseek f d S
63 read f x u
64 write f x u
65 readv f x d
66 writev f x d
67 pread64 f x u d
68 pwrite64 f x u d
69 preadv f x d d d
70 pwritev f x d d d
71 sendfile f f x u
72 pselect6 d x x x x x
73 ppoll x u x x u
74 signalfd4 f x u sfd
75 vmsplice f x u bits
76 splice f x f x u bits
77 tee f f u bits
78 readlinkat D p x u
79 newfstatat D p x a
80 fstat f x
81 sync
82 fsync f
83 fdatasync f
84 sync_file_range f d d bits
85 timerfd_create C tfd
86 timerfd_settime f tfd_timer x x
87 timerfd_gettime f x
88 utimensat D p x a
89 acct p
90 capget x x
91 capset x x
92 personality bits
93 exit d
94 exit_group d
95 waitid idtype d x w x
96 set_tid_address x
97 unshare c
98 futex x U u x x u
99 set_robust_list x u
100 get_robust_list d x x
101 nanosleep x x
102 getitimer itimer x
103 setitimer itimer x x
104 kexec_load x u x bits
105 init_module x u s
106 delete_module s O
107 timer_create C x x
108 timer_gettime d x
109 timer_getoverrun d
110 timer_settime d timer x x
111 timer_delete d
112 clock_settime C x
113 clock_gettime C x
114 clock_getres C x
115 clock_nanosleep C timer x x
116 syslog d x d
117 ptrace d d x bits
118 sched_setparam d x
119 sched_setscheduler d sched x
120 sched_getscheduler d
121 sched_getparam d x
122 sched_setaffinity d u x
123 sched_getaffinity d u x
124 sched_yield
125 sched_get_priority_max sched
126 sched_get_priority_min sched
127 sched_rr_get_interval d x
128 restart_syscall
129 kill d g
130 tkill d g
131 tgkill d d g
132 sigaltstack x x
133 rt_sigsuspend x u
134 rt_sigaction g x x u
135 rt_sigprocmask how x x u
136 rt_sigpending x u
137 rt_sigtimedwait x x x u
138 rt_sigqueueinfo d g x
139 rt_sigreturn
140 setpriority prio d d
141 getpriority prio d
142 reboot bits bits bits x
143 setregid d d
144 setgid d
145 setreuid d d
146 setuid d
147 setresuid d d d
148 getresuid x x x
149 setresgid d d d
150 getresgid x x x
151 setfsuid d
152 setfsgid d
153 times x
154 setpgid d d
155 getpgid d
156 getsid d
157 setsid
158 getgroups d x
159 setgroups d x
160 uname x
161 sethostname s u
162 setdomainname s u
163 getrlimit rlimit x
164 setrlimit rlimit x
165 getrusage rusage x
166 umask m
167 prctl pr bits bits bits bits
168 getcpu x x x
169 gettimeofday x x
170 settimeofday x x
171 adjtimex x
172 getpid
173 getppid
174 getuid
175 geteuid
176 getgid
177 getegid
178 gettid
179 sysinfo x
180 mq_open s o m x
181 mq_unlink s
182 mq_timedsend d x u u x
183 mq_timedreceive d x u x x
184 mq_notify d x
185 mq_getsetattr d x x
186 msgget bits bits
187 msgctl d d x
188 msgrcv d x u d bits
189 msgsnd d x u bits
190 semget bits d bits
191 semctl d d d bits
192 semtimedop d x u x
193 semop d x u
194 shmget bits u bits
195 shmctl d d x
196 shmat d x bits
197 shmdt x
198 socket A T d
199 socketpair A T d x
200 bind f x u
201 listen f d
202 accept f x x
203 connect f x u
204 getsockname f x x
205 getpeername f x x
206 sendto f x u M x u
207 recvfrom f x u M x x
208 setsockopt f level d x u
209 getsockopt f level d x x
210 shutdown f shut
211 sendmsg f x M
212 recvmsg f x M
213 readahead f d u
214 brk x
215 munmap x u
216 mremap x u u mremap x
217 add_key s s x u d
218 request_key s s s d
219 keyctl d bits bits bits bits
220 clone c x x x x
221 execve p x x
222 mmap x u P B f bits
223 fadvise64 f d u d
224 swapon p x
225 swapoff p
226 mprotect x u P
227 msync x u msync
228 mlock x u
229 munlock x u
230 mlockall bits
231 munlockall
232 mincore x u x
233 madvise x u V
234 remap_file_pages x u P u bits
235 mbind x u d x u bits
236 get_mempolicy x x u x bits
237 set_mempolicy d x u
238 migrate_pages d u x x
239 move_pages d u x x x bits
240 rt_tgsigqueueinfo d d g x
241 perf_event_open x d d d bits
242 accept4 f x x sock
243 recvmmsg f x u M x
260 wait4 d x w x
261 prlimit64 d rlimit x x
262 fanotify_init bits o
263 fanotify_mark f bits bits D p
264 name_to_handle_at D p x x a
265 open_by_handle_at f x o
266 clock_adjtime C x
267 syncfs f
268 setns f c
269 sendmmsg f x u M
270 process_vm_readv d x u x u x
271 process_vm_writev d x u x u x
272 kcmp d d d u u
273 finit_module f s x
274 sched_setattr d x bits
275 sched_getattr d x u bits
276 renameat2 D p D p rename
277 seccomp bits bits x
278 getrandom x u grnd
279 memfd_create s mfd
280 bpf d x u
281 execveat D p x x a
282 userfaultfd O
283 membarrier d bits d
284 mlock2 x u bits
285 copy_file_range f x f x u bits
286 preadv2 f x d d d bits
287 pwritev2 f x d d d bits
288 pkey_mprotect x u P d
289 pkey_alloc bits bits
290 pkey_free d
291 statx D p a bits x
292 io_pgetevents bits d d x x x
293 rseq x u bits bits
294 kexec_file_load f f u s bits
424 pidfd_send_signal f g x bits
425 io_uring_setup u x
426 io_uring_enter f u u bits x u
427 io_uring_register f u x u
428 open_tree D p bits
429 move_mount D p D p bits
430 fsopen s bits
431 fsconfig f d s x d
432 fsmount f bits bits
433 fspick D p bits
434 pidfd_open d O
435 clone3 x u
436 close_range u u bits
437 openat2 D p x u
438 pidfd_getfd f f bits
439 faccessat2 D p r a
440 process_madvise f x u V bits
441 epoll_pwait2 f x d x x u
442 mount_setattr D p bits x u
443 quotactl_fd f bits d x
444 landlock_create_ruleset x u bits
445 landlock_add_rule f d x bits
446 landlock_restrict_self f bits
447 memfd_secret bits
448 process_mrelease f bits
449 futex_waitv x u bits x C
450 set_mempolicy_home_node x u u bits
451 cachestat f x x bits
452 fchmodat2 D p m a
453 map_shadow_stack x u bits
454 futex_wake x bits d bits
455 futex_wait x bits bits bits x C
456 futex_requeue x bits d d
457 statmount x x u bits
458 listmount x x u bits
459 lsm_get_self_attr u x x bits
460 lsm_set_self_attr u x u bits
461 lsm_list_modules x x bits
462 mseal x u bits
463 setxattrat D p a s x u
464 getxattrat D p a s x u
465 listxattrat D p a x u
466 removexattrat D p a s
467 open_tree_attr D p bits x u`;

const CALLS = once(() =>
  new Map<number, SystemCall>(
    LISTED.trim().split("\n").map((line) => {
      const [number, name, ...words] = line.split(" "), kinds = words.filter(isKind);
      if (kinds.length < words.length) throw new Error(`${name} has an argument of an unknown kind`);
      return [Number(number), { name, kinds, hasTexts: kinds.some(isText) }];
    }),
  )
);

/** Those that return an address. */
const RETURNS_ADDRESS: ReadonlySet<string> = new Set(["brk", "mmap", "mremap", "shmat"]);
/** Those that do not return to the program that made them. */
const NEVER_RETURNS: ReadonlySet<string> = new Set(["exit", "exit_group"]);

/** Calls that restore all registers of the program: x0 has no result. */
const HAS_NO_RESULT: ReadonlySet<string> = new Set(["rt_sigreturn"]);

/** The arguments of a call without an entry. */
const UNKNOWN: readonly ArgumentKind[] = Array(6).fill("bits");

/** The call of a number; of an unknown one the name has the number, and six arguments are shown. */
export function systemCall(number: number): SystemCall {
  return CALLS().get(number) ?? { name: `syscall_${number}`, kinds: UNKNOWN, hasTexts: false };
}

export const returnsAddress = ({ name }: SystemCall): boolean => RETURNS_ADDRESS.has(name);
export const hasResult = ({ name }: SystemCall): boolean => !HAS_NO_RESULT.has(name);
export const returns = ({ name }: SystemCall): boolean => !NEVER_RETURNS.has(name);

/** Names of error numbers from 1 (asm-generic/errno-base.h, errno.h); "-": there is none. */
const ERRORS = `EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV
ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK
ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC
EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW
ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE
ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET
ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS
ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED
EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON`.split(/\s+/);
/** Results inside the kernel, after which it repeats a call that a signal has interrupted. */
const RESTARTS: Readonly<Record<number, string>> = {
  512: "ERESTARTSYS",
  513: "ERESTARTNOINTR",
  514: "ERESTARTNOHAND",
  516: "ERESTART_RESTARTBLOCK",
};
/** Larger numbers are not errors: addresses can be so high. */
export const MAX_ERRNO = 4095;

/** The name of a positive error number. */
export function errorName(number: number): string {
  const name = ERRORS[number - 1] ?? "-";
  return name === "-" ? RESTARTS[number] ?? `errno ${number}` : name;
}

/** Names of signals from 1 (asm-generic/signal.h). */
const SIGNALS = `HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ
VTALRM PROF WINCH IO PWR SYS`.split(/\s+/);
/** The first signal without a name. */
const REALTIME = 32;

export function signalName(number: number): string {
  const name = SIGNALS[number - 1];
  if (name !== undefined) return `SIG${name}`;
  return number < REALTIME ? String(number) : number === REALTIME ? "SIGRTMIN" : `SIGRT_${number - REALTIME}`;
}
