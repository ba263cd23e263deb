// hardened mdwe|seccomp PROGRAM ARGS: runs a program to which the system gives no executable
// memory: as systemd's MemoryDenyWriteExecute does it on new kernels, and on old ones.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#define UNSUPPORTED 99
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

static struct sock_filter filter[] = {
    LOAD(nr),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
    RETURN(SECCOMP_RET_ALLOW),
    LOAD(args[2]),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
    RETURN(SECCOMP_RET_ERRNO | 1),
    RETURN(SECCOMP_RET_ALLOW),
};

int main(int count, char **words) {
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (count < 3) return UNSUPPORTED;
  if (strcmp(words[1], "mdwe") == 0) {
    if (prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0) return UNSUPPORTED;
  } else if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    return UNSUPPORTED;
  }
  execvp(words[2], words + 2);
  return UNSUPPORTED;
}
